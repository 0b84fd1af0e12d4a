"""Why it costs more adds up to the last digit; one cause is one message; what fires on is told again."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.alerter.test_budget_terms import budget

from outlay_alerter.domain import budgets
from outlay_alerter.domain.budgets import Spent
from outlay_alerter.domain.effects import Part, split
from outlay_alerter.domain.states import Again, Known, transitions

DOLLAR = 10**12
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
A, B = ("openai", "gpt-5"), ("anthropic", "claude")

groups = st.tuples(st.sampled_from("xy"), st.sampled_from("abcd"))
uses = st.dictionaries(groups, st.tuples(st.integers(0, 10**18), st.integers(0, 10**6)), max_size=6)


@given(uses, uses)
def test_the_parts_add_up_to_the_change_exactly(
    before: dict[tuple[str, str], tuple[int, int]], after: dict[tuple[str, str], tuple[int, int]]
) -> None:
    change = sum(cost for cost, _ in after.values()) - sum(cost for cost, _ in before.values())
    parts = split(before, after)
    assert sum(part.cost for part in parts) == change
    assert len({part.kind for part in parts}) == len(parts)


def test_twice_as_much_of_the_same_is_volume() -> None:
    assert split({A: (10, 5), B: (20, 2)}, {A: (20, 10), B: (40, 4)}) == [Part("volume", 30)]


def test_the_same_at_twice_the_price_is_price() -> None:
    assert split({A: (10, 5)}, {A: (20, 5)}) == [Part("price", 10)]


def test_more_of_the_dear_one_is_mix() -> None:
    assert split({A: (10, 10), B: (100, 10)}, {A: (5, 5), B: (150, 15)}) == [Part("mix", 45)]


def test_what_was_not_there_is_new_and_what_is_no_more_is_gone() -> None:
    assert split({A: (7, 1)}, {B: (9, 1)}) == [Part("new", 9), Part("gone", -7)]
    assert split({}, {A: (9, 1)}) == [Part("new", 9)]
    assert split({}, {}) == []


def test_what_fires_on_is_told_again_but_not_what_somebody_has_in_hand() -> None:
    plan = budget()
    found = budgets.findings(plan, budgets.span_of(plan, NOW), Spent(100 * DOLLAR))
    key = found[0].key
    day, told = timedelta(hours=24), NOW - timedelta(hours=25)

    def again(state: str, rule: Again, told_at: datetime = told) -> list[int]:
        known = {key.id(): Known(key.id(), "b", state, 3, key.window, told_at)}  # type: ignore[arg-type]
        return [change.seq for change in transitions(found, known, rule)]

    assert again("firing", Again(NOW, day)) == [4]
    assert again("firing", Again(NOW, day), NOW - timedelta(hours=23)) == []
    assert again("firing", Again(NOW)) == []
    assert again("acknowledged", Again(NOW, day)) == []
    assert again("firing", Again(NOW, day, {"b": NOW + day})) == []
    assert again("firing", Again(NOW, None, {"b": NOW - timedelta(hours=1)})) == [4]
    assert again("firing", Again(NOW, None, {"b": told - day})) == []


def test_what_somebody_has_in_hand_resolves_and_fires_anew() -> None:
    plan = budget()
    span = budgets.span_of(plan, NOW)
    low = budgets.findings(plan, span, Spent(1))
    known = Known(low[0].key.id(), "b", "acknowledged", 2, span.start)
    (over,) = transitions(low, {known.id: known})
    assert (over.state, over.seq) == ("resolved", 3)
    assert ZoneInfo("UTC") == plan.zone
