"""P18: the order of acceptance is stamped once, and only grows."""

from hypothesis import given
from hypothesis import strategies as st

from outlay_schemas.acceptance import Stamp, Stamper, stamp_of


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4))))
def test_stamps_only_grow_whatever_the_clock_does(takes: list[tuple[int, int]]) -> None:
    stamper = Stamper()
    given_out = [stamper.take(now, lines).after(n) for now, lines in takes for n in range(lines)]
    assert given_out == sorted(set(given_out))


def test_a_stamp_travels_in_a_header() -> None:
    assert stamp_of([("traceparent", b"x"), Stamp(1_795_000_000_123, 41).header()], 5, 6) == (
        1_795_000_000_123,
        41,
    )
    assert stamp_of({"outlay-accepted": b"7.8"}, 5, 6) == (7, 8)


def test_a_record_that_ingest_did_not_write_has_its_own_time_and_place() -> None:
    assert stamp_of(None, 1000, 3) < stamp_of((), 1000, 4) < stamp_of((), 1001, 0)
    for bad in (b"", b"7", b"7.", b".8", b"x.8", b"-7.8", b"9" * 16 + b".0", b"7." + b"9" * 20):
        assert stamp_of([("outlay-accepted", bad)], 1000, 3) == (1000, 3 << 20)
    assert stamp_of(None, -1, 0) == (0, 0)
