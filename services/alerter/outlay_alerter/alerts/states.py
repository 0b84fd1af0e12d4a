"""The state machine: findings in, transitions out. One alert per (rule, scope, window, level).

    (nothing) → pending → firing → acknowledged → resolved → firing …
                             └→ expected, ended ────┘

A breach fires at once or after its `hold`, and resolves at once or after its `calm`. People acknowledge an alert, or
mark it as expected: then it is closed, and stays `expected` while the breach lasts, so that it does not fire again.
`ended` lasts as long: the period of its budget is over.
"""

from collections.abc import Container, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from outlay_alerter.rules.watch import Scope, Watch
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.alerts import SEVERITY_RANK, Alert, EffectKind, Severity, State
from outlay_schemas.digests import digest

UNTIL = "%Y-%m-%d %H:%M UTC"
"""Format of the fact `until`, the end of an alert's period."""

_WIDTH = 4
"""Width of the lengths in the hash. Another width would give every alert a new id."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
StoredState = State | Literal["pending", "expected", "ended"]
"""The states that the store has; alerts show the first three."""
_QUIETLY = ("pending", "expected", "ended")
"""States whose end notifies no one."""


@dataclass(frozen=True, slots=True)
class Key:
    """What makes an alert the same alert."""

    tenant: str
    rule: str
    scope: Scope
    window: datetime
    level: str

    def id(self) -> str:
        """Return the stable id: a hash of length-prefixed parts."""
        window = str(int(self.window.timestamp()))
        return digest([self.tenant, self.rule, window, self.level, *self._scope()], width=_WIDTH)

    def line(self) -> str:
        """Return the id that alerts share which differ in their window only."""
        return digest([self.tenant, self.rule, self.level, *self._scope()], width=_WIDTH)

    def _scope(self) -> list[str]:
        parts: list[str] = []
        for dimension in sorted(self.scope):
            parts += [dimension, str(len(self.scope[dimension])), *sorted(self.scope[dimension])]
        return parts


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of evaluating one key: breached or not, with figures in pico-USD."""

    watch: Watch
    """The rule or budget that found it."""
    key: Key
    breached: bool
    severity: Severity
    title: str
    summary: str
    actual: int
    expected: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    unit: str = "USD"
    """What `actual` and `expected` count, in 1e-12 of it."""
    judged: TimeRange | None = None
    """The newest window that was evaluated; None: now. `hold` and `calm` of its rule count whole windows."""
    about: TimeRange | None = None
    """The time that its figures are of, if that is not `judged`."""
    shown: datetime | None = None
    """The window to show, if it is not the key's."""
    kind: str = ""
    """Its `rule_type`, if that is not the type of its rule."""
    once: bool = False
    """Whether it is sent only once, however long it stays true."""
    backfill: bool = False
    """Whether it is about a period that ended long before its events came: it wakes no one."""
    parts: tuple[tuple[EffectKind, int], ...] = ()
    """Effects in pico-USD, if the evaluation knows them."""
    unpriced: int = 0
    """Events without a price in `actual`, where that is money: it is a lower bound if there are any."""

    def held(self, since: datetime, now: datetime) -> bool:
        """Return whether it has lasted long enough, having been pending since `since`.

        Whole windows count, so that the answer does not depend on how often it is evaluated. A window that is still
        filling counts if the alert was pending for that long.
        """
        waited = now - since >= self.watch.hold
        if self.judged is None:
            return waited
        return self.judged.end - self.key.window >= self.watch.hold and (waited or self.judged.end <= now)

    @property
    def span(self) -> TimeRange:
        """The time that its figures are of."""
        return self.about or self.judged or TimeRange(self.key.window, self.key.window)

    @property
    def rule_type(self) -> str:
        """What the alert calls its kind of rule."""
        return self.kind or self.watch.type

    @property
    def money(self) -> bool:
        """Whether its amounts are USD."""
        return self.unit == "USD"


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """An alert as the store has it."""

    id: str
    rule: str
    state: StoredState
    seq: int
    window: datetime
    decided_at: datetime = EPOCH
    """When it was decided."""
    notified: bool = True
    """Whether people were notified that it fires."""
    line: str = ""
    """The id that it shares with the rule's alerts of other windows."""
    scope: Scope = field(default_factory=dict)
    until: datetime | None = None
    """End of its period; None: it has none."""
    expected: bool = False
    """Whether somebody marked it as expected."""
    alert: Alert | None = None
    """Its newest version."""

    @property
    def fired_at(self) -> datetime:
        """When it fired, or became more severe, last: what people did before that was about less."""
        return self.alert.fired_at if self.alert and self.alert.fired_at else self.decided_at

    @property
    def incident(self) -> str:
        """The id of its incident."""
        return self.alert.incident.id if self.alert and self.alert.incident else self.id

    @property
    def active(self) -> bool:
        """Whether the breach lasts."""
        return self.state not in ("resolved", "ended")

    @property
    def fired(self) -> bool:
        """Whether it is firing or acknowledged."""
        return self.state in ("firing", "acknowledged")


