"""The plate as shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chladni_image_generation.families.embedded.looks import plate
from chladni_image_generation.families.embedded.looks.canvas import Canvas
from chladni_image_generation.families.embedded.looks.plate_drawing import draw, trace_zeros
from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors

Y, X = np.mgrid[-1:1:41j, -1:1:61j]


def test_the_zeros_of_a_circle_are_one_closed_line_around_it():
    (line,) = trace_zeros(X**2 + Y**2 - 0.64)
    assert (line[0] == line[-1]).all()
    x, y = line[:, 0] / 30 - 1, line[:, 1] / 20 - 1
    np.testing.assert_allclose(np.hypot(x, y), 0.8, atol=0.002)


def test_a_line_that_leaves_the_field_is_open():
    (line,) = trace_zeros(X - 0.5)
    np.testing.assert_allclose(line[:, 0], 45)
    assert sorted(line[[0, -1], 1].tolist()) == [0, 40]


@pytest.mark.parametrize("shift", [0.001, -0.001])
def test_lines_do_not_cross_at_a_saddle(shift):
    y, x = np.mgrid[-1:1:40j, -1:1:60j]
    lines = trace_zeros(x * y - shift)
    assert len(lines) == 2
    assert all(len(np.unique(line, axis=0)) == len(line) for line in lines)


def test_a_field_without_zeros_has_no_lines():
    assert trace_zeros(np.ones((4, 5))) == []


def canvas_of(sound, width=96):
    return Canvas.of(sound, draw_grids([1])[0], height=64, width=width)


def test_grains_lie_where_those_of_the_rendered_plate_lie():
    canvas = canvas_of(sample_descriptors(1, seed=5)[0])
    image = draw(canvas)
    assert (image.width, image.height) == (96, 64)
    assert len(image.dots) == round(plate.GRAINS * 1.5)
    assert image.dots.min() >= 0
    assert (image.dots.max(axis=0) <= [96, 64]).all()
    rendered = plate.render(canvas)[0].numpy()
    counts = np.histogram2d(image.dots[:, 1], image.dots[:, 0], bins=(64, 96), range=((0, 64), (0, 96)))[0]
    covered = 1 - np.exp(-0.5 * counts)
    assert np.corrcoef(covered.ravel(), rendered.ravel())[0, 1] > 0.7


def test_sand_gathers_on_the_lines_of_a_tone():
    sound = torch.zeros(152)
    sound[[8, 10, 12]] = torch.tensor([0.5, 1.0, 1.0])  # a clear C
    sound[0] = 0.8
    image = draw(canvas_of(sound, width=64))
    points = np.concatenate(image.lines)
    sample = image.dots[:: len(image.dots) // 300]
    gaps = np.linalg.norm(sample[:, None] - points, axis=2).min(axis=1)
    assert np.median(gaps) < 1.0


def test_silence_has_no_lines():
    assert draw(canvas_of(torch.zeros(152))).lines == ()
