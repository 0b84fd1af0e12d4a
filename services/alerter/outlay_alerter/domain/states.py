"""The state machine: findings in, transitions out. One alert per (rule, scope, window, level)."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from outlay_schemas.alerts import Severity, State
from outlay_schemas.money import Usd, to_usd

Scope = Mapping[str, tuple[str, ...]]


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
        parts = [self.tenant, self.rule, str(int(self.window.timestamp())), self.level]
        for dimension in sorted(self.scope):
            parts += [dimension, str(len(self.scope[dimension])), *sorted(self.scope[dimension])]
        digest = hashlib.sha256()
        for part in parts:
            raw = part.encode()
            digest.update(len(raw).to_bytes(4, "big") + raw)
        return digest.hexdigest()[:32]


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
    shown: datetime | None = None
    """The window to be shown, if the key's is not one."""

    @property
    def money(self) -> bool:
        """Whether it is about USD that were spent."""
        return self.unit == "USD"

    def said(self, amount: int) -> Usd:
        """Write an amount of its unit as a plain decimal number."""
        return to_usd(amount)


@dataclass(frozen=True, slots=True)
class Known:
    """The last transition of an alert that the store has."""

    id: str
    rule: str
    state: State
    seq: int
    window: datetime
    told_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """When it was decided."""

    @property
    def active(self) -> bool:
        """Whether it is not over."""
        return self.state != "resolved"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state to be told. `seq` counts an alert's changes: 1 fires, 2 resolves, 3 fires again."""

    id: str
    seq: int
    state: State
    finding: Finding

    @property
    def message_id(self) -> str:
        """The id under which every try of every channel sends it: receivers keep one."""
        return f"msg_{self.id}_{self.seq}"


@dataclass(frozen=True, slots=True)
class Again:
    """When what fires already is told again."""

    now: datetime
    every: timedelta | None = None
    """None: never by itself."""
    snoozes: Mapping[str, datetime] = field(default_factory=dict)
    """Id of an alert or of a rule, and until when it is left alone; told again after that."""

    def due(self, known: Known) -> bool:
        """Tell whether an alert that fires is to be told again. What somebody has in hand is not."""
        if known.state != "firing":
            return False
        until = max(
            (self.snoozes.get(t, known.told_at) for t in (known.id, known.rule)), default=known.told_at
        )
        if until > self.now:
            return False
        return until > known.told_at or (self.every is not None and self.now - known.told_at >= self.every)


def transitions(
    findings: Iterable[Finding], known: Mapping[str, Known], again: Again | None = None
) -> list[Transition]:
    """Return what changed, and what is to be told again. Repeating it with its own outcome known returns nothing.

    Of several findings of one key the last counts: it is of the newest window.
    """
    changes: dict[str, Transition] = {}
    for alert, finding in {finding.key.id(): finding for finding in findings}.items():
        before = known.get(alert)
        active = before is not None and before.active
        repeated = (
            active and finding.breached and again is not None and before is not None and again.due(before)
        )
        if finding.breached != active or repeated:
            seq = before.seq + 1 if before else 1
            state: State = "firing" if finding.breached else "resolved"
            changes[alert] = Transition(alert, seq, state, finding)
    return list(changes.values())


@dataclass(frozen=True, slots=True)
class Open:
    """The alerts of one rule that are not over."""

    alerts: frozenset[str]
    windows: tuple[datetime, ...]
    """Under which they fire, the newest first: few, though the alerts may be many."""

    def since(self, tenant: str, rule: str, scope: Scope, level: str) -> datetime | None:
        """Return the newest window under which a scope fires already."""
        windows = (at for at in self.windows if Key(tenant, rule, scope, at, level).id() in self.alerts)
        return next(windows, None)


def open_of(rule: str, known: Mapping[str, Known]) -> Open:
    """Return the alerts of a rule that are not over."""
    mine = [k for k in known.values() if k.active and k.rule == rule]
    return Open(frozenset(k.id for k in mine), tuple(sorted({k.window for k in mine}, reverse=True)))
