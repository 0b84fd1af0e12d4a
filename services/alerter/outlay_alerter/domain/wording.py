"""What a message says, in the order that somebody wants it who was just woken, whatever shows it.

What it is; how much; since when and of what; why; who; what to do; where to look. Channels only dress it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from outlay_alerter.domain.contributors import says_something
from outlay_alerter.domain.watches import scope_text
from outlay_reports.money import percent, share, usd
from outlay_schemas.alerts import Alert, Contributor, Severity, State
from outlay_schemas.dimensions import name_of

SHOWN = 25
"""Alerts of a group that get a line; the rest is counted."""
_RANK: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}
_STATES: dict[State, str] = {"firing": "Firing", "acknowledged": "In hand", "resolved": "Over"}
_EFFECTS = {
    "volume": ("more usage", "less usage"), "price": ("higher unit cost", "lower unit cost"),
    "mix": ("more expensive mix", "cheaper mix"), "new": ("new usage", "new usage"),
    "gone": ("usage that ended", "usage that ended"),
}  # fmt: skip
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
    if alert.rate_per_hour is not None and alert.state != "resolved":
        text += f"; spending {usd(alert.rate_per_hour)} an hour right now"
    return text


def _why(alert: Alert) -> Iterator[tuple[str, str]]:
    for effect in sorted(alert.effects, key=lambda e: -abs(Decimal(e.cost))):
        if Decimal(effect.cost):
            less = effect.cost.startswith("-")
            yield _EFFECTS[effect.kind][less], ("" if less else "+") + usd(effect.cost)


def _who(alert: Alert) -> Iterator[tuple[str, str]]:
    groups: dict[str, list[Contributor]] = {}
    for c in alert.contributors:
        groups.setdefault(c.dimension, []).append(c)
    scope = {name: (v,) if isinstance(v, str) else tuple(v) for name, v in alert.scope.items()}
    for dimension, group in groups.items():
        if says_something(dimension, group, scope):
            values = (f"{_short(c.value)} {usd(c.cost)}{_part(alert, Decimal(c.cost))}" for c in group)
            yield dimension.replace("_", " "), ", ".join(values)


def _short(value: str) -> str:
    return name_of(value if len(value) <= _NAME else value[: _NAME - 1] + "…")


def _part(alert: Alert, cost: Decimal) -> str:
    whole = Decimal(alert.actual)
    return f" ({percent(share(cost, whole))})" if alert.unit == "USD" and 0 < cost <= whole else ""


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
