"""Price changes ahead: a price that the catalog says will change, and what that comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Finding, Key
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Kind, Needs, View, common
from outlay_alerter.rules.watch import Watch, matches
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import dollars
from outlay_schemas.alerts import Severity
from outlay_schemas.catalog import watch as schema
from outlay_schemas.money import to_pico

_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange(Watch):
    """Prices that change within `ahead`. `min_cost` is pico-USD of 30 days."""

    type: ClassVar = "price_change"
    ahead: timedelta
    min_cost: int
    severity: Severity


def compile_rule(rule: schema.PriceChange, tenant: str) -> PriceChange:
    """Return a rule of price changes of the catalog as the evaluator needs it."""
    return PriceChange(
        **common(rule, tenant), ahead=timedelta(days=rule.days), min_cost=to_pico(Decimal(rule.min_usd)),
        severity=rule.severity,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Announced:
    """A price that changes at `at`: what the use of the last 30 days costs before and after it, in pico-USD."""

    provider: str
    sku: str
    at: datetime
    before: int
    after: int
    whole: bool
    """Whether all of that use was priced both ways; else the sums are scaled from a part of it."""


class Evaluator(base.Evaluator[PriceChange]):
    """Compares announced prices with those of today. Keeps no state."""

    def needs(self, start: datetime) -> Needs:
        """Return what it reads."""
        return Needs("day", start)

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        """Return the changes that come soon. Raises Retryable."""
        found = (judge(self._rule, one, view.now) for one in view.announced())
        return Evaluation([(finding, TimeRange(view.now - _MONTH, view.now)) for finding in found if finding])


KIND = Kind(
    PriceChange, schema.PriceChange, compile_rule, Evaluator,
    no_backtest="the past does not say which price changes were known when: it looks ahead only",
    no_series="it looks at announced prices, and a series has none",
)  # fmt: skip


def judge(rule: PriceChange, announced: Announced, now: datetime) -> Finding | None:
    """Return what holds of a change that is to come; None: it is too far, too small, or not in scope."""
    extra = announced.after - announced.before
    cell = {"provider": announced.provider, "sku": announced.sku}
    near = now < announced.at <= now + rule.ahead
    if not near or abs(extra) < rule.min_cost or not matches(rule.scope, cell):
        return None
    on, about = f"{announced.at:%Y-%m-%d}", "" if announced.whole else "about "
    signed = f"{'+' if extra > 0 else ''}{dollars(extra)}"
    return Finding(
        key=Key(
            rule.tenant, rule.id, {name: (value,) for name, value in cell.items()}, announced.at, "price"
        ),
        rule_type="price_change",
        breached=True,
        severity=rule.severity,
        title=f"{rule.name}: {announced.sku} changes on {on}: {about}{signed} at your last 30 days",
        summary=(
            f"The price of {announced.sku} of {announced.provider} changes on {on}. What was used in the last 30 days"
            f" costs {about}{dollars(announced.before)} before and {dollars(announced.after)} after that."
        ),
        actual=announced.after,
        expected=announced.before,
        facts={"until": announced.at.strftime(UNTIL), "changes_on": on, "change": signed},
        parts=(("price", extra),),
        hold=rule.hold,
        once=True,
    )
