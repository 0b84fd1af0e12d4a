"""The state machine: findings in, transitions out. One alert per (rule, scope, window, level).

    (nothing) → pending → firing → acknowledged → resolved → firing …
                             └→ expected, ended ────┘

What is breached fires, at once or after its `hold`; what is over resolves, at once or after its `calm`.
People acknowledge, or say that it is expected: then it is over for them, and `expected` lasts as long as the
breach does, so that nothing fires again for it. So does `ended`: of a budget, its period is over.
"""

from collections.abc import Container, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from outlay_alerter.rules.watch import NONE, Scope
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.alerts import Alert, EffectKind, Severity, State
from outlay_schemas.digests import digest

__all__ = [
    "AlertRecord",
    "Finding",
    "Key",
    "OpenAlerts",
    "RenotifyPolicy",
    "Scope",
    "Transition",
    "open_alerts",
    "transitions",
]

UNTIL = "%Y-%m-%d %H:%M UTC"
"""How the fact `until` is written: the end of an alert's period."""

_WIDTH = 4
"""What ids of alerts were made with from the start: another width would open every firing alert again."""

StoredState = State | Literal["pending", "expected", "ended"]
"""What the store knows beside what is told."""
_QUIETLY = ("pending", "expected", "ended")
"""States whose end is told to nobody."""


@dataclass(frozen=True, slots=True)
class Key:
    """What makes an alert the same alert."""

    tenant: str
    rule: str
    scope: Scope
    window: datetime
    level: str

    def id(self) -> str:
        """Return the stable id: a hash of every part with its length before it, so that none runs into another."""
        window = str(int(self.window.timestamp()))
        return digest([self.tenant, self.rule, window, self.level, *self._scope()], width=_WIDTH)

    def line(self) -> str:
        """Return what all alerts have in common that differ in their window only."""
        return digest([self.tenant, self.rule, self.level, *self._scope()], width=_WIDTH)

    def _scope(self) -> list[str]:
        parts: list[str] = []
        for dimension in sorted(self.scope):
            parts += [dimension, str(len(self.scope[dimension])), *sorted(self.scope[dimension])]
        return parts


@dataclass(frozen=True, slots=True)
class Finding:
    """What an evaluation found of one key: breached or not, with its figures in pico-USD."""

    key: Key
    rule_type: str
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
    """The newest window that was judged; None: it is about now. `hold` and `calm` count whole windows."""
    shown: datetime | None = None
    """The window to be shown, if the key's is not one."""
    hold: timedelta = NONE
    """How long it must last before it fires."""
    calm: timedelta = NONE
    """How long it must be over before it resolves."""
    once: bool = False
    """Whether it is news, which is not told again though it goes on being true."""
    backfill: bool = False
    """Whether it is about a time that had ended long before its events came: it is no reason to wake anybody."""
    parts: tuple[tuple[EffectKind, int], ...] = ()
    """Why it is more than expected, in pico-USD, where the finding itself knows."""

    def held(self, since: datetime, now: datetime) -> bool:
        """Return whether it has lasted for as long as it must, when it was pending since `since`.

        Whole windows count, so that the answer does not depend on how often somebody looks; one that still fills
        counts when it was pending for that long.
        """
        waited = now - since >= self.hold
        if self.judged is None:
            return waited
        return self.judged.end - self.key.window >= self.hold and (waited or self.judged.end <= now)

    @property
    def money(self) -> bool:
        """Whether it is about USD that were spent."""
        return self.unit == "USD"


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """The last transition of an alert that the store has."""

    id: str
    rule: str
    state: StoredState
    seq: int
    window: datetime
    decided_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """When it was decided."""
    notified: bool = True
    """Whether people were told that it fires."""
    line: str = ""
    """What it has in common with the rule's alerts of other windows."""
    scope: Scope = field(default_factory=dict)
    until: datetime | None = None
    """When its period is over; None: it has none."""
    expected: bool = False
    """Whether somebody said that it is as it should be."""
    alert: Alert | None = None
    """As it was written last."""

    @property
    def incident(self) -> str:
        """The id of the incident that it is a part of: its own, if it opened it."""
        return self.alert.incident.id if self.alert and self.alert.incident else self.id

    @property
    def active(self) -> bool:
        """Whether the breach is not over."""
        return self.state not in ("resolved", "ended")

    @property
    def fired(self) -> bool:
        """Whether it is firing or acknowledged."""
        return self.state in ("firing", "acknowledged")


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state. `seq` counts an alert's changes: 1 fires, 2 resolves, 3 fires again."""

    id: str
    seq: int
    state: StoredState
    finding: Finding
    before: AlertRecord | None = None

    @property
    def message_id(self) -> str:
        """The id under which every try of every channel sends it: receivers keep one."""
        return f"msg_{self.id}_{self.seq}"

    @property
    def repeats(self) -> bool:
        """Whether it is told again only: it fired before, and fires."""
        return self.state == "firing" and self.before is not None and self.before.state == "firing"

    def notified(self, suppressed_ids: Container[str]) -> bool:
        """Tell whether people know that it fires, when those in `suppressed_ids` are not told."""
        if self.state == "pending":
            return False
        before = self.before is not None and self.before.fired and self.before.notified
        return before or (self.state == "firing" and self.id not in suppressed_ids)

    @property
    def silent(self) -> bool:
        """Whether it is written down only: it began, or ended, without ever being an alert."""
        was = self.before.state if self.before else "resolved"
        return self.state == "pending" or (self.state == "resolved" and was in _QUIETLY)


