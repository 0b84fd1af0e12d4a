"""Who spends for the first time, and who sends nothing any more."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from outlay_alerter.domain.money import dollars, words_of
from outlay_alerter.domain.states import UNTIL, Finding, Key, Scope
from outlay_alerter.domain.watches import NewSpender, Silence

FRESH = timedelta(days=2)
"""For so long a spender is new."""


def newcomer(rule: NewSpender, scope: Scope, *, first: datetime, cost: int, now: datetime) -> Finding | None:
    """Return what holds of a scope whose first day of spending in the look-back is `first`."""
    if now - first >= FRESH or cost < rule.min_cost:
        return None
    where = words_of(scope)
    return Finding(
        key=Key(rule.tenant, rule.id, scope, first, "new"),
        rule_type="new_spender",
        breached=True,
        severity=rule.severity,
        title=f"{rule.name}: {where} spends for the first time, {dollars(cost)} so far",
        summary=f"{where} spent nothing in the {rule.days} days before {first:%Y-%m-%d}, and {dollars(cost)} since.",
        actual=cost,
        hold=rule.hold,
        facts={"until": (first + FRESH).strftime(UNTIL)},
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
    where, minutes = words_of(scope), int((now - last) / timedelta(minutes=1))
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
        hold=rule.hold,
        calm=rule.calm,
    )
