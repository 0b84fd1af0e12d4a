"""The state machine: findings in, transitions out. One alert per (rule, scope, window, level)."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from outlay_schemas.alerts import Severity, State

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


@dataclass(frozen=True, slots=True)
class Known:
    """The last transition of an alert that the store has."""

    id: str
    rule: str
    state: State
    seq: int
    window: datetime


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


def transitions(findings: Iterable[Finding], known: Mapping[str, Known]) -> list[Transition]:
    """Return what changed. Repeating it with its own outcome known returns nothing.

    Of several findings of one key the last counts: it is of the newest window.
    """
    changes: dict[str, Transition] = {}
    for alert, finding in {finding.key.id(): finding for finding in findings}.items():
        before = known.get(alert)
        firing = before is not None and before.state == "firing"
        if finding.breached != firing:
            seq = before.seq + 1 if before else 1
            state: State = "firing" if finding.breached else "resolved"
            changes[alert] = Transition(alert, seq, state, finding)
    return list(changes.values())
