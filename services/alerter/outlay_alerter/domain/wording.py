"""What a message says, in the order that somebody wants it who was just woken, whatever shows it.

What it is; how much; since when and of what; why; who; what to do; where to look. Channels only dress it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from outlay_alerter.domain.watches import scope_text
from outlay_reports.money import usd
from outlay_schemas.alerts import Alert, Severity, State
from outlay_schemas.dimensions import CELL, UNASSIGNED, name_of

SHOWN = 25
"""Alerts of a group that get a line; the rest is counted."""
_RANK: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}
_STATES: dict[State, str] = {"firing": "Firing", "acknowledged": "In hand", "resolved": "Over"}
_EFFECTS = {
    "volume": ("more events", "fewer events"), "price": ("dearer events", "cheaper events"),
    "mix": ("a dearer mixture", "a cheaper mixture"), "new": ("not used before", "not used before"),
    "gone": ("no longer used", "no longer used"),
}  # fmt: skip
_FIRST = ("user", "team", "use_case", "project", "sku")
_WHO = (*_FIRST, *(name for name in CELL if name not in _FIRST))
"""Whom to ask stands first."""
_PLAIN = ("provider", "activity", "kind")
"""Of these a single value is no news."""
_NAME = 60
"""Characters of a value's name that are shown."""


@dataclass(frozen=True, slots=True)
class Words:
    """One alert in words. Plain text: whoever shows it escapes it."""

    state: str
    title: str
    amounts: str
    """How much: `$42.10, expected $4.48; $37.62 too much so far, $2,257.20 an hour if it goes on`."""
    scope: str
    since: datetime
    summary: str
    compared: str
    why: tuple[tuple[str, str], ...]
    """Effect and amount, the greatest first; those that are nothing are left out."""
    who: tuple[tuple[str, str], ...]
    """Dimension and its greatest values."""
    facts: tuple[tuple[str, str], ...]
    todo: tuple[tuple[str, str], ...]
    """What can be done, and the command for it."""
    link: str
    foot: str


def words_of(alert: Alert) -> Words:
    """Say one alert."""
    return Words(
        _STATES[alert.state], alert.title, _amounts(alert), _scope(alert), alert.window,
        alert.summary, alert.compared, tuple(_why(alert)), tuple(_who(alert)), tuple(_facts(alert)),
        tuple(_todo(alert)), alert.link, f"{alert.tenant} · {alert.rule} · {alert.id}",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """Many alerts as one list."""

    headline: str
    shown: tuple[Alert, ...]
    """The worst first."""
    rest: str
    """What is said of those that are not shown; empty: there are none."""
    worst: Severity
    foot: str


def group_of(alerts: Sequence[Alert]) -> Group:
    """Say many alerts."""
    ordered = sorted(alerts, key=_order)
    left = ordered[SHOWN:]
    spent = sum((Decimal(a.actual) for a in left if a.unit == "USD"), Decimal(0))
    rest = f"and {len(left):,} more, at {usd(spent)} together" if left else ""
    foot = f"{alerts[0].tenant} · all of them: outlay alerts list"
    worst = min((a.severity for a in alerts), key=_RANK.__getitem__)
    return Group(_headline(alerts), tuple(ordered[:SHOWN]), rest, worst, foot)


def said(alert: Alert, value: str) -> str:
    """Write an amount of an alert with its unit."""
    return usd(value) if alert.unit == "USD" else f"{Decimal(value):,f} {alert.unit}"


def _headline(alerts: Sequence[Alert]) -> str:
    firing = sum(alert.state == "firing" for alert in alerts)
    rules = sorted({alert.rule for alert in alerts})
    of = rules[0] if len(rules) == 1 else f"{len(rules)} rules"
    return f"{len(alerts):,} alerts of {of}: {firing:,} firing, {len(alerts) - firing:,} not"


def _order(alert: Alert) -> tuple[bool, int, Decimal, str]:
    return alert.state == "resolved", _RANK[alert.severity], -Decimal(alert.actual), alert.id


def _amounts(alert: Alert) -> str:
    text = said(alert, alert.actual)
    if alert.expected is not None:
        text += f", expected {said(alert, alert.expected)}"
    if alert.impact is not None and Decimal(alert.impact) > 0:
        text += f"; {usd(alert.impact)} too much so far"
        if alert.impact_per_hour is not None and alert.state != "resolved":
            text += f", {usd(alert.impact_per_hour)} an hour if it goes on"
    return text


def _why(alert: Alert) -> Iterator[tuple[str, str]]:
    for effect in sorted(alert.effects, key=lambda e: -abs(Decimal(e.cost))):
        if Decimal(effect.cost):
            less = effect.cost.startswith("-")
            yield _EFFECTS[effect.kind][less], ("" if less else "+") + usd(effect.cost)


def _who(alert: Alert) -> Iterator[tuple[str, str]]:
    by_dimension: dict[str, list[str]] = {}
    for c in alert.contributors:
        name = c.value if len(c.value) <= _NAME else c.value[: _NAME - 1] + "…"
        known = by_dimension.setdefault(c.dimension, [])
        known.append(f"{name_of(name)} {usd(c.cost)}{_part(alert, Decimal(c.cost))}")
    for dimension in sorted(by_dimension, key=lambda n: _WHO.index(n) if n in _WHO else len(_WHO)):
        values = by_dimension[dimension]
        dull = dimension in alert.scope or (dimension in _PLAIN and len(values) == 1)
        if any(not value.startswith(f"{UNASSIGNED} ") for value in values) and not dull:
            yield dimension.replace("_", " "), ", ".join(values)


def _part(alert: Alert, cost: Decimal) -> str:
    whole = Decimal(alert.actual)
    return f" ({cost / whole * 100:.0f} %)" if alert.unit == "USD" and 0 < cost <= whole else ""


def _facts(alert: Alert) -> Iterator[tuple[str, str]]:
    for name, value in list(alert.facts.items())[:6]:
        yield name.replace("_", " ").capitalize(), value


def _todo(alert: Alert) -> Iterator[tuple[str, str]]:
    if alert.state == "resolved":
        return
    if alert.state == "firing":
        yield "I have it in hand", f"outlay alerts ack {alert.id[:12]}"
    yield "It is as it should be", f"outlay alerts expected {alert.id[:12]}"
    yield "Leave it alone for a day", f"outlay alerts snooze {alert.id[:12]} --hours 24"


def _scope(alert: Alert) -> str:
    return scope_text({n: (v,) if isinstance(v, str) else tuple(v) for n, v in alert.scope.items()})
