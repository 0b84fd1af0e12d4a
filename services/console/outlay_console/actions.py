"""User actions on pages: acknowledge, snooze or expect an alert; dismiss an opportunity. Each is audited first."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from outlay_console import metrics
from outlay_console.adapters.action_writer import ActionWriter
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.pages.request import MissingError
from outlay_console.sessions import Session
from outlay_kit.audit import AuditError, AuditLog
from outlay_kit.errors import Retryable
from outlay_schemas.alerts import ActionKind, AlertAction

_NOTE = 500
_HOURS = 8760
_KINDS: tuple[ActionKind, ...] = get_args(ActionKind)


class FormError(Exception):
    """A form with an invalid value; the message names it."""


class ForbiddenError(Exception):
    """The session lacks the scope for an action."""


@dataclass(frozen=True)
class Actions:
    """Applies the forms of pages."""

    writer: ActionWriter | None
    """None: this console is read-only."""
    audit: AuditLog

    def may(self, session: Session) -> bool:
        """Tell whether pages offer actions to this session."""
        return self.writer is not None and session.admin

    async def act(
        self, session: Session, rollups: RollupReader, target: str, form: Mapping[str, str], now: datetime
    ) -> None:
        """Apply an action to an alert. Raises MissingError, FormError, ForbiddenError, Retryable."""
        writer = self._writer(session)
        found = await rollups.incident(target)
        if found is None:
            raise MissingError("This alert does not exist.")
        kind = next((one for one in _KINDS if one == form.get("action")), None)
        if kind is None:
            raise FormError(f"action must be one of {', '.join(_KINDS)}")
        target = found.main.rule if kind == "snoozed" and form.get("whole") else found.id
        until, note = _until(kind, form, now), _note(form)
        details = {"tenant": session.tenant, "action": kind, "note": note}
        await self._log(
            session, "alerts.act", target, details | ({"until": until.isoformat()} if until else {}), now
        )
        await writer.write(AlertAction(session.tenant, target, kind, now, until, note, session.who))
        metrics.ACTIONS.labels(kind).inc()

    async def dismiss(
        self, session: Session, rollups: RollupReader, target: str, form: Mapping[str, str], now: datetime
    ) -> None:
        """Dismiss an opportunity, or restore it. Raises as `act` does."""
        writer = self._writer(session)
        if target not in {one["id"] for one in (await rollups.opportunities()).found}:
            raise MissingError("This opportunity does not exist.")
        dismissed, reason = not form.get("undo"), _note(form)
        action = "opportunities.dismiss" if dismissed else "opportunities.restore"
        await self._log(session, action, target, {"tenant": session.tenant, "reason": reason}, now)
        await writer.dismiss(target, reason, session.who, now, dismissed=dismissed)
        metrics.ACTIONS.labels("dismissed").inc()

    def _writer(self, session: Session) -> ActionWriter:
        if self.writer is None or not session.admin:
            raise ForbiddenError("This needs a key with the scope admin, and a console with write access.")
        return self.writer

    async def _log(
        self, session: Session, action: str, subject: str, details: Mapping[str, object], now: datetime
    ) -> None:
        """Write to the audit log; an action that cannot be audited is not applied."""
        actor = f"key {session.key_id}"
        try:
            await asyncio.to_thread(self.audit.append, actor, action, subject, details, now)
        except AuditError as error:
            raise Retryable(str(error)) from error


def _note(form: Mapping[str, str]) -> str:
    note = form.get("note", "").strip()
    if len(note) > _NOTE or not note.isprintable():
        raise FormError(f"a note must be one line of at most {_NOTE} characters")
    return note


def _until(kind: ActionKind, form: Mapping[str, str], now: datetime) -> datetime | None:
    """Return when an action ends: a second ago if it is undone; None: with the alert."""
    if form.get("undo"):
        return now - timedelta(seconds=1)
    if kind != "snoozed":
        return None
    text = form.get("hours", "")
    hours = int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0
    if not 0 < hours <= _HOURS:
        raise FormError(f"hours must be a number from 1 to {_HOURS}")
    return now + timedelta(hours=hours)
