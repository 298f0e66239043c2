"""Music in words."""

from __future__ import annotations

from chladni_contract.descriptor_space import COMPONENT_NAMES
from chladni_gateway.recipes.music_description import time_course


def test_the_course_says_what_changes():
    values = [0.5] * len(COMPONENT_NAMES)
    for place, name in enumerate(COMPONENT_NAMES):
        if name.endswith("_level"):
            values[place] = 0.9 if name < "course_04" else 0.3
    course = time_course(values)
    assert course.startswith("first quarter loud; second quarter soft")
    assert time_course([0.5] * len(COMPONENT_NAMES)).endswith("last quarter as the whole")
