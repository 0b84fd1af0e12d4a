"""Makes an alert of a decision: who spends most, why it costs more, where to look."""

from datetime import timedelta

from outlay_alerter.adapters.sums import Sums
from outlay_alerter.domain.effects import split
from outlay_alerter.domain.states import Stored, Transition
from outlay_alerter.domain.watches import tag_of
from outlay_kit.clock import Clock
from outlay_kit.spans import Span
from outlay_schemas.alerts import Alert, Contributor, Effect, State
from outlay_schemas.money import to_usd

MOST_EXPLAINED = 5
"""Alerts of one evaluation that get a reason: each asks the engine twice, and more are told as a list without."""


class Teller:
    """Alerts with their reasons."""

    def __init__(self, sums: Sums, clock: Clock, console: str = "") -> None:
        self._sums, self._clock, self._console = sums, clock, console.rstrip("/")

    def alert(self, change: Transition, span: Span, *, explained: bool, quiet: str = "") -> Alert:
        """Return the alert of a change, decided of `span`; `quiet`: why people are not told. Raises Retryable."""
        finding, key = change.finding, change.finding.key
        scope = {name: list(values) for name, values in key.scope.items()}
        contributors: list[Contributor] = []
        effects: list[Effect] = []
        span = _so_far(span, self._clock)
        before, compared = _before(span)
        if explained and change.state == "firing":
            contributors = self._sums.contributors(key.tenant, span, scope)
        if explained and change.state == "firing" and finding.unit.startswith("USD"):
            uses = self._sums.uses(key.tenant, before, span, scope)
            effects = [Effect(part.kind, to_usd(part.cost)) for part in split(*uses)]
        if finding.parts:
            effects = [Effect(kind, to_usd(cost)) for kind, cost in finding.parts]
            compared = "the prices of the day before"
        over = finding.actual - (finding.expected or 0)
        counts = finding.money and finding.expected is not None
        hours = (span.end - span.start) / timedelta(hours=1)
        return Alert(
            id=change.id, tenant=key.tenant, rule=key.rule, rule_type=finding.rule_type,
            scope={name: v[0] if len(v) == 1 else v for name, v in scope.items()},
            window=finding.shown or key.window, level=key.level, severity=finding.severity, state=_told(change.state),
            title=finding.title, summary=finding.summary, actual=finding.said(finding.actual),
            expected=None if finding.expected is None else finding.said(finding.expected),
            contributors=contributors, at=self._clock.now(), query=_query(key.tenant, span, scope),
            unit=finding.unit, impact=to_usd(over) if counts else None,
            impact_per_hour=to_usd(round(over / hours)) if counts else None,
            effects=effects, compared=compared if effects else "",
            facts={**finding.facts, **({"quiet": quiet} if quiet else {})},
            link=f"{self._console}/alerts/{change.id}" if self._console else "",
        )  # fmt: skip


def _told(state: Stored) -> State:
    """Return what is told of a state: what is pending would fire; what lasts is over for people."""
    states: dict[Stored, State] = {"firing": "firing", "pending": "firing", "acknowledged": "acknowledged"}
    return states.get(state, "resolved")


def _so_far(span: Span, clock: Clock) -> Span:
    """Cut a span at the end of this minute: what is to come is not compared."""
    now = clock.now().replace(second=0, microsecond=0) + timedelta(minutes=1)
    return Span(span.start, now) if span.start < now < span.end else span


def _before(span: Span) -> tuple[Span, str]:
    """Return the span before, as long, and what to call it."""
    length = span.end - span.start
    minutes = length // timedelta(minutes=1)
    names = {1: "the minute before", 60: "the hour before", 1440: "the day before"}
    days, hours = length / timedelta(days=1), length / timedelta(hours=1)
    words = f"the {days:.1f} days before" if days > 2 else f"the {hours:.1f} hours before"
    return Span(span.start - length, span.start), names.get(minutes, words)


def _query(tenant: str, span: Span, scope: dict[str, list[str]]) -> str:
    wheres = [f"tenant = {_quoted(tenant)}", f"time >= '{span.start:%Y-%m-%d %H:%M:%S}'"]
    wheres += [f"time < '{span.end:%Y-%m-%d %H:%M:%S}'"]
    view = "costs" if any(map(tag_of, scope)) else "costs_minutely"
    columns = {name: f"tags[{_quoted(tag_of(name))}]" if tag_of(name) else name for name in scope}
    wheres += [f"{columns[name]} IN ({', '.join(map(_quoted, values))})" for name, values in scope.items()]
    return f"SELECT * FROM {view} WHERE {' AND '.join(wheres)}"  # noqa: S608 (to be shown, not run)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
