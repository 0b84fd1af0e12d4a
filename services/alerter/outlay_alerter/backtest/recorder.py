"""What the state machine makes of findings of the past: what fires, and when it is over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from outlay_alerter.alerts.states import AlertRecord, Finding, RenotifyPolicy, transitions
from outlay_alerter.rules.watch import Scope


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that would have been. Figures are in 1e-12 of `unit`, as when it fired."""

    rule: str
    scope: Scope
    level: str
    at: datetime
    until: datetime | None
    """When it would have been over; None: not in the time that was looked at."""
    title: str
    actual: int
    expected: int | None
    unit: str
    saved: int | None = None
    """Pico-USD beyond what was expected, or allowed, from then until it was over. None: it is not about money."""


class Recorder:
    """Remembers what fires, and when it is over."""

    def __init__(self) -> None:
        self.fired: list[Fired] = []
        self.known: dict[str, AlertRecord] = {}
        """The alerts that are not over."""
        self._over: dict[str, AlertRecord] = {}
        self._open: dict[str, int] = {}
        self._calm: dict[str, datetime] = {}

    def turn(self, now: datetime, findings: Sequence[Finding]) -> list[Fired]:
        """Take what holds at a moment; return what begins to fire."""
        began = len(self.fired)
        for finding in findings:
            self._count(finding)
        known = {i: k for f in findings if (k := self.known.get(i := f.key.id()) or self._over.get(i))}
        for step in transitions(findings, known, RenotifyPolicy(now, calm=self._calm)):
            key, finding = step.finding.key, step.finding
            one = AlertRecord(step.id, key.rule, step.state, step.seq, key.window, now, line=key.line())
            (self.known if one.active else self._over)[step.id] = one
            if step.state == "firing":
                self._open[step.id] = len(self.fired)
                saved = 0 if finding.money and finding.expected is not None else None
                self.fired.append(
                    Fired(
                        key.rule, key.scope, key.level, now, None, finding.title, finding.actual, finding.expected,
                        finding.unit, saved,
                    )
                )  # fmt: skip
            elif step.state == "resolved":
                self.known.pop(step.id, None)
                if (place := self._open.pop(step.id, None)) is not None:
                    self.fired[place] = replace(self.fired[place], until=now)
        return self.fired[began:]

    def _count(self, finding: Finding) -> None:
        place = self._open.get(finding.key.id())
        if place is None or not finding.breached or self.fired[place].saved is None:
            return
        one = self.fired[place]
        if finding.judged is None:  # its figure is a sum that grows
            saved = finding.actual - one.actual
        else:
            saved = (one.saved or 0) + max(0, finding.actual - (finding.expected or 0))
        self.fired[place] = replace(one, saved=max(0, saved))
