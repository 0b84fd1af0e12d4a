"""What is decided but not told to people: one cause is one message."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation

from outlay_alerter.domain.states import Transition


def quiet(changes: Iterable[Transition], snoozes: Mapping[str, datetime], now: datetime) -> set[str]:
    """Return the ids of changes that only machines are told of.

    Those that were snoozed, and the lower thresholds of a budget that crosses several at once.
    """
    changes = list(changes)
    asleep = {
        c.id for c in changes if any(snoozes.get(target, now) > now for target in (c.id, c.finding.key.rule))
    }
    highest: dict[tuple[object, ...], Decimal] = {}
    for change in changes:
        if (level := _level(change)) is not None:
            group = _group(change)
            highest[group] = max(level, highest.get(group, level))
    lower = {c.id for c in changes if (level := _level(c)) is not None and level < highest[_group(c)]}
    return asleep | lower


def _level(change: Transition) -> Decimal | None:
    """Return the threshold of a budget, if it was just crossed."""
    if change.finding.rule_type not in ("budget", "budget_forecast") or change.state != "firing":
        return None
    try:
        return Decimal(change.finding.key.level.removeprefix("forecast-"))
    except InvalidOperation:
        return None


def _group(change: Transition) -> tuple[object, ...]:
    key = change.finding.key
    return key.rule, key.window, change.finding.rule_type, tuple(sorted(key.scope.items()))
