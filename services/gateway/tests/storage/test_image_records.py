"""Which images make room for others, and the sweep that never ends."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from chladni_gateway.storage.image_records import ImageLimits, KeptImage, periodic_sweep


def one_by_one(kept, max_images):
    """The images that the owner with the most gives, one after the other."""
    kept, removed, owners = list(kept), [], list(dict.fromkeys(image.owner for image in kept))
    while len(kept) > max_images:
        free = {}
        for image in kept:
            if not image.is_pinned:
                free.setdefault(image.owner, image)
        giving = [owner for owner in owners if owner in free]
        if not giving:
            break
        owner = max(giving, key=[image.owner for image in kept].count)
        kept.remove(free[owner])
        removed.append(free[owner])
    return removed


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=14), st.integers(1, 8))
def test_the_owner_with_the_most_gives_its_oldest_again_and_again(facts, max_images):
    kept = [KeptImage(str(index), owner, is_pinned) for index, (owner, is_pinned) in enumerate(facts)]
    assert ImageLimits(max_images, 100).in_excess(kept) == one_by_one(kept, max_images)


def test_a_much_lower_limit_takes_no_time_of_others():
    kept = [KeptImage(str(index), f"owner {index % 500}", is_pinned=False) for index in range(20_000)]
    assert ImageLimits(1000, 100).in_excess(kept) == kept[:19_000]


async def test_a_sweep_that_fails_in_any_way_is_tried_again():
    is_swept = asyncio.Event()

    class Store:
        has_failed = False

        async def sweep(self):
            if self.has_failed:
                is_swept.set()
                return 0
            self.has_failed = True
            raise TypeError("a fault of the code")

    async with periodic_sweep(Store(), interval_seconds=0.001), asyncio.timeout(5):
        await is_swept.wait()