def message_id(alert: str, seq: int) -> str:
    """Return the id that every attempt of every channel uses, so that receivers keep one copy."""
    return f"msg_{alert}_{seq}"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state. `seq` counts the changes of an alert: 1 fires, 2 resolves, 3 fires again."""

    id: str
    seq: int
    state: StoredState
    finding: Finding
    before: AlertRecord | None = None

    @property
    def message_id(self) -> str:
        """The id of its message."""
        return message_id(self.id, self.seq)

    @property
    def repeats(self) -> bool:
        """Whether it only reminds: the alert was firing already."""
        return self.state == "firing" and self.before is not None and self.before.state == "firing"

    def fired_at(self, now: datetime) -> datetime:
        """Return when the alert fired, or became more severe, last, given that it is decided now."""
        if self.before is None or not self.before.fired:
            return now
        return now if self.state == "firing" and _worse(self.finding, self.before) else self.before.fired_at

    def notified(self, suppressed_ids: Container[str]) -> bool:
        """Return whether anyone was notified that this alert is firing, given the suppressed ids."""
        if self.state == "pending":
            return False
        before = self.before is not None and self.before.fired and self.before.notified
        return before or (self.state == "firing" and self.id not in suppressed_ids)

    @property
    def silent(self) -> bool:
        """Whether it is only stored: the alert never fired."""
        was = self.before.state if self.before else "resolved"
        return self.state == "pending" or (self.state == "resolved" and was in _QUIETLY)


@dataclass(frozen=True, slots=True)
class RenotifyPolicy:
    """When a firing alert is sent again, and what people did with alerts."""

    now: datetime
    every: timedelta | None = None
    """None: never by itself."""
    snoozes: Mapping[str, datetime] = field(default_factory=dict)
    """End of each snooze, by id of an alert, incident or rule; then the alert is sent again."""
    expected: Mapping[str, datetime | None] = field(default_factory=dict)
    """Until when an alert is expected, by its id or its `Key.line`; None: while it lasts."""
    calm: MutableMapping[str, datetime] = field(default_factory=dict)
    """Since when each firing alert is calm. A restart starts the time again: the alert ends later, never sooner."""

    def due(self, known: AlertRecord) -> bool:
        """Return whether a firing alert is due to be sent again."""
        if known.state != "firing":
            return False
        until = max(self.snoozes.get(t, known.decided_at) for t in (known.id, known.rule, known.incident))
        if until > self.now:
            return False
        return until > known.decided_at or (
            self.every is not None and self.now - known.decided_at >= self.every
        )

    def expects(self, key: Key) -> bool:
        """Return whether somebody marked this as expected."""
        named = [self.expected[name] for name in (key.id(), key.line()) if name in self.expected]
        return any(until is None or until > self.now for until in named)

    def rested(self, alert: str, finding: Finding) -> bool:
        """Return whether it has been over for long enough."""
        begin, now = (finding.judged.start, finding.judged.end) if finding.judged else (self.now, self.now)
        calm = finding.watch.calm
        since = self.calm.setdefault(alert, begin) if calm else begin
        return now - since >= calm


def transitions(
    findings: Iterable[Finding], known: Mapping[str, AlertRecord], again: RenotifyPolicy | None = None
) -> list[Transition]:
    """Return the changes of state and the reminders. Applied to their own result they return nothing.

    Of several findings with one key the last counts: it is about the newest window.
    """
    changes: list[Transition] = []
    for alert, finding in {finding.key.id(): finding for finding in findings}.items():
        before = known.get(alert)
        state = _next(alert, finding, before, again or RenotifyPolicy(datetime.max.replace(tzinfo=UTC)))
        if state is not None:
            changes.append(Transition(alert, before.seq + 1 if before else 1, state, finding, before))
    return changes


def _next(
    alert: str, finding: Finding, before: AlertRecord | None, again: RenotifyPolicy
) -> StoredState | None:
    state: StoredState = before.state if before else "resolved"
    if not finding.breached:
        over = state != "resolved" and (state in _QUIETLY or again.rested(alert, finding))
        return "resolved" if over else None
    again.calm.pop(alert, None)
    if state in ("resolved", "expected"):
        if again.expects(finding.key):
            return None
        waits = state == "resolved" and finding.watch.hold and not finding.held(again.now, again.now)
        return "pending" if waits else "firing"
    if before is None or state in ("acknowledged", "ended"):
        return None
    if state == "pending":
        return "firing" if finding.held(before.decided_at, again.now) else None
    return "firing" if _worse(finding, before) or (again.due(before) and not finding.once) else None


def _worse(finding: Finding, before: AlertRecord) -> bool:
    return before.alert is not None and SEVERITY_RANK[finding.severity] > SEVERITY_RANK[before.alert.severity]


def open_alerts(rule: str, known: Mapping[str, AlertRecord]) -> dict[str, datetime]:
    """Return the newest window of the open alerts of a rule, by `Key.line`."""
    mine = sorted((k.window, k.line) for k in known.values() if k.active and k.rule == rule)
    return {line: window for window, line in mine}


def open_scopes(rule: Watch, known: Mapping[str, AlertRecord]) -> list[tuple[str, ...]]:
    """Return the values of `by` of the open alerts of a rule; without those that it opened under another `by`."""
    scopes = [k.scope for k in known.values() if k.active and k.rule == rule.id]
    return [tuple(scope[name][0] for name in rule.by) for scope in scopes if scope.keys() >= set(rule.by)]


def open_since(opened: Mapping[str, datetime], watch: Watch, scope: Scope, level: str) -> datetime | None:
    """Return the newest window in which a scope is already firing."""
    return opened.get(Key(watch.tenant, watch.id, scope, EPOCH, level).line()) if opened else None
