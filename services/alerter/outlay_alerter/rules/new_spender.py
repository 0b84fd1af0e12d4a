"""New spenders: a value of a dimension that spends for the first time."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Finding, Key
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Kind, Needs, Total, View, back
from outlay_alerter.rules.watch import Rule, Scope
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import dollars
from outlay_schemas.catalog import watch as schema
from outlay_schemas.dimensions import scope_text
from outlay_schemas.money import to_pico

FRESH = timedelta(days=2)
"""How long a spender is new."""
_DAY = timedelta(days=1)
NewSpender = Rule[schema.NewSpender]


class _Evaluator(base.Evaluator[NewSpender]):
    def needs(self, start: datetime) -> Needs:
        return Needs("day", back(start, "day", self._rule.spec.days + 1))

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        rule = self._rule
        since = view.window(view.now, "day").start - rule.spec.days * _DAY
        firsts = view.firsts(rule, since)
        oldest = min((first for first, _ in firsts.values()), default=since)
        found = (
            judge(rule, rule.scope_of(values), first=first, spent=spent, now=view.now)
            for values, (first, spent) in firsts.items()
            if first - oldest >= _DAY  # every scope is new where nothing was spent before
        )
        return Evaluation([finding for finding in found if finding])


KIND = Kind(
    schema.NewSpender, _Evaluator,
    no_series="it compares one scope with all others, and a series has only one",
)  # fmt: skip


def judge(rule: NewSpender, scope: Scope, *, first: datetime, spent: Total, now: datetime) -> Finding | None:
    """Return what holds of a scope whose first day of spending in the look-back is `first`."""
    if now - first >= FRESH or spent.cost < to_pico(rule.spec.min_usd):
        return None
    where, days = scope_text(scope), rule.spec.days
    cost = dollars(spent.cost, lower_bound=bool(spent.unpriced))
    return Finding(
        rule, Key(rule.tenant, rule.id, scope, first, "new"), breached=True, severity=rule.spec.severity,
        title=f"{rule.name}: {where} spends for the first time, {cost} so far",
        summary=f"{where} spent nothing in the {days} days before {first:%Y-%m-%d}, and {cost} since.",
        actual=spent.cost, expected=0, unpriced=spent.unpriced, facts={"until": (first + FRESH).strftime(UNTIL)},
        about=TimeRange(first, first + FRESH), once=True,
    )  # fmt: skip
