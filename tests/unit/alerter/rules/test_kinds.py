"""Every kind of rule that the catalog accepts is evaluated, has an answer to a backtest, and is documented."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from pydantic import ValidationError
from tests.support.pages import pages

from outlay_alerter.backtest.runner import Fired, NotPossibleError, moments, on_past, on_series
from outlay_alerter.backtest.view import Loaded, Spending, dense
from outlay_alerter.rules.base import Measure, Total, Values
from outlay_alerter.rules.registry import KINDS
from outlay_kit.time_ranges import TimeRange, grain_length
from outlay_schemas.catalog import watch as schema

DOCS = pages("alerts", "rules")
START = datetime(2026, 11, 2, tzinfo=UTC)
DOLLAR = 10**12
EXAMPLES: dict[str, dict[str, object]] = {
    "budget": {"amount": 100, "period": "day"},
    "spend_spike": {},
    "anomaly": {},
    "threshold": {"metric": "cost", "above": 100},
    "new_spender": {"group_by": ["sku"]},
    "silence": {"minutes": 120},
    "price_change": {},
}
SCHEMAS = [schema.Budget, *get_args(get_args(schema.AlertRule)[0])]


def test_every_kind_of_the_catalog_is_registered_under_its_type() -> None:
    assert {kind.schema for kind in KINDS.values()} == set(SCHEMAS)
    for name, kind in KINDS.items():
        if kind.schema is not schema.Budget:
            assert get_args(kind.schema.model_fields["type"].annotation) == (name,)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_documented(name: str) -> None:
    assert f"| `{name}` |" in DOCS.partition("## Backtest")[2].partition("\n## ")[0]
    assert name == "budget" or f"- type: {name}\n" in DOCS


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_an_answer_to_a_backtest(name: str) -> None:
    kind = KINDS[name]
    rule = kind.compile(kind.schema.model_validate({"id": "r", "name": "R", **EXAMPLES[name]}), "acme")
    if kind.no_series:
        with pytest.raises(NotPossibleError, match=kind.no_series):
            list(on_series(rule, [(START, 1.0)]))
    else:
        rows = [(START + timedelta(hours=n), 400.0 if n == 400 else 1.0 + n % 3 / 9) for n in range(420)]
        fired = [n for n, point in enumerate(on_series(rule, rows)) if point.fired]
        assert fired == [400]
    if not kind.no_backtest:
        assert _on_past(name)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if not kind.no_backtest])
def test_every_kind_marks_a_total_that_lacks_unpriced_events(name: str) -> None:
    for unpriced in (0, 2):
        money = [one for one in _on_past(name, unpriced) if "$" in one.title]
        assert money or name == "silence"
        for one in money:
            assert ("≥ $" in one.title) == (one.unpriced > 0) == (unpriced > 0), one.title


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_says_who_takes_care_of_its_alerts_and_how(name: str) -> None:
    kind = KINDS[name]
    terms = {"id": "r", "name": "R", **EXAMPLES[name], "runbook": "https://wiki.example/r", "owner": "Kim"}
    rule = kind.compile(kind.schema.model_validate({**terms, "mention": ["U012345", "here"]}), "acme")
    assert (rule.runbook, rule.owner, rule.mention) == ("https://wiki.example/r", "Kim", ("U012345", "here"))
    for wrong in (
        {"mention": ["<!channel>"]},
        {"runbook": "javascript:alert(1)"},
        {"runbook": "https://a|b"},
    ):
        with pytest.raises(ValidationError):
            kind.schema.model_validate({**terms, **wrong})


def _on_past(name: str, unpriced: int = 0) -> list[Fired]:
    """Run a rule on three weeks in which one hour cost 400 times as much, and nothing came for half a day after it.

    `unpriced`: events without a price in each hour.
    """
    kind = KINDS[name]
    rule = kind.compile(kind.schema.model_validate({"id": "r", "name": "R", **EXAMPLES[name]}), "acme")
    span = TimeRange(START + timedelta(days=14), START + timedelta(days=21))
    needs = kind.evaluator(rule, 100).needs(span.start)
    length = grain_length(needs.grain)
    costs = {
        START + timedelta(hours=n): (400 if n == 400 else 1) * DOLLAR for n in range(504) if not 400 < n < 412
    }
    if needs.reads == "spending":
        loaded = Loaded(
            [], length, {}, spending=Spending.of({at: Total(cost, unpriced) for at, cost in costs.items()})
        )
    elif needs.reads == "minutes":
        loaded = Loaded([], length, {}, minutes={(): sorted(costs)})
    else:
        starts = [START + length * n for n in range((span.end - START) // length)]
        usual = {at: Measure(costs.get(at, 0), 1, unpriced) for at in starts}
        lines: dict[Values, dict[datetime, Measure]] = {("m",) if rule.by else (): usual}
        if rule.by:
            lines[("new",)] = {at: Measure(9 * DOLLAR, 1, unpriced) for at in starts if at > span.start}
        loaded = Loaded(starts, length, dense(lines, starts), starts)
    return on_past(rule, loaded, moments(needs, span))
