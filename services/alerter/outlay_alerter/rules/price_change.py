"""Price changes ahead: a price that the catalog says will change, and what that comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Finding, Key
from outlay_alerter.rules import base
from outlay_alerter.rules.base import Evaluation, Kind, Needs, View
from outlay_alerter.rules.watch import Rule, matches
from outlay_kit.time_ranges import TimeRange
from outlay_reports.money import dollars
from outlay_schemas.catalog import watch as schema
from outlay_schemas.money import to_pico

_MONTH = timedelta(days=30)
PriceChange = Rule[schema.PriceChange]


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


class _Evaluator(base.Evaluator[PriceChange]):
    def needs(self, start: datetime) -> Needs:
        return Needs("day", start)

    def evaluate(self, view: View, known: Mapping[str, AlertRecord]) -> Evaluation:
        found = (judge(self._rule, one, view.now) for one in view.announced())
        return Evaluation([finding for finding in found if finding])


KIND = Kind(
    schema.PriceChange, _Evaluator,
    no_backtest="the past does not say which price changes were known when: it looks ahead only",
    no_series="it looks at announced prices, and a series has none",
)  # fmt: skip


def judge(rule: PriceChange, announced: Announced, now: datetime) -> Finding | None:
    """Return what holds of a change that is to come; None: it is too far, too small, or not in scope."""
    extra = announced.after - announced.before
    cell = {"provider": announced.provider, "sku": announced.sku}
    near = now < announced.at <= now + timedelta(days=rule.spec.days)
    if not near or abs(extra) < to_pico(rule.spec.min_usd) or not matches(rule.scope, cell):
        return None
    on, about = f"{announced.at:%Y-%m-%d}", "" if announced.whole else "about "
    signed = f"{'+' if extra > 0 else ''}{dollars(extra)}"
    scope = {name: (value,) for name, value in cell.items()}
    return Finding(
        rule, Key(rule.tenant, rule.id, scope, announced.at, "price"), breached=True, severity=rule.spec.severity,
        title=f"{rule.name}: {announced.sku} changes on {on}: {about}{signed} at your last 30 days",
        summary=(
            f"The price of {announced.sku} of {announced.provider} changes on {on}. What was used in the last 30 days"
            f" costs {about}{dollars(announced.before)} before and {dollars(announced.after)} after that."
        ),
        actual=announced.after, expected=announced.before, parts=(("price", extra),),
        facts={"until": announced.at.strftime(UNTIL), "changes_on": on, "change": signed},
        about=TimeRange(now - _MONTH, now), once=True,
    )  # fmt: skip
