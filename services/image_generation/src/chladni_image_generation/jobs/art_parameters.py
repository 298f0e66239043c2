"""From the descriptors of a sound to the parameters of a picture, by cross-modal correspondence.

| sound | picture | after |
|---|---|---|
| pitch height | higher is lighter, and the mass stands higher | Marks 1974; Ward et al. 2006; Spence 2011 |
| pitch range | vertical extent of the mass and swing of its flow | Spence 2011 |
| loudness | contrast, saturation, size of the forms | Marks 1987 (loud-bright); Spence 2011 (loud-large) |
| dynamics | depth of light: relief, shadow and vignette | Palmer et al. 2013 |
| brightness | luminous, yellow highlights against dim, blue ones | Marks 1974; Ward et al. 2006 |
| bandwidth | spread of the palette's hues | Ward et al. 2006 |
| flatness | clouds that dissolve clean forms | Adeli et al. 2014 (timbre and softness of form) |
| roughness | jagged, ridged edges against smooth ones | Koehler 1947; Ramachandran & Hubbard 2001 |
| onset rate | number of separate bodies | Spence 2011 (density) |
| tempo | spacing of the repeated bands; fast is close | Palmer et al. 2013; Spence 2011 |
| harmonicity | bands close into rings of k-fold symmetry, nodal lines show | Chladni 1787; Jenny 1967 |
| mode | major is warm and light, minor cool and dark | Palmer et al. 2013 |
| chroma, mean on the circle of fifths | base hue and its purity | Scriabin, in Galeyev & Vanechkina 2001 |
| chroma, number of pitch classes | number of colours in the palette | Palmer et al. 2013 |

Sources: Marks (1974, 1987), loudness, pitch and brightness; Ward, Huckstep & Tsakanikos (2006),
sound-colour synaesthesia; Spence (2011), "Crossmodal correspondences: a tutorial review"; Palmer,
Schloss, Xu & Prado-Leon (2013), "Music-color associations are mediated by emotion"; Koehler (1947)
and Ramachandran & Hubbard (2001), sharp sounds and sharp shapes; Adeli, Rouat & Molotchnikoff (2014),
"Audiovisual correspondence between musical timbre and visual shapes"; Chladni (1787) and Jenny (1967),
figures of vibration.

The noise decides what the sound leaves open: where the focus stands, how the plane bends, which
forms rise, where the bodies are (``art``).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from chladni_image_generation.conditioning import DESCRIPTOR_NAMES
from chladni_image_generation.jobs.palette import ANCHOR_COUNT, active_pitch_classes, chroma_phase

_CHROMA_START = DESCRIPTOR_NAMES.index("chroma_c")


@dataclass(frozen=True)
class ArtParameters:
    """What the sound decides. Tensors of (B,); ``palette`` is (B, anchors, 3) in OKLab.

    Lengths are in units of half the picture, frequencies in cycles per such unit, ``form_width`` in
    cells of the noise grid, ``body_threshold`` in standard deviations of the noise.
    """

    palette: Tensor
    accent: Tensor
    contrast: Tensor
    relief: Tensor
    vignette: Tensor
    glow: Tensor
    mass_y: Tensor
    mass_extent: Tensor
    swing: Tensor
    drift: Tensor
    form_width: Tensor
    band_frequency: Tensor
    band_depth: Tensor
    ring_share: Tensor
    fold_depth: Tensor
    line_strength: Tensor
    fold: Tensor
    plate_order: Tensor
    plate_sign: Tensor
    cloud: Tensor
    jag: Tensor
    body_threshold: Tensor
    body_radius: Tensor
    body_softness: Tensor


def parameters_from_descriptors(embedding: Tensor) -> ArtParameters:
    """Apply the table of correspondences to (B, 24) descriptor embeddings in [0, 1]."""
    named = dict(zip(DESCRIPTOR_NAMES, embedding.float().unbind(1), strict=True))
    chroma = embedding[:, _CHROMA_START:].float()
    loudness, dynamics = named["loudness"], named["dynamics"]
    flatness, harmonicity = named["flatness"], named["harmonicity"]
    pitch_height, pitch_range = named["pitch_height"], named["pitch_range"]
    clean = 1 - flatness
    ring_share = _smooth((harmonicity - 0.25) / 0.45)
    return ArtParameters(
        palette=_palette(named, chroma),
        accent=_accent(named, chroma),
        contrast=0.30 + 0.70 * loudness,
        relief=0.05 + 0.24 * dynamics,
        vignette=0.10 + 0.22 * dynamics,
        glow=(0.03 + 0.09 * named["brightness"]) * (0.4 + 0.6 * loudness),
        mass_y=-0.52 + 1.04 * pitch_height,
        mass_extent=0.30 + 0.62 * pitch_range,
        swing=(0.05 + 0.32 * pitch_range) * (1 - 0.65 * ring_share),
        drift=0.15 * (1 - 0.65 * ring_share),
        form_width=0.75 + 0.85 * loudness,
        band_frequency=1.5 + 4.0 * named["tempo"] ** 1.3,
        band_depth=0.70 + 0.45 * harmonicity,
        ring_share=ring_share,
        fold_depth=0.17 * _smooth((harmonicity - 0.35) / 0.6),
        line_strength=_smooth((harmonicity - 0.3) / 0.7) * (0.35 + 0.65 * clean),
        fold=(2 + active_pitch_classes(chroma**2)).round().clamp(3, 8),
        plate_order=0.9 + 1.5 * pitch_height,
        plate_sign=2 * named["mode"] - 1,
        cloud=flatness**1.3,
        jag=named["roughness"] ** 1.3,
        body_threshold=3.3 - 2.7 * named["onset_rate"].sqrt(),
        body_radius=(0.07 + 0.10 * loudness) * (1.35 - 0.8 * named["onset_rate"]),
        body_softness=0.04 + 0.30 * flatness**2.5,
    )


def _palette(named: dict[str, Tensor], chroma: Tensor) -> Tensor:
    """Five OKLab anchors from shadow to light."""
    base = _base_colour(named, chroma)
    hue = torch.atan2(base[:, 1], base[:, 0])
    purity = base.norm(dim=1).clamp(max=1)
    saturation = (0.045 + 0.085 * purity + 0.060 * named["loudness"]) * (1 - 0.45 * named["flatness"])
    middle = (
        0.27
        + 0.30 * named["pitch_height"]
        + 0.08 * named["brightness"]
        + 0.07 * named["loudness"]
        + 0.08 * (named["mode"] - 0.5)
    )
    reach = 0.12 + 0.26 * named["loudness"]
    colours = (active_pitch_classes(chroma**2) / 7).clamp(max=1)
    spread = 0.3 + 2.6 * named["bandwidth"]
    swing = 0.15 + 1.1 * colours

    stops = torch.linspace(-1, 1, ANCHOR_COUNT)
    zigzag = torch.tensor([0.0, 1.0, -0.6, 0.9, 0.0])
    anchors = []
    for stop, side in zip(stops.tolist(), zigzag.tolist(), strict=True):
        shine = max(stop, 0.0) * (named["brightness"] - 0.5)
        lightness = middle + reach * stop * (1.0 if stop < 0 else 1.15) + 0.10 * shine
        angle = hue + spread * 0.5 * stop + swing * 0.5 * side
        strength = saturation * (1 - 0.35 * stop**2)
        a = strength * angle.cos() + 0.012 * shine
        b = strength * angle.sin() + 0.110 * shine
        anchors.append(torch.stack([lightness.clamp(0.07, 0.97), a, b], dim=1))
    return torch.stack(anchors, dim=1)


def _accent(named: dict[str, Tensor], chroma: Tensor) -> Tensor:
    """(B, 3) OKLab colour of the bodies: across the hue circle, as far as the bandwidth says."""
    base = _base_colour(named, chroma)
    angle = torch.atan2(base[:, 1], base[:, 0]) + math.pi * (0.35 + 0.65 * named["bandwidth"])
    lightness = 0.50 + 0.20 * named["pitch_height"] + 0.12 * named["brightness"]
    strength = 0.05 + 0.07 * named["loudness"] + 0.04 * base.norm(dim=1).clamp(max=1)
    return torch.stack([lightness, strength * angle.cos(), strength * angle.sin()], dim=1)


def _base_colour(named: dict[str, Tensor], chroma: Tensor) -> Tensor:
    """(B, 2) direction in the a-b plane: the key's hue, pulled warm by major and cool by minor."""
    tonal = chroma_phase(chroma**3)
    warm_angle = math.radians(62)
    warmth = 0.9 * (named["mode"] - 0.5) + 0.25 * (named["brightness"] - 0.5) - 0.06
    pull = torch.stack([warmth * math.cos(warm_angle), warmth * math.sin(warm_angle)], dim=1)
    return 1.15 * tonal + pull


def _smooth(value: Tensor) -> Tensor:
    t = value.clamp(0, 1)
    return t * t * (3 - 2 * t)
