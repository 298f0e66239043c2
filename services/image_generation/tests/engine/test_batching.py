"""Rows of calls and the work that they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chladni_image_generation.engine.batching import BatchGroup, BatchSizes

NATIVE = (4, 64, 64)
SIDES = st.sampled_from([32, 64, 96, 128])


@given(batch_size=st.integers(1, 64), height=SIDES, width=SIDES)
def test_larger_images_never_need_more_memory_than_native_ones(batch_size, height, width):
    sizes = BatchSizes(batch_size, NATIVE)
    for rows_per_request in (1, 2):
        rows = sizes.rows_per_call(BatchGroup((4, height, width), rows_per_request, reproducible=True))
        assert 1 <= rows <= batch_size * rows_per_request
        assert rows == 1 or rows * height * width <= batch_size * rows_per_request * 64 * 64


def test_the_two_rows_of_a_guided_request_share_a_call():
    sizes = BatchSizes(1, NATIVE)
    assert sizes.rows_per_call(BatchGroup(NATIVE, 1, reproducible=True)) == 1
    guided = BatchGroup(NATIVE, 2, reproducible=True)
    assert sizes.rows_per_call(guided) == 2
    assert sizes.rows_per_call(guided.images) == 1


@given(batch_size=st.integers(1, 64), row_count=st.integers(1, 200))
def test_padding_is_work_too(batch_size, row_count):
    sizes = BatchSizes(batch_size, NATIVE)
    padded = sizes.work_of(BatchGroup(NATIVE, 1, reproducible=True), row_count)
    assert padded % batch_size == 0
    assert row_count <= padded < row_count + batch_size
    assert sizes.work_of(BatchGroup(NATIVE, 1, reproducible=False), row_count) == row_count


def test_halving_ends_at_one_and_concerns_one_group_until_restored():
    sizes = BatchSizes(5, NATIVE)
    group, other = BatchGroup(NATIVE, 1, reproducible=True), BatchGroup(NATIVE, 1, reproducible=False)
    seen = []
    for _ in range(4):
        sizes.halve(group)
        seen.append(sizes.rows_per_call(group))
    assert seen == [2, 1, 1, 1]
    assert sizes.is_halved(group)
    assert (sizes.rows_per_call(other), sizes.is_halved(other)) == (5, False)
    sizes.restore()
    assert (sizes.rows_per_call(group), sizes.is_halved(group)) == (5, False)


@given(batch_size=st.integers(1, 8), row_count=st.integers(1, 40), side=SIDES, reproducible=st.booleans())
def test_no_call_is_larger_than_allowed_and_a_padded_one_not_smaller(
    batch_size, row_count, side, reproducible
):
    sizes = BatchSizes(batch_size, NATIVE)
    group = BatchGroup((4, side, side), 2, reproducible)
    largest = sizes.largest_call(group, row_count)
    assert largest == sizes.rows_per_call(group) if reproducible else largest <= sizes.rows_per_call(group)
    assert reproducible or largest <= row_count
