"""Charts are images, the same for the same figures."""

from __future__ import annotations

import numpy as np
from PIL import Image

from chladni_training.files import digest_of_arrays
from chladni_training.plots import draw_curves


def test_a_chart_is_an_image_and_repeats(tmp_path):
    panels = [("loss", {"train": {1: 0.5, 2: 0.25}}), ("distance", {"generated": {1: 30.0, 2: 10.0}})]
    for name in ("one.png", "two.png"):
        draw_curves(tmp_path / name, panels, title="A run", horizontal="epoch", levels={"floor": 5.0})
    with Image.open(tmp_path / "one.png") as image:
        assert image.width > 2 * image.height
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_digests_depend_on_type_shape_and_values():
    array = np.arange(6, dtype=np.int32)
    others = (array.reshape(2, 3), array.view(np.uint32), array + 1)
    assert digest_of_arrays(array) == digest_of_arrays(np.arange(12, dtype=np.int32)[:6])
    assert len({digest_of_arrays(other) for other in (array, *others)}) == 4