@dataclass(frozen=True, slots=True)
class RenotifyPolicy:
    """What people said, and when what fires already is told again."""

    now: datetime
    every: timedelta | None = None
    """None: never by itself."""
    snoozes: Mapping[str, datetime] = field(default_factory=dict)
    """Id of an alert or of a rule, and until when it is left alone; told again after that."""
    expected: Mapping[str, datetime | None] = field(default_factory=dict)
    """Id of an alert, or what it has in common with others (`Key.line`), and until when that is as it should be."""
    calm: MutableMapping[str, datetime] = field(default_factory=dict)
    """Since when an alert that fires is calm. A restart begins the time anew: it ends later, never sooner."""

    def due(self, known: AlertRecord) -> bool:
        """Tell whether an alert that fires is to be told again. What somebody has in hand is not."""
        if known.state != "firing":
            return False
        until = max(
            (self.snoozes.get(t, known.decided_at) for t in (known.id, known.rule, known.incident)),
            default=known.decided_at,
        )
        if until > self.now:
            return False
        return until > known.decided_at or (
            self.every is not None and self.now - known.decided_at >= self.every
        )

    def expects(self, key: Key) -> bool:
        """Tell whether somebody said that a breach is as it should be."""
        for name in (key.id(), key.line()):
            if name in self.expected and ((until := self.expected[name]) is None or until > self.now):
                return True
        return False

    def rested(self, alert: str, finding: Finding) -> bool:
        """Return whether what is not breached now has been so for as long as it must be."""
        begin, now = (finding.judged.start, finding.judged.end) if finding.judged else (self.now, self.now)
        since = self.calm.setdefault(alert, begin) if finding.calm else begin
        return now - since >= finding.calm


def transitions(
    findings: Iterable[Finding], known: Mapping[str, AlertRecord], again: RenotifyPolicy | None = None
) -> list[Transition]:
    """Return what changed, and what is to be told again. Repeating it with its own outcome known returns nothing.

    Of several findings of one key the last counts: it is of the newest window.
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
    """Return the state that an alert comes into; None: it stays as it is."""
    state: StoredState = before.state if before else "resolved"
    if not finding.breached:
        over = state != "resolved" and (state in _QUIETLY or again.rested(alert, finding))
        return "resolved" if over else None
    again.calm.pop(alert, None)
    if state in ("resolved", "expected"):
        if again.expects(finding.key):
            return None
        waits = state == "resolved" and finding.hold and not finding.held(again.now, again.now)
        return "pending" if waits else "firing"
    if before is None or state in ("acknowledged", "ended"):
        return None
    if state == "pending":
        return "firing" if finding.held(before.decided_at, again.now) else None
    return "firing" if again.due(before) and not finding.once else None


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """The alerts of one rule that are not over."""

    alerts: frozenset[str]
    windows: tuple[datetime, ...]
    """Under which they fire, the newest first: few, though the alerts may be many."""

    def since(self, tenant: str, rule: str, scope: Scope, level: str) -> datetime | None:
        """Return the newest window under which a scope fires already."""
        windows = (at for at in self.windows if Key(tenant, rule, scope, at, level).id() in self.alerts)
        return next(windows, None)


def open_alerts(rule: str, known: Mapping[str, AlertRecord]) -> OpenAlerts:
    """Return the alerts of a rule that are not over."""
    mine = [k for k in known.values() if k.active and k.rule == rule]
    return OpenAlerts(frozenset(k.id for k in mine), tuple(sorted({k.window for k in mine}, reverse=True)))
