"""New spenders: a value of a dimension that spends for the first time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Finding, Key
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Kind, Needs, View, back, common
from outlay_alerter.rules.watch import Scope, Watch
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import dollars
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog import watch as schema
from outlay_schemas.dimensions import scope_text
from outlay_schemas.money import to_pico

FRESH = timedelta(days=2)
"""How long a spender is new."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSpender(Watch):
    """Values of dimensions that spend for the first time in `days`. `min_cost` is pico-USD."""

    type: ClassVar = "new_spender"
    days: int
    min_cost: int
    severity: Severity


def compile_rule(rule: schema.NewSpender, tenant: str) -> NewSpender:
    """Return a rule of new spenders of the catalog as the evaluator needs it."""
    return NewSpender(
        **common(rule, tenant), by=tuple(rule.group_by), days=rule.days, min_cost=to_pico(Decimal(rule.min_usd)),
        severity=rule.severity,
    )  # fmt: skip


class Evaluator(base.Evaluator[NewSpender]):
    """Looks for the first day with cost of each scope. Keeps no state."""

    def needs(self, start: datetime) -> Needs:
        """Return what it reads."""
        return Needs("day", back(start, "day", self._rule.days + 1))

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        """Return the scopes that are new. Raises Retryable."""
        rule, result = self._rule, Evaluation()
        since = view.window(view.now, "day").start - timedelta(days=rule.days)
        found = view.firsts(rule, since)
        oldest = min((first for first, _ in found.values()), default=since)
        for values, (first, cost) in found.items():
            if first - oldest < _DAY:
                continue  # every scope is new where nothing was spent before
            finding = judge(rule, rule.scope_of(values), first=first, cost=cost, now=view.now)
            if finding:
                result.findings.append((finding, TimeRange(first, first + FRESH)))
        return result


KIND = Kind(
    NewSpender, schema.NewSpender, compile_rule, Evaluator,
    no_series="it compares one scope with all others, and a series has only one",
)  # fmt: skip


def judge(rule: NewSpender, scope: Scope, *, first: datetime, cost: int, now: datetime) -> Finding | None:
    """Return what holds of a scope whose first day of spending in the look-back is `first`."""
    if now - first >= FRESH or cost < rule.min_cost:
        return None
    where = scope_text(scope)
    return Finding(
        key=Key(rule.tenant, rule.id, scope, first, "new"),
        rule_type="new_spender",
        breached=True,
        severity=rule.severity,
        title=f"{rule.name}: {where} spends for the first time, {dollars(cost)} so far",
        summary=f"{where} spent nothing in the {rule.days} days before {first:%Y-%m-%d}, and {dollars(cost)} since.",
        actual=cost,
        expected=0,
        hold=rule.hold,
        facts={"until": (first + FRESH).strftime(UNTIL)},
        once=True,
    )
