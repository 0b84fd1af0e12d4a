"""What a message about an incident says, the same in every channel and in the console, in the order of a 3 a.m. reader.

What, who and how much; since when; why; who spends; the parts; what to do; where to look. Channels only lay it out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from outlay_alerter.alerts.contributors import says_something
from outlay_alerter.alerts.incidents import RANK, severity_of
from outlay_alerter.notify.incident_updates import newest_incident
from outlay_alerter.rules.watch import scope_text
from outlay_reports.money import about, percent, share, usd
from outlay_schemas.alerts import Alert, Contributor, Part, Severity, State
from outlay_schemas.dimensions import LABELS, name_of

SHOWN = 25
"""Alerts of a list that get a line; the others are counted."""
_PARTS = 10
_FACTS = 6
_NAME = 60
"""Characters of a value's name that are shown."""
_STATUS: dict[State, str] = {"firing": "Firing", "acknowledged": "Acknowledged", "resolved": "Resolved"}
_EFFECTS = {
    "volume": ("more usage", "less usage"), "price": ("higher unit cost", "lower unit cost"),
    "mix": ("more expensive model mix", "cheaper model mix"), "new": ("new usage", "new usage"),
    "gone": ("usage that ended", "usage that ended"),
}  # fmt: skip
_FACT_LABELS = {
    "until": "Period ends", "gone_on": "Runs out", "burn_rate": "Burn rate", "quiet": "Not notified",
    "acknowledged": "Acknowledged", "change": "Change in 30 days", "changes_on": "Changes on",
}  # fmt: skip
_HIDDEN_FACTS = ("direction", "score", "ended", "expected")
"""Facts for machines, or that another line says."""
_UPCOMING = ("price_change",)
"""Rules about what has not happened yet."""


