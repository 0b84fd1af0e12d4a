"""The text of an alert, the same in every channel, the console and the command line.

It answers in the order in which somebody on call asks: what, who and how much; since when; why; who spends; what to do;
where to look. Channels only lay it out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from outlay_reports.alert_amounts import UPCOMING, amounts, contributor_text, money, notes
from outlay_reports.explore_links import explore_link
from outlay_reports.money import usd
from outlay_schemas.alerts import SEVERITY_RANK, Alert, Contributor, Incident, Part, Severity, State
from outlay_schemas.dimensions import LABELS, scope_text

OPEN = "Open in Outlay"
"""The label of a link to the console."""
SHOWN = 25
"""Alerts that a list shows; it counts the others."""
_PARTS = 10
_FACTS = 6
_STATUS: dict[State, str] = {"firing": "Firing", "acknowledged": "Acknowledged", "resolved": "Resolved"}
_ATTENTION: dict[State, int] = {"firing": 2, "acknowledged": 1, "resolved": 0}
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
"""Facts for programs, or shown by another line."""
_SINGLE = ("provider", "activity", "kind")
"""Dimensions of which a single value says nothing."""


@dataclass(frozen=True, slots=True)
class TopValues:
    """The values of one dimension that spend most."""

    dimension: str
    label: str
    values: tuple[tuple[str, str], ...]
    """Each value, and what is shown of it: `u-17 $39.99 (95%)`."""


@dataclass(frozen=True, slots=True)
class AlertText:
    """The text of one incident. Plain text: the channel escapes it."""

    severity: Severity
    state: State
    status: str
    """Firing, Acknowledged, Resolved, or Upcoming."""
    title: str
    amounts: str
    """`$123.45 spent of $100.00 ($23.45 over). Spending $1,980/hour right now`"""
    scope: str
    started_at: datetime | None
    """None: it has not happened yet."""
    ended_at: datetime | None
    summary: str
    compared: str
    effects: tuple[tuple[str, str], ...]
    """Effect and amount, largest first, without zeros."""
    top: tuple[TopValues, ...]
    """Models and users first."""
    parts: tuple[tuple[str, str], ...]
    """Id and line of each alert of the incident; empty: the incident is one alert."""
    facts: tuple[tuple[str, str], ...]
    actions: tuple[tuple[str, str], ...]
    """Label and command of each action."""
    link: str
    costs_link: str
    """Explore with the time and scope of the alert; empty: no console is set, or it cannot filter so."""
    footer: str
    runbook: str = ""
    mentions: tuple[str, ...] = ()
    """Whom Slack notifies of it; empty unless it fires."""

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """Label and address of each link."""
        all_links = ((OPEN, self.link), ("View these costs", self.costs_link), ("Runbook", self.runbook))
        return tuple((label, address) for label, address in all_links if address)

    @property
    def contributors(self) -> tuple[tuple[str, str], ...]:
        """Each dimension with its top values in one line."""
        return tuple((one.label, ", ".join(text for _, text in one.values)) for one in self.top)

    def when(self, clock: Callable[[datetime], str]) -> str:
        """Return since when it has been firing, or when it resolved; `clock` formats a time."""
        if self.started_at is None:
            return self.status
        if self.ended_at is None:
            return f"{self.status} since {clock(self.started_at)}"
        minutes = max(1, (self.ended_at - self.started_at) // timedelta(minutes=1))
        unit, size = ("d", 1440) if minutes >= 2880 else ("h", 60) if minutes >= 120 else ("min", 1)
        lasted = f"{minutes // size} {unit}"
        return f"{self.status} {clock(self.ended_at)} after {lasted}, began {clock(self.started_at)}"


@dataclass(frozen=True, slots=True)
class AlertList:
    """Many incidents as one list."""

    headline: str
    shown: tuple[Alert, ...]
    """Worst first."""
    rest: str
    """How many are not shown; empty: all are shown."""
    worst: Severity
    footer: str


def text_of(alerts: Sequence[Alert]) -> AlertText | AlertList:
    """Return the text of one incident, given the newest version of each of its alerts, or of many as one list."""
    return _list(alerts) if shared_incident(alerts) is None and len(alerts) > 1 else incident_text(alerts)


def incident_text(alerts: Sequence[Alert]) -> AlertText:
    """Return the text of one incident, given the newest version of each of its alerts."""
    alert, incident = main_of(alerts), shared_incident(alerts)
    upcoming = alert.rule_type in UPCOMING
    status = "Upcoming" if upcoming and alert.state == "firing" else _STATUS[alert.state]
    started = incident.started_at if incident else alert.started_at or alert.window
    return AlertText(
        severity=alert.severity, state=alert.state, status=status, title=title_of(alert),
        amounts=amounts(alert), scope=scope_text(alert.scope_values),
        started_at=None if upcoming else min(started, alert.at),
        ended_at=max(one.at for one in alerts) if alert.state == "resolved" else None,
        summary=_summary(alert), compared=alert.compared, effects=tuple(_effects(alert)), top=tuple(_top(alert)),
        parts=tuple(_parts(listed_parts(incident) if incident else (), alerts)), facts=tuple(_facts(alert)),
        actions=tuple(_actions(alert)), link=alert.link, costs_link=explore_link(alert),
        footer=f"{alert.tenant} · {alert.rule} · {alert.incident_id}", runbook=alert.runbook,
        mentions=tuple(dict.fromkeys(name for one in alerts if one.state == "firing" for name in one.mention)),
    )  # fmt: skip


def shared_incident(alerts: Sequence[Alert]) -> Incident | None:
    """Return the newest version of the incident of these alerts; None: they belong to several, or to none."""
    newest = sorted(alerts, key=lambda a: a.at, reverse=True)
    incidents = [alert.incident for alert in newest if alert.incident is not None]
    if len(incidents) < len(alerts) or len({incident.id for incident in incidents}) != 1:
        return None
    return max(incidents, key=lambda incident: len(incident.parts))


def listed_parts(incident: Incident) -> list[Part]:
    """Return the parts of an incident that texts list: of the levels of a budget the one that was passed last, as the
    figures of the others are old."""
    levels = [part for part in incident.parts if part.rule_type == "budget"]
    last = {part.rule: part.id for part in sorted(levels, key=lambda part: part.at)}
    return [part for part in incident.parts if part.rule_type != "budget" or last[part.rule] == part.id]


def by_incident(alerts: Sequence[Alert]) -> list[list[Alert]]:
    """Group alerts by their incident, in the order of their first alerts."""
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.incident_id, []).append(alert)
    return list(groups.values())


def main_of(alerts: Sequence[Alert]) -> Alert:
    """Return the worst alert of an incident, with the state and severity of the incident."""
    rank = SEVERITY_RANK
    main = max(
        alerts, key=lambda a: (_ATTENTION[a.state], rank[a.severity], bool(a.contributors), money(a), a.id)
    )
    incident = shared_incident(alerts)
    if incident is None:
        return main
    return msgspec.structs.replace(main, severity=incident.severity, state=incident.state)


def title_of(alert: Alert) -> str:
    """Return the title, with the state unless it is firing."""
    return alert.title if alert.state == "firing" else f"{_STATUS[alert.state]}: {alert.title}"


def says_something(name: str, group: Sequence[Contributor], scope: Mapping[str, Sequence[str]]) -> bool:
    """Return whether the values of a dimension add anything to the scope."""
    single = name in _SINGLE and len(group) == 1
    return not single and any(one.value for one in group) and len(scope.get(name, ())) != 1


def _list(alerts: Sequence[Alert]) -> AlertList:
    rank = SEVERITY_RANK
    order = sorted(alerts, key=lambda a: (a.state == "resolved", -rank[a.incident_severity], -money(a), a.id))
    left = order[SHOWN:]
    spent, bound = sum(map(money, left), Decimal(0)), any(one.unpriced for one in left)
    firing, rules = sum(a.state == "firing" for a in alerts), sorted({a.rule for a in alerts})
    names = rules[0] if len(rules) == 1 else f"{len(rules)} rules"
    kind = "alerts about past periods" if all(a.backfill for a in alerts) else "alerts"
    return AlertList(
        headline=f"{len(alerts):,} {kind} from {names}: {firing:,} firing, {len(alerts) - firing:,} not",
        shown=tuple(order[:SHOWN]),
        rest=f"and {len(left):,} more, {usd(spent, lower_bound=bound)} in total" if left else "",
        worst=max((a.incident_severity for a in alerts), key=rank.__getitem__),
        footer=f"{alerts[0].tenant} · all: outlay alerts list",
    )


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


def _top(alert: Alert) -> Iterator[TopValues]:
    groups: dict[str, list[Contributor]] = {}
    for c in alert.contributors:
        groups.setdefault(c.dimension, []).append(c)
    for dimension, group in groups.items():
        if says_something(dimension, group, alert.scope_values):
            values = tuple((c.value, contributor_text(alert, c)) for c in group)
            yield TopValues(dimension, LABELS.get(dimension, dimension), values)


def _parts(parts: Sequence[Part], alerts: Sequence[Alert]) -> Iterator[tuple[str, str]]:
    if len(parts) < 2:
        return
    known = {alert.id: alert for alert in alerts}
    for part in parts[:_PARTS]:
        newest = known.get(part.id, part)
        state = "" if newest.state == "firing" else f" ({newest.state})"
        yield part.id, f"{part.severity}: {newest.title}{state}"
    if len(parts) > _PARTS:
        yield "", f"and {len(parts) - _PARTS} more"


def _facts(alert: Alert) -> Iterator[tuple[str, str]]:
    yield from notes(alert)
    if alert.owner:
        yield "Owner", alert.owner
    for name, value in [f for f in alert.facts.items() if f[0] not in _HIDDEN_FACTS][:_FACTS]:
        past = name == "gone_on" and value <= f"{alert.at:%Y-%m-%d %H:%M} UTC"
        yield "Ran out" if past else _FACT_LABELS.get(name, name.replace("_", " ").capitalize()), value


def _actions(alert: Alert) -> Iterator[tuple[str, str]]:
    name = alert.incident_id[:12]
    if alert.state == "resolved" or alert.backfill:
        return
    if alert.state == "firing":
        yield "Acknowledge", f"outlay alerts ack {name}"
    yield "Mark as expected", f"outlay alerts mark-expected {name}"
    yield "Snooze for 24 h", f"outlay alerts snooze {name} --hours 24"
