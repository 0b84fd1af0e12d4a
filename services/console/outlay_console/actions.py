"""User actions on pages: acknowledge, snooze or expect an alert; dismiss an opportunity. Each is audited first."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from starlette.exceptions import HTTPException

from outlay_console import metrics
from outlay_console.adapters.readers import Readers
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.sessions import Session
from outlay_kit.audit import AuditError, AuditLog
from outlay_kit.errors import Retryable
from outlay_kit.settings import ClickHouseSettings
from outlay_schemas.alerts import ActionKind, AlertAction
from outlay_schemas.events import encoder

Table = Literal["alert_actions", "dismissals"]


class ActionWriter:
    """Writes one row at a time."""

    def __init__(self, settings: ClickHouseSettings, ping_seconds: float) -> None:
        self._connection = Readers(settings, 1, _SECONDS, ping_seconds)

    async def write(self, table: Table, row: object) -> None:
        """Write an action; the alerter applies one on an alert within seconds. Raises Retryable."""
        line = encoder.encode(row)
        await self._connection.call(lambda clickhouse: clickhouse.insert_json_lines(table, line))


_SECONDS = 10
"""How long somebody waits for a row to be written."""
_NOTE = 500
_HOURS = 8760
_KINDS: tuple[ActionKind, ...] = get_args(ActionKind)


@dataclass(frozen=True)
class Actions:
    """Applies the forms of pages. An invalid value, a missing scope or target is an HTTPException with a text."""

    writer: ActionWriter | None
    """None: this console is read-only."""
    audit: AuditLog

    def may(self, session: Session) -> bool:
        """Tell whether pages offer actions to this session."""
        return self.writer is not None and session.may("editor")

    async def act(
        self, session: Session, rollups: RollupReader, target: str, form: Mapping[str, str], now: datetime
    ) -> None:
        """Apply an action to an alert. Raises HTTPException, Retryable."""
        writer = self._writer(session)
        found = await rollups.incident(target)
        if found is None:
            raise HTTPException(404, "This alert does not exist.")
        kind = next((one for one in _KINDS if one == form.get("action")), None)
        if kind is None:
            raise HTTPException(400, f"action must be one of {', '.join(_KINDS)}")
        target = found.main.rule if kind == "snoozed" and form.get("whole") else found.id
        until, note = _until(kind, form, now), _note(form)
        details = {"action": kind, "note": note} | ({"until": until.isoformat()} if until else {})
        await self._log(session, "alerts.act", target, details, now)
        action = AlertAction(session.tenant, target, kind, now, until, note, session.who)
        await writer.write("alert_actions", action)
        metrics.ACTIONS.labels(kind).inc()

    async def dismiss(
        self, session: Session, rollups: RollupReader, target: str, form: Mapping[str, str], now: datetime
    ) -> None:
        """Dismiss an opportunity, or restore it. Raises as `act` does."""
        writer = self._writer(session)
        if target not in {one["id"] for one in (await rollups.opportunities()).found}:
            raise HTTPException(404, "This opportunity does not exist.")
        dismissed, reason = not form.get("undo"), _note(form)
        action = "opportunities.dismiss" if dismissed else "opportunities.restore"
        await self._log(session, action, target, {"reason": reason}, now)
        row = {"id": target, "dismissed": dismissed, "reason": reason, "by": session.who, "at": now}
        await writer.write("dismissals", row)
        metrics.ACTIONS.labels("dismissed").inc()

    def _writer(self, session: Session) -> ActionWriter:
        if self.writer is None or not session.may("editor"):
            raise HTTPException(403, "This needs the role editor, and a console with write access.")
        return self.writer

    async def _log(
        self, session: Session, action: str, subject: str, details: Mapping[str, object], now: datetime
    ) -> None:
        """Write to the audit log; an action that cannot be audited is not applied."""
        details = {"tenant": session.tenant, **details}
        try:
            await asyncio.to_thread(self.audit.append, session.actor, action, subject, details, now)
        except AuditError as error:
            raise Retryable(str(error)) from error


def _note(form: Mapping[str, str]) -> str:
    note = form.get("note", "").strip()
    if len(note) > _NOTE or not note.isprintable():
        raise HTTPException(400, f"a note must be one line of at most {_NOTE} characters")
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
        raise HTTPException(400, f"hours must be a number from 1 to {_HOURS}")
    return now + timedelta(hours=hours)
