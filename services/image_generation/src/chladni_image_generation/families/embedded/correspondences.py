"""From the descriptors of a sound to the parameters of an image, by cross-modal correspondence.

| sound | image | after |
|---|---|---|
| pitch height | higher is lighter and stands higher; a finer figure | Marks 1974; Ward et al. 2006 |
| pitch range | how far ribbons and ridges swing | Spence 2011 |
| loudness | contrast, saturation, size of the bodies | Marks 1987 (loud-bright); Spence 2011 (loud-large) |
| dynamics | depth of light: relief, shadow and vignette | Palmer et al. 2013 |
| brightness | luminous, yellow highlights; without a key, the hue | Marks 1974; Ward et al. 2006 |
| bandwidth | spread of the palette's hues | Ward et al. 2006 |
| flatness | mist and clouds that dissolve clean forms; the plate sinks in noise | Adeli et al. 2014 |
| roughness, brightness, bandwidth | jagged edges against smooth ones | Koehler 1947; Adeli et al. 2014 |
| onset rate | number of separate bodies, cells in the sky | Spence 2011 (density) |
| tempo | spacing of the repeated bands; fast is close | Palmer et al. 2013; Spence 2011 |
| harmonicity | a vibrating plate with nodal lines, against a landscape | Chladni 1787; Jenny 1967 |
| mode | major is warm and light, minor cool and dark; symmetry of the figure | Palmer et al. 2013 |
| chroma, mean on the circle of fifths | base hue and its purity | Scriabin, in Galeyev & Vanechkina 2001 |
| chroma, mean on the circle of semitones | how the hue of the lights departs from it | Shepard 1982 |
| chroma, each pitch class | a mode of the plate: each chord has its own figure | Chladni 1787; Ritz 1909 |
| chroma, number of pitch classes | number of colours in the palette | Palmer et al. 2013 |
| course of level, brightness, pitch, onsets | ridges, ribbons, bodies from left to right | Spence 2011 |
| course of level | strength of the rings, from the centre outwards | Spence 2011 |
| course of the key | hue from left to right | Galeyev & Vanechkina 2001 |

Sources: Marks (1974, 1987), loudness, pitch and brightness; Ward, Huckstep & Tsakanikos (2006),
sound-colour synaesthesia; Shepard (1982), "Geometrical approximations to the structure of musical pitch",
the two circles; Spence (2011), "Crossmodal correspondences: a tutorial review"; Palmer,
Schloss, Xu & Prado-Leon (2013), "Music-color associations are mediated by emotion"; Koehler (1947)
and Ramachandran & Hubbard (2001), sharp sounds and sharp shapes; Adeli, Rouat & Molotchnikoff (2014),
"Audiovisual correspondence between musical timbre and visual shapes"; Chladni (1787), Ritz (1909) and
Jenny (1967), figures of vibration.

Every parameter is a continuous function of the descriptors, so that sounds that are nearly alike get
images that are. No gate opens at a loudness or a harmonicity: what shows most, the plate and the
contrast, grows evenly over the whole range of what it stands for, so that the distances between images
follow those between sounds. Noises, whose descriptors lie close together, share a sober family of hues.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from chladni_contract.descriptor_space import DESCRIPTOR_NAMES
from chladni_image_generation.descriptor_space import course_of
from chladni_image_generation.families.embedded.palette import (
    ANCHOR_COUNT,
    FIFTH,
    SEMITONE,
    active_pitch_classes,
    chroma_phase,
)

_CHROMA_START = DESCRIPTOR_NAMES.index("chroma_c")


@dataclass(frozen=True)
class ImageParameters:
    """What a sound decides, for each of B sounds.

    Lengths are in units of half the image, frequencies in cycles per such unit, shares in [0, 1].

    Attributes:
        palette: (B, anchors, 3) OKLab ramp from shadow to light.
        accent: (B, 3) OKLab colour of bodies and ribbons.
        plate_weights: (B, 12) amplitudes of the plate's modes, of unit length, or all 0.
        course: (B, segments, features) course of the sound, in [0, 1].
        contrast: (B,) as all the others: how far tones spread.
        relief: strength of the grazing light.
        vignette: darkness of the corners.
        glow: light around the focus.
        mass_y: height of the focus.
        mass_extent: half height of what stands around it.
        swing: amplitude of ridges and ribbons.
        band_frequency: of rings and strata.
        band_depth: their strength.
        plate_share: presence of the vibrating plate.
        ridge_share: presence of the landscape.
        ribbon_share: presence of ribbons that follow the pitch.
        cell_share: presence of the cells that a rapid sound breaks the sky into.
        cell_frequency: of these cells.
        line_strength: of the nodal lines.
        plate_scale: factor on the orders of the plate's modes.
        plate_sign: from -1 (antisymmetric) to 1 (symmetric).
        cloud: presence of mist and clouds.
        jag: how jagged edges are.
        body_radius: of a body at a full onset.
        body_softness: of its edge.
    """

    palette: Tensor
    accent: Tensor
    plate_weights: Tensor
    course: Tensor
    contrast: Tensor
    relief: Tensor
    vignette: Tensor
    glow: Tensor
    mass_y: Tensor
    mass_extent: Tensor
    swing: Tensor
    band_frequency: Tensor
    band_depth: Tensor
    plate_share: Tensor
    ridge_share: Tensor
    ribbon_share: Tensor
    cell_share: Tensor
    cell_frequency: Tensor
    line_strength: Tensor
    plate_scale: Tensor
    plate_sign: Tensor
    cloud: Tensor
    jag: Tensor
    body_radius: Tensor
    body_softness: Tensor

    def as_vectors(self) -> Tensor:
        """Return (B, `PARAMETER_COUNT`): everything but the course, in the order of the fields."""
        columns = [getattr(self, field.name) for field in fields(self) if field.name != "course"]
        return torch.cat([column.reshape(len(column), -1) for column in columns], dim=1)


_STACKED = ("palette", "accent", "plate_weights")
PARAMETER_COUNT = ANCHOR_COUNT * 3 + 3 + 12 + len(fields(ImageParameters)) - len(_STACKED) - 1


def parameters_from_descriptors(embedding: Tensor) -> ImageParameters:
    """Apply the table of correspondences to (B, 152) descriptor embeddings in [0, 1]."""
    embedding = embedding.float()
    overall = embedding[:, : len(DESCRIPTOR_NAMES)]
    named = dict(zip(DESCRIPTOR_NAMES, overall.unbind(1), strict=True))
    chroma = overall[:, _CHROMA_START:]
    loudness, dynamics, flatness = named["loudness"], named["dynamics"], named["flatness"]
    pitch_height, pitch_range = named["pitch_height"], named["pitch_range"]
    tonality = _tonality(named, chroma)
    sounding = _presence(named)
    plate = (_cleanness(named) - 0.05).clamp(min=0) * (0.45 + 0.55 * tonality) * sounding
    # Somewhat steeper in the middle: a plate or a landscape is clearer than half of each.
    plate_share = 0.4 * plate + 0.6 * _smooth(plate / 0.8)
    sharpness = 0.70 * named["roughness"] + 0.15 * (named["brightness"] + named["bandwidth"])
    return ImageParameters(
        palette=_palette(named, chroma),
        accent=_accent(named, chroma),
        plate_weights=_plate_weights(chroma),
        course=course_of(embedding),
        contrast=(0.50 + 0.50 * loudness) * sounding,
        relief=(0.10 + 0.20 * dynamics) * (0.3 + 0.7 * sounding),
        vignette=0.10 + 0.20 * dynamics,
        glow=(0.05 + 0.15 * named["brightness"]) * (0.4 + 0.6 * loudness),
        mass_y=-0.38 + 0.76 * pitch_height,
        mass_extent=0.35 + 0.50 * pitch_range,
        swing=(0.10 + 0.34 * pitch_range) * sounding,
        band_frequency=2.2 + 2.6 * named["tempo"],
        band_depth=0.35 + 0.65 * loudness,
        plate_share=plate_share,
        ridge_share=(1 - 0.95 * plate_share) * sounding,
        ribbon_share=_smooth((named["harmonicity"] - 0.15) / 0.4) * _smooth(pitch_range / 0.35) * sounding,
        cell_share=0.50 * named["onset_rate"] * (1 - 0.8 * plate_share) * sounding,
        cell_frequency=1.6 + 1.8 * named["onset_rate"] + 0.8 * named["bandwidth"],
        line_strength=(0.50 + 0.50 * named["harmonicity"]) * (1 - 0.95 * flatness) * (0.3 + 0.7 * tonality),
        plate_scale=0.75 + 0.65 * pitch_height,
        plate_sign=2 * (named["mode"] - 0.5),
        cloud=flatness**1.5,
        jag=sharpness * sounding,
        body_radius=(0.06 + 0.09 * loudness) * (1.3 - 0.65 * named["onset_rate"]),
        body_softness=0.06 + 0.30 * flatness**2.5,
    )


def _presence(named: dict[str, Tensor]) -> Tensor:
    """Return 0 for silence, 1 for all but the faintest: a quiet sound counts as long as it has a timbre."""
    shape = named["brightness"] + named["bandwidth"] + named["flatness"] + named["harmonicity"]
    return _smooth((named["loudness"] + shape) / 0.3)


def _cleanness(named: dict[str, Tensor]) -> Tensor:
    """Return how little noise there is in a sound, and how exactly it repeats."""
    return 0.75 * (1 - named["flatness"]) + 0.25 * named["harmonicity"]


def _tonality(named: dict[str, Tensor], chroma: Tensor) -> Tensor:
    """Return 1 for clean tones, 0 without any; less in noise, where small changes may hide or bare them."""
    return chroma.amax(dim=1) * (0.35 + 0.65 * _cleanness(named))


def _plate_weights(chroma: Tensor) -> Tensor:
    """Return the amplitudes of the modes: those of the pitch classes, as far as the chroma is clear."""
    length: Tensor = chroma.norm(dim=1, keepdim=True)
    return chroma / length.clamp(min=0.5)


def _palette(named: dict[str, Tensor], chroma: Tensor) -> Tensor:
    """Return five OKLab anchors from shadow to light."""
    base = _base_colour(named, chroma)
    purity = base.norm(dim=1).clamp(max=1)
    direction = _direction(base)
    departure = _tonality(named, chroma)[:, None] * _clear_phase(chroma, SEMITONE)
    saturation = (0.050 + 0.095 * purity + 0.040 * named["loudness"]) * (1 - 0.20 * named["flatness"])
    # Dark yellow is olive: yellow needs light to be itself.
    yellow = math.radians(105)
    yellowness = (direction[:, 0] * math.cos(yellow) + direction[:, 1] * math.sin(yellow)).clamp(min=0)
    middle = (
        0.34
        + 0.22 * named["pitch_height"]
        + 0.10 * named["brightness"]
        + 0.06 * named["loudness"]
        + 0.08 * (named["mode"] - 0.5)
        + 0.15 * yellowness * purity
    )
    reach = 0.20 + 0.20 * named["loudness"]
    colours = (active_pitch_classes(chroma**2) / 7).clamp(max=1)
    spread = 0.5 + 1.0 * named["bandwidth"]
    swing = 0.20 + 1.0 * colours

    stops = torch.linspace(-1, 1, ANCHOR_COUNT)
    zigzag = torch.tensor([0.0, 1.0, -0.6, 0.9, 0.0])
    anchors = []
    for stop, side in zip(stops.tolist(), zigzag.tolist(), strict=True):
        shine = max(stop, 0.0) * (named["brightness"] - 0.5)
        lightness = middle + reach * stop * (1.0 if stop < 0 else 1.25) + 0.08 * shine
        towards = direction + (0.5 + 0.5 * stop) * departure
        towards = towards / towards.norm(dim=1, keepdim=True).clamp(min=1)
        turned = _turned(towards, spread * 0.5 * stop + swing * 0.5 * side)
        strength = saturation * (1.05 - 0.40 * stop**2)
        a = strength * turned[:, 0] + 0.012 * shine
        b = strength * turned[:, 1] + 0.100 * shine
        anchors.append(torch.stack([lightness.clamp(0.06, 0.97), a, b], dim=1))
    return torch.stack(anchors, dim=1)


def _accent(named: dict[str, Tensor], chroma: Tensor) -> Tensor:
    """Return the (B, 3) OKLab colour of the bodies: across the hue circle, as far as the bandwidth says."""
    base = _base_colour(named, chroma)
    across = _turned(_direction(base), math.pi * (0.45 + 0.55 * named["bandwidth"]))
    lightness = 0.60 + 0.16 * named["pitch_height"] + 0.10 * named["brightness"]
    strength = 0.07 + 0.07 * named["loudness"] + 0.03 * base.norm(dim=1).clamp(max=1)
    return torch.stack([lightness, strength * across[:, 0], strength * across[:, 1]], dim=1)


def _base_colour(named: dict[str, Tensor], chroma: Tensor) -> Tensor:
    """Return the (B, 2) direction in the a-b plane: the key's hue, pulled warm by major and cool by minor."""
    warm_angle = math.radians(55)
    warmth = 0.9 * (named["mode"] - 0.5) + 0.2 * (named["brightness"] - 0.5) - 0.08
    pull = torch.stack([warmth * math.cos(warm_angle), warmth * math.sin(warm_angle)], dim=1)
    # Without a key the timbre decides: dull is purple, then come blue and sea green, and bright is moss.
    angle = math.radians(325) - math.radians(225) * named["brightness"]
    tonality = _tonality(named, chroma)[:, None]
    keyless = 0.50 * (1 - tonality) * torch.stack([angle.cos(), angle.sin()], dim=1)
    return 1.15 * tonality * _clear_phase(chroma, FIFTH) + pull + keyless


def _clear_phase(chroma: Tensor, step: int) -> Tensor:
    """Return the (B, 2) direction of strong pitch classes; longer than the mean, or chords had no hue."""
    phase = chroma_phase(chroma**2, step=step)
    length: Tensor = phase.norm(dim=1, keepdim=True)
    return phase / (length + 0.05).sqrt()


def _direction(vector: Tensor) -> Tensor:
    """Return (B, 2) of about unit length, shrinking to 0 if there is no direction."""
    length: Tensor = vector.norm(dim=1, keepdim=True)
    return vector / (length + 0.03)


def _turned(vector: Tensor, angle: Tensor) -> Tensor:
    """Return (B, 2) vectors turned by (B,) angles."""
    a, b = vector.unbind(1)
    return torch.stack([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=1)


def _smooth(value: Tensor) -> Tensor:
    t = value.clamp(0, 1)
    return t * t * (3 - 2 * t)
