"""The words that the grammar paints music with, by what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# By brightness and activity: is the music pleasant, is it exciting.
SCENES: Final[Mapping[tuple[bool, bool], tuple[str, ...]]] = {
    (True, True): (
        "a sunlit carnival square",
        "a meadow of racing kites",
        "a harbor full of bright sails",
        "a waterfall in morning sun",
        "a market bursting with blossoms",
        "a flock of swallows over wheat fields",
    ),
    (True, False): (
        "a quiet garden at daybreak",
        "a lake of floating lanterns",
        "a valley wrapped in warm haze",
        "an orchard after gentle rain",
        "a sleepy village by calm water",
        "a hillside of soft lavender",
    ),
    (False, True): (
        "a storm breaking over black cliffs",
        "a burning forest under a red moon",
        "a night train through thunder",
        "a fortress lashed by waves",
        "a whirl of crows above ruins",
        "a city of shattered neon",
    ),
    (False, False): (
        "an abandoned chapel in fog",
        "a winter shore without footprints",
        "a dim corridor of faded portraits",
        "a lone tree on a frozen plain",
        "a drowned garden at dusk",
        "a deserted station in drizzle",
    ),
}
PALETTES: Final[Mapping[tuple[bool, bool], tuple[str, ...]]] = {
    (True, True): (
        "vivid gold, coral and turquoise",
        "saturated orange, pink and azure",
        "radiant yellow and vermilion",
    ),
    (True, False): (
        "soft peach, cream and sage",
        "pale blue, honey and rose",
        "warm ivory and mint",
    ),
    (False, True): (
        "crimson, charcoal and electric violet",
        "deep red against black steel",
        "acid green and burnt umber",
    ),
    (False, False): (
        "slate blue, ash and muted indigo",
        "cold gray with bruised purple",
        "faded teal and graphite",
    ),
}
LIGHTS: Final[Mapping[tuple[bool, bool], tuple[str, ...]]] = {
    (True, True): ("dazzling noon light", "sparkling highlights", "glowing backlight"),
    (True, False): ("soft golden light", "diffuse dawn glow", "gentle shimmering light"),
    (False, True): ("harsh lightning flashes", "fierce firelight", "stark strobing light"),
    (False, False): ("dim moonlight", "a single cold lamp", "pale failing twilight"),
}
MOTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "slow": ("slowly drifting shapes", "long unhurried curves", "still and suspended forms"),
    "moderate": ("steadily flowing lines", "an even walking movement", "rolling measured waves"),
    "fast": ("rapid slashing strokes", "swift spinning particles", "racing streaks of motion"),
}
METERS: Final[Mapping[str, tuple[str, ...]]] = {
    "2/4": ("marching pairs of verticals", "paired alternating bands"),
    "3/4": ("waltzing circles in threes", "triangular turning patterns"),
    "4/4": ("a square regular grid", "four balanced columns"),
    "5/4": ("a lopsided fivefold pattern", "five uneven arches"),
    "6/8": ("rocking crescents in pairs", "lilting swaying ripples"),
    "7/8": ("a limping sevenfold mosaic", "seven staggered steps"),
    "none": ("free floating clouds without rhythm", "loose scattered islands"),
}
CONTOURS: Final[Mapping[str, tuple[str, ...]]] = {
    "ascending": ("diagonals climbing upward", "forms rising toward the top"),
    "descending": ("lines sinking downward", "shapes falling toward the ground"),
    "arch": ("a great arch across the frame", "a curve that rises and falls"),
    "valley": ("a deep bowl in the center", "a curve that dips and returns"),
    "wavy": ("undulating ribbons", "winding serpentine paths"),
    "flat": ("a level calm horizon", "wide horizontal layers"),
}
DYNAMICS: Final[Mapping[str, tuple[str, ...]]] = {
    "crescendo": ("detail swelling from left to right", "intensity growing toward the edge"),
    "diminuendo": ("detail dissolving into emptiness", "intensity fading toward the edge"),
    "swell": ("a bright dense center", "intensity gathered in the middle"),
    "dip": ("a hushed hollow middle", "two loud edges around silence"),
    "soft": ("delicate faint marks", "whispered low contrast"),
    "loud": ("bold heavy contrast", "massive emphatic forms"),
    "steady": ("an even unwavering density", "uniform balanced contrast"),
}
HARMONIES: Final[Mapping[str, tuple[str, ...]]] = {
    "major": ("open consonant geometry", "clear harmonious proportions"),
    "minor": ("shadowed interlocking angles", "somber overlapping veils"),
}
MEDIA: Final = (
    "oil painting",
    "watercolor",
    "gouache illustration",
    "ink and wash drawing",
    "pastel study",
    "woodblock print",
    "digital matte painting",
    "cinematic photograph",
)

# What divergent prompts associate: a subject, what happens to it, and where.
SUBJECTS: Final = (
    "an octopus conducting tram lines",
    "a library whose books are tides",
    "paper astronauts",
    "a cathedral grown from coral",
    "clockwork dandelions",
    "a whale carrying a lighthouse",
    "a loom weaving rivers",
    "mirrors learning to swim",
    "a staircase of sleeping foxes",
    "an orchestra of greenhouse glass",
    "porcelain volcanoes",
    "a typewriter hatching moths",
    "magnetic deer",
    "a desert poured into a teacup",
    "tattooed glaciers",
    "an umbrella full of galaxies",
)
CHANGES: Final = (
    "unraveling into maps",
    "folded like origami thunder",
    "dissolving in perfume",
    "growing feathers of circuitry",
    "trading places with its echo",
    "remembering a forgotten alphabet",
    "melting through keyholes",
    "orbiting a violin string",
    "blooming backwards",
    "tuned by insects",
    "bartering shadows for salt",
    "stitched together from radio waves",
)
PLACES: Final = (
    "inside a honeycomb observatory",
    "beneath an inverted ocean",
    "on the rim of a spinning coin",
    "along a bridge of vertebrae",
    "within a snow globe factory",
    "at the bottom of a clarinet",
    "across a chessboard tundra",
    "behind a curtain of mercury",
    "above a borderless archipelago",
    "in a museum of weather",
)
DIVERGENT_MEDIA: Final = (
    "surreal collage",
    "glitch tapestry",
    "risograph poster",
    "cyanotype dream",
    "stained glass animation still",
    "botanical blueprint",
    "kinetic sculpture photograph",
    "fresco seen through water",
)
