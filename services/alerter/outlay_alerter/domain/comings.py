"""Who spends for the first time, who sends nothing any more, and which prices change soon."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from outlay_alerter.domain.states import UNTIL, Finding, Key, Scope
from outlay_alerter.domain.watches import NewSpender, PriceChange, Silence, matches, scope_text
from outlay_reports.money import dollars

FRESH = timedelta(days=2)
"""For so long a spender is new."""


def newcomer(rule: NewSpender, scope: Scope, *, first: datetime, cost: int, now: datetime) -> Finding | None:
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


def silence(
    rule: Silence, scope: Scope, *, last: datetime, now: datetime, open_since: Mapping[str, datetime]
) -> Finding | None:
    """Return what holds of a scope whose last minute with events is `last`.

    `open_since`: level to the window of an alert that fires already.
    """
    silent = now - last >= rule.length
    begun = open_since.get("silent")
    if not silent and begun is None:
        return None
    where, minutes = scope_text(scope), int((now - last) / timedelta(minutes=1))
    title = (
        f"{rule.name}: {where} is silent for {minutes} minutes" if silent else f"{rule.name}: {where} is back"
    )
    return Finding(
        key=Key(rule.tenant, rule.id, scope, last if silent and begun is None else begun or last, "silent"),
        rule_type="silence",
        breached=silent,
        severity=rule.severity,
        title=title,
        summary=f"The last event of {where} is of {last:%Y-%m-%d %H:%M} UTC: a producer stopped, or a pipe is broken.",
        actual=minutes * 10**12,
        expected=int(rule.length / timedelta(minutes=1)) * 10**12,
        unit="minutes",
        facts={"until": (last + rule.forget).strftime(UNTIL)},
        hold=rule.hold,
        calm=rule.calm,
    )


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


def ahead(rule: PriceChange, announced: Announced, now: datetime) -> Finding | None:
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