@dataclass(frozen=True, slots=True)
class AlertText:
    """One incident in words. Plain text: whoever shows it escapes it."""

    severity: Severity
    state: State
    status: str
    """Firing, Acknowledged, Resolved, or Upcoming."""
    title: str
    amounts: str
    """How much: `$123.45 spent of $100.00 ($23.45 over). Spending $1,980/hour right now.`"""
    scope: str
    started_at: datetime | None
    """None: it has not happened yet."""
    ended_at: datetime | None
    """None: it is not over."""
    summary: str
    compared: str
    effects: tuple[tuple[str, str], ...]
    """Effect and amount, the greatest first; those that are nothing are left out."""
    contributors: tuple[tuple[str, str], ...]
    """Dimension and its greatest values: models and users first."""
    parts: tuple[str, ...]
    """The alerts of the incident, one a line; empty: it is one alert."""
    facts: tuple[tuple[str, str], ...]
    actions: tuple[tuple[str, str], ...]
    """What can be done, and the command for it."""
    link: str
    footer: str

    @property
    def lasted(self) -> str:
        """How long it lasted: `12 min`."""
        if self.started_at is None or self.ended_at is None:
            return ""
        minutes = max(1, (self.ended_at - self.started_at) // timedelta(minutes=1))
        return (
            f"{minutes} min"
            if minutes < 120
            else f"{minutes // 60} h"
            if minutes < 2880
            else f"{minutes // 1440} d"
        )


@dataclass(frozen=True, slots=True)
class AlertList:
    """Many incidents as one list."""

    headline: str
    shown: tuple[Alert, ...]
    """The worst first."""
    rest: str
    """What is said of those that are not shown; empty: all are."""
    worst: Severity
    footer: str


def text_of(alerts: Sequence[Alert]) -> AlertText | AlertList:
    """Return the text of one incident, given its alerts as they are known now, or of many as one list."""
    if newest_incident(alerts) is None and len(alerts) > 1:
        return _list(alerts)
    alert = main_of(alerts)
    incident, upcoming = newest_incident(alerts), alert.rule_type in _UPCOMING
    status = "Upcoming" if upcoming and alert.state == "firing" else _STATUS[alert.state]
    started = incident.started_at if incident else alert.started_at or alert.window
    return AlertText(
        alert.severity, alert.state, status, title_of(alert), _amounts(alert), scope_of(alert),
        None if upcoming else min(started, alert.at), alert.at if alert.state == "resolved" else None,
        _summary(alert), alert.compared, tuple(_effects(alert)), tuple(_contributors(alert)),
        tuple(_parts(incident.parts if incident else (), alerts)), tuple(_facts(alert)),
        tuple(_actions(alert)), alert.link, f"{alert.tenant} · {alert.rule} · {incident_id(alert)}",
    )  # fmt: skip


def when(text: AlertText, clock: Callable[[datetime], str]) -> str:
    """Return since when it fires, or from when until when it did; `clock` writes an instant."""
    if text.started_at is None:
        return text.status
    if text.ended_at is not None:
        return f"{text.status} {clock(text.ended_at)} after {text.lasted}, began {clock(text.started_at)}"
    return f"{text.status} since {clock(text.started_at)}"


def main_of(alerts: Sequence[Alert]) -> Alert:
    """Return the alert that stands for an incident, with the incident's state and severity: the worst of it."""
    main = max(alerts, key=lambda a: (a.state == "firing", RANK[a.severity], bool(a.contributors), _money(a)))
    incident = newest_incident(alerts)
    if incident is None:
        return main
    return msgspec.structs.replace(main, severity=incident.severity, state=incident.state)


def title_of(alert: Alert) -> str:
    """Return the title with the state, where it is not firing."""
    return alert.title if alert.state == "firing" else f"{_STATUS[alert.state]}: {alert.title}"


def incident_id(alert: Alert) -> str:
    """Return the id of the incident of an alert."""
    return alert.incident.id if alert.incident else alert.id


def amount_text(alert: Alert, value: str) -> str:
    """Write an amount of an alert with its unit; one thing of a unit in plural is singular."""
    if alert.unit == "USD":
        return usd(value)
    number = Decimal(value)
    unit = alert.unit.removesuffix("s") if number == 1 else alert.unit
    return f"{number:,f}{'' if unit.startswith('%') else ' '}{unit}"


def _list(alerts: Sequence[Alert]) -> AlertList:
    order = sorted(alerts, key=lambda a: (a.state == "resolved", -RANK[severity_of(a)], -_money(a), a.id))
    left = order[SHOWN:]
    spent = sum((Decimal(a.actual) for a in left if a.unit == "USD"), Decimal(0))
    rest = f"and {len(left):,} more, {usd(spent)} in total" if left else ""
    worst = max((severity_of(a) for a in alerts), key=RANK.__getitem__)
    firing, rules = sum(a.state == "firing" for a in alerts), sorted({a.rule for a in alerts})
    names = rules[0] if len(rules) == 1 else f"{len(rules)} rules"
    kind = "alerts about past periods" if all(a.backfill for a in alerts) else "alerts"
    headline = f"{len(alerts):,} {kind} of {names}: {firing:,} firing, {len(alerts) - firing:,} not"
    return AlertList(
        headline, tuple(order[:SHOWN]), rest, worst, f"{alerts[0].tenant} · all: outlay alerts list"
    )


def _money(alert: Alert) -> Decimal:
    return Decimal(alert.actual) if alert.unit == "USD" else Decimal(0)


def _amounts(alert: Alert) -> str:
    actual = amount_text(alert, alert.actual)
    if alert.rule_type in _UPCOMING:
        return f"{amount_text(alert, alert.expected or '0')} now, {actual} after the change, in 30 days"
    if alert.expected is None or alert.rule_type == "new_spender":
        text = actual
    elif alert.rule_type == "budget":
        text = f"{actual} spent of {amount_text(alert, alert.expected)}{_over(alert)}"
    elif alert.rule_type == "budget_forecast":
        text = f"{about(Decimal(alert.actual))} forecast, limit {amount_text(alert, alert.expected)}"
    elif alert.rule_type in ("spend_spike", "anomaly", "budget_burn"):
        text = f"{actual}, expected {amount_text(alert, alert.expected)}{_over(alert)}"
    else:
        text = f"{actual} (limit: {amount_text(alert, alert.expected).removesuffix(f' {alert.unit}')})"
    if alert.rate_per_hour is not None and Decimal(alert.rate_per_hour) and alert.state != "resolved":
        text += f". Spending {about(Decimal(alert.rate_per_hour))}/hour right now"
    return text


def _over(alert: Alert) -> str:
    over = Decimal(alert.impact or 0)
    return f" ({usd(over)} over)" if over > 0 else ""


def _summary(alert: Alert) -> str:
    if alert.state == "resolved":
        for fact, text in (("ended", "{} No action needed."), ("expected", "Marked as expected: {}")):
            if reason := alert.facts.get(fact):
                return text.format(f"{reason[:1].upper()}{reason[1:]}.")
    return alert.summary


def _effects(alert: Alert) -> Iterator[tuple[str, str]]:
    for effect in sorted(alert.effects, key=lambda e: -abs(Decimal(e.cost))):
        if Decimal(effect.cost):
            yield _EFFECTS[effect.kind][effect.cost.startswith("-")], usd(effect.cost, sign=True)


def _contributors(alert: Alert) -> Iterator[tuple[str, str]]:
    groups: dict[str, list[Contributor]] = {}
    for c in alert.contributors:
        groups.setdefault(c.dimension, []).append(c)
    scope = {name: (v,) if isinstance(v, str) else tuple(v) for name, v in alert.scope.items()}
    for dimension, group in groups.items():
        if says_something(dimension, group, scope):
            values = (f"{_short(c.value)} {usd(c.cost)}{_share(alert, Decimal(c.cost))}" for c in group)
            yield LABELS.get(dimension, dimension), ", ".join(values)


def _short(value: str) -> str:
    return name_of(value if len(value) <= _NAME else value[: _NAME - 1] + "…")


def _share(alert: Alert, cost: Decimal) -> str:
    whole = Decimal(alert.actual)
    return f" ({percent(share(cost, whole))})" if alert.unit == "USD" and 0 < cost <= whole else ""


def _parts(parts: Sequence[Part], alerts: Sequence[Alert]) -> Iterator[str]:
    if len(parts) < 2:
        return
    known = {alert.id: alert.title for alert in alerts}
    for part in parts[:_PARTS]:
        state = "" if part.state == "firing" else f" ({part.state})"
        yield f"{part.severity}: {known.get(part.id, part.title)}{state}"
    if len(parts) > _PARTS:
        yield f"and {len(parts) - _PARTS} more"


def _facts(alert: Alert) -> Iterator[tuple[str, str]]:
    for name, value in [f for f in alert.facts.items() if f[0] not in _HIDDEN_FACTS][:_FACTS]:
        yield _FACT_LABELS.get(name, name.replace("_", " ").capitalize()), value


def _actions(alert: Alert) -> Iterator[tuple[str, str]]:
    name = incident_id(alert)[:12]
    if alert.state == "resolved" or alert.backfill:
        return
    if alert.state == "firing":
        yield "Acknowledge", f"outlay alerts ack {name}"
    yield "Mark as expected", f"outlay alerts mark-expected {name}"
    yield "Snooze for 24 h", f"outlay alerts snooze {name} --hours 24"


def scope_of(alert: Alert) -> str:
    """Write the scope of an alert."""
    return scope_text({n: (v,) if isinstance(v, str) else tuple(v) for n, v in alert.scope.items()})
