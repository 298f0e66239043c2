"""The space of descriptor embeddings: 152 components by name."""

from __future__ import annotations

from chladni_contract.descriptor_space import (
    COMPONENT_COUNT,
    COMPONENT_NAMES,
    DESCRIPTOR_NAMES,
    DESCRIPTOR_SPACE,
)


def test_components_have_names_of_their_own():
    assert DESCRIPTOR_SPACE == "chladni-descriptors-v2"
    assert len(set(COMPONENT_NAMES)) == COMPONENT_COUNT == 24 + 16 * 8 == 152
    assert COMPONENT_NAMES[:24] == DESCRIPTOR_NAMES
    assert COMPONENT_NAMES[24:26] == ("course_00_level", "course_00_brightness")
    assert COMPONENT_NAMES[-1] == "course_15_tonal_y"
