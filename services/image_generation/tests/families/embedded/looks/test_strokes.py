"""Strokes: where the brush goes, and where it does not."""

from __future__ import annotations

import torch

from chladni_image_generation.families.embedded.looks import strokes
from chladni_image_generation.families.embedded.looks.canvas import Canvas
from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors

SOUND = sample_descriptors(1, seed=5)[0]
CANVAS = Canvas.of(SOUND, draw_grids([1])[0], height=96, width=128)


def stroked(path, pressure):
    lab = torch.zeros(3, CANVAS.height, CANVAS.width)
    width, brightness = torch.full_like(path, 0.1), torch.full_like(path, 0.5)
    draw = [0.5] * 6
    strokes.stroke(CANVAS, lab, path, width, pressure, brightness, index=0, draw=draw, dryness=0.2)
    return lab.abs().amax(dim=0)


def test_a_stroke_marks_the_pixels_under_the_brush_alone():
    marked = stroked(torch.full((128,), 0.3), torch.ones(128)) > 0
    near = (CANVAS.y - 0.3).abs()
    assert marked[near < 0.08].all()
    assert not marked[near > 0.107].any()


def test_a_lifted_brush_marks_nothing():
    assert not stroked(torch.zeros(128), torch.zeros(128)).any()
    half = torch.cat([torch.zeros(64), torch.ones(64)])
    assert not stroked(torch.zeros(128), half)[:, :64].any()
    assert stroked(torch.zeros(128), half)[:, 64:].any()


def test_a_stroke_beside_the_image_marks_nothing():
    assert not stroked(torch.full((128,), 7.0), torch.ones(128)).any()
