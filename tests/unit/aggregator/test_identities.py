"""What is retracted, as a pure function of what the ledger holds; and the filter that says what may be known."""

from tests.support.aggregator_rig import line

from outlay_aggregator.domain.identities import Place, Seen, contested
from outlay_aggregator.domain.record_parser import read
from outlay_schemas.identity import identity


def place(second: int, live: int, top: int = 0, name: str = "x") -> Place:
    return Place("t", "s", name, second, max(live, top), live)


def test_all_but_the_place_of_the_greatest_version_are_retracted_with_it() -> None:
    first, second, third = place(60, 5), place(120, 9), place(180, 7)
    shared, losers, beyond = contested([first, second, third], 0)
    assert shared == [first, second, third]
    assert losers == [(first, 9), (third, 9)]
    assert beyond == 0


def test_what_is_retracted_already_is_only_computed_again() -> None:
    gone, merged, winner = place(60, 5, 9), place(120, 0, 9), place(180, 9)
    assert contested([gone, merged, winner], 0) == ([gone, merged, winner], [], 0)


def test_a_later_body_brings_a_retracted_place_back() -> None:
    back, left = place(60, 11, 9), place(120, 9)
    assert contested([back, left], 0)[1] == [(left, 11)]


def test_bodies_of_one_version_in_two_places_count_once() -> None:
    early, late = place(60, 5), place(120, 5)
    assert contested([late, early], 0)[1] == [(early, 6)]


def test_identities_with_one_place_are_left_alone() -> None:
    assert contested([place(60, 5), place(120, 9, name="y")], 0) == ([], [], 0)


def test_what_is_too_old_to_be_changed_is_counted() -> None:
    assert contested([place(60, 5), place(120, 9)], 100) == ([place(120, 9)], [], 1)


def test_the_filter_knows_what_it_saw_and_little_else() -> None:
    seen = Seen(20)
    record = b"\n".join(line(str(n)) for n in range(100))
    assert not read(record, seen=seen).suspects
    again = read(record + b"\n{", seen=seen).suspects
    assert {suspect.id for suspect in again} == {str(n) for n in range(100)}
    assert {suspect.identity for suspect in again} == {identity("acme", "test", str(n)) for n in range(100)}
