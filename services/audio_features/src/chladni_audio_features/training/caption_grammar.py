"""Captions of sounds and scenes, drawn from a small grammar."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

_VOICES: Final = (
    "a woman singing", "a man speaking calmly", "a child laughing", "a crowd cheering", "a choir humming",
    "a baby crying", "people whispering", "an old man telling a story", "a girl shouting with joy",
    "a man coughing", "a woman reading aloud", "a rapper rhyming", "monks chanting",
    "friends talking over dinner", "an announcer at a station", "a teacher explaining", "someone snoring",
    "a couple arguing",
)  # fmt: skip
_ANIMALS: Final = (
    "a dog barking", "a cat purring", "birds singing", "an owl hooting", "crickets chirping",
    "a horse galloping", "frogs croaking", "a rooster crowing", "bees buzzing", "a wolf howling",
    "seagulls calling", "sheep bleating", "a lion roaring", "a whale singing", "a crow cawing",
    "cows mooing", "a snake hissing", "a woodpecker drumming",
)  # fmt: skip
_MACHINES: Final = (
    "a train passing", "a car engine starting", "a helicopter hovering", "a worn bearing grinding",
    "a washing machine spinning", "a drill boring into concrete", "a chainsaw cutting wood",
    "a clock ticking", "a typewriter clacking", "an old printer printing", "a siren wailing",
    "a ship's horn sounding", "a motorcycle accelerating", "a fan humming", "a telephone ringing",
    "a lawn mower running", "a steam engine puffing", "a fax machine beeping", "an aeroplane taking off",
    "a sewing machine stitching",
)  # fmt: skip
_NATURE: Final = (
    "rain falling on leaves", "thunder rolling", "waves breaking", "wind howling", "a river flowing",
    "a fire crackling", "a waterfall roaring", "snow crunching underfoot", "ice cracking",
    "leaves rustling", "hail hitting a roof", "a volcano rumbling", "water dripping",
    "sand drifting over dunes", "mud bubbling",
)  # fmt: skip
_OBJECTS: Final = (
    "glass breaking", "a door creaking", "footsteps on gravel", "coins falling on a table",
    "a bell ringing", "paper being torn", "a bottle being opened", "keys jingling", "dishes being washed",
    "a book being closed", "fireworks exploding", "a hammer striking an anvil", "a kettle whistling",
    "bubbles rising", "a gong struck once",
)  # fmt: skip
_INSTRUMENTS: Final = (
    "piano", "violin", "cello", "acoustic guitar", "electric guitar", "flute", "trumpet", "saxophone",
    "harp", "organ", "synthesizer", "drum kit", "marimba", "accordion", "banjo", "clarinet", "sitar",
    "string quartet", "brass band", "music box",
)  # fmt: skip
_STYLES: Final = (
    "jazz", "classical", "folk", "ambient", "techno", "blues", "rock", "baroque", "flamenco", "reggae",
    "waltz", "march", "lullaby", "minimalist", "gospel", "tango",
)  # fmt: skip
_MOODS: Final = (
    "calm", "joyful", "melancholic", "tense", "dark", "bright", "dreamy", "solemn", "playful", "aggressive",
    "tender", "mysterious", "triumphant", "lonely", "hypnotic",
)  # fmt: skip
_PLACES: Final = (
    "in a forest", "by the sea", "in a cathedral", "in a busy street", "in a kitchen", "in a factory",
    "on a mountain", "in a desert", "in a cave", "in a concert hall", "at a market", "in a garden",
    "on a farm", "in an empty room", "under water", "on a rooftop", "in a railway station", "in a library",
    "at a harbour", "in a snowy village",
)  # fmt: skip
_TIMES: Final = (
    "at dawn", "at night", "on a summer day", "in winter", "during a storm", "after the rain", "at noon",
    "in the fog", "on an autumn evening", "under a full moon",
)  # fmt: skip
_MANNERS: Final = (
    "loudly",
    "softly",
    "far away",
    "very close",
    "with a long echo",
    "again and again",
    "suddenly",
)

_EVENTS: Final = (*_VOICES, *_ANIMALS, *_MACHINES, *_NATURE, *_OBJECTS)


def draw_captions(*, count: int, seed: int) -> list[str]:
    """Return distinct captions in the order they were drawn; the first ones do not depend on the count.

    Raises:
        ValueError: Fewer than one, or more than the grammar makes with ease.
    """
    if not 1 <= count <= 50_000:
        raise ValueError(f"the grammar makes from 1 to 50000 captions, not {count}")
    generator = random.Random(seed)  # noqa: S311 - nothing secret
    captions: dict[str, None] = {}
    while len(captions) < count:
        captions[_caption(generator)] = None
    return list(captions)


def _caption(generator: random.Random) -> str:
    def pick(words: Sequence[str]) -> str:
        return generator.choice(words)

    event, place, time = pick(_EVENTS), pick(_PLACES), pick(_TIMES)
    mood, instrument, style = pick(_MOODS), pick(_INSTRUMENTS), pick(_STYLES)
    article = "an" if mood[0] in "aeiou" else "a"
    scene = place.split(" ", 1)[1].removeprefix("a ").removeprefix("an ").removeprefix("the ")
    forms = (
        f"{event} {place}",
        f"{event} {place} {time}",
        f"{event} {pick(_MANNERS)} {place}",
        f"the sound of {event} {time}",
        f"{event} and {pick(_EVENTS)} {place}",
        f"{event} while {pick(_NATURE)}",
        f"{article} {mood} {style} piece for {instrument}",
        f"{article} {mood} {instrument} melody {place}",
        f"{mood} {style} music with {instrument} and {pick(_INSTRUMENTS)}",
        f"{article} {mood} {scene} {time}, {event}",
    )
    return pick(forms)
