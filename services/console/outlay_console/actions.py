"""User actions on pages: act on an alert, decide about an opportunity, keep a view or a note. Each is audited first."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import uuid4

from starlette.exceptions import HTTPException

from outlay_console import metrics
from outlay_console.adapters.readers import Readers
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.domain.saved import MOST_VIEWS, NAME, SavedView, stored_view
from outlay_console.domain.view import ViewError, read_moment, read_zone
from outlay_console.sessions import Session
from outlay_console.web import one_line
from outlay_kit.audit import AuditError, AuditLog, Entry
from outlay_kit.errors import Retryable
from outlay_kit.settings import ClickHouseSettings
from outlay_reports.adapters.alert_actions import store_alert_actions
from outlay_reports.savings import CLOSED, EFFORTS, STATUSES, Decision
from outlay_schemas.alerts import ActionKind, AlertAction
from outlay_schemas.events import encoder
from outlay_schemas.notes import new_note

Table = Literal["dismissals", "saved_views", "notes"]


class ActionWriter:
    """Writes one row at a time."""

    def __init__(self, settings: ClickHouseSettings, ping_seconds: float) -> None:
        self._connection = Readers(settings, 1, _SECONDS, ping_seconds)

    async def write(self, table: Table, row: object) -> None:
        """Write a row. Raises Retryable."""
        line = encoder.encode(row)
        await self._connection.call(lambda clickhouse: clickhouse.insert_json_lines(table, line))

    async def act(self, action: AlertAction, actor: str, log: AuditLog) -> None:
        """Write an action on an alert, after the log has it under `actor`. Raises Retryable."""

        def audit(entries: Sequence[Entry]) -> None:
            for entry in entries:
                _append(log, entry)

        await self._connection.call(
            lambda clickhouse: store_alert_actions(clickhouse, [action], actor=actor, audit=audit)
        )


CHOSEN = "chosen"
"""In place of the id of an alert: the form names several, each as the name of a field."""
_PICK = "alert."
_MOST_CHOSEN = 50
NEW = "new"
"""In place of an id: what a form makes has none yet."""
_QUERY = 2000
_SECONDS = 10
"""How long somebody waits for a row to be written."""
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
        """Apply an action to an alert, or to all that the form chose. Raises HTTPException, Retryable."""
        writer = self._writer(session)
        if target == CHOSEN:
            chosen = [name.removeprefix(_PICK) for name in form if name.startswith(_PICK)]
            if not 0 < len(chosen) <= _MOST_CHOSEN:
                raise HTTPException(400, f"Choose one to {_MOST_CHOSEN} alerts.")
            for one in chosen:
                await self.act(session, rollups, one, form, now)
            return
        found = await rollups.incident(target)
        if found is None:
            raise HTTPException(404, "This alert does not exist.")
        kind = next((one for one in _KINDS if one == form.get("action")), None)
        if kind is None:
            raise HTTPException(400, f"action must be one of {', '.join(_KINDS)}")
        target = found.main.rule if kind == "snoozed" and form.get("whole") else found.id
        until, note = _until(kind, form, now), one_line(form, "note")
        action = AlertAction(session.tenant, target, kind, now, until, note, session.who)
        await writer.act(action, session.actor, self.audit)
        metrics.ACTIONS.labels(kind).inc()

    async def decide(
        self, session: Session, rollups: RollupReader, target: str, form: Mapping[str, str], now: datetime
    ) -> None:
        """Set the status, effort and owner of an opportunity. Raises as `act` does."""
        writer = self._writer(session)
        known = {one["id"]: one for one in (await rollups.opportunities()).found}
        if target not in known:
            raise HTTPException(404, "This opportunity does not exist.")
        status = next((one for one in STATUSES if one == form.get("status")), None)
        effort = next((one for one in EFFORTS if one == form.get("effort", "")), None)
        if status is None or effort is None:
            raise HTTPException(400, f"status must be one of {', '.join(STATUSES)}")
        decision = Decision(status, effort, _name(form, "owner", least=0), one_line(form, "note"))
        action, new = decision.action(Decision(known[target]["status"])), asdict(decision)
        await audited(self.audit, session, action, target, new, now=now)
        row = {"id": target, "dismissed": status in CLOSED, "by": session.who, "at": now}
        await writer.write("dismissals", new | row)
        metrics.ACTIONS.labels(status).inc()

    async def save_view(
        self, session: Session, rollups: RollupReader, target: str, form: Mapping[str, str], now: datetime
    ) -> None:
        """Save a view (`target` is `new`), change it, or delete it. Raises as `act` does."""
        writer = self._writer(session)
        found = {one.id: one for one in await rollups.saved_views(session.actor)}
        if target == NEW:
            view = stored_view(form.get("query", ""))
            if view is None or len(view.query()) > _QUERY:
                raise HTTPException(400, "query must be the address of a view of Explore.")
            if len(found) >= MOST_VIEWS:
                raise HTTPException(400, f"There are {MOST_VIEWS} saved views: delete some first.")
            old = SavedView(uuid4().hex, "", view.query(), "", False, session.actor, session.who)
        elif target not in found:
            raise HTTPException(404, "This saved view does not exist.")
        else:
            old = found[target]
            _own(session, old.owner)
        deleted = bool(form.get("delete"))
        new = old if deleted else replace(
            old, name=_name(form, "name"), dashboard=_name(form, "dashboard", least=0),
            shared=bool(form.get("shared")),
        )  # fmt: skip
        details = {"name": new.name, "dashboard": new.dashboard, "shared": new.shared, "query": new.query}
        await audited(
            self.audit, session, f"views.{'delete' if deleted else 'save'}", new.id, details, now=now
        )
        row = {"tenant": session.tenant, "deleted": deleted, "at": now}
        await writer.write("saved_views", asdict(new) | row)
        metrics.ACTIONS.labels("view").inc()

    async def save_note(
        self, session: Session, rollups: RollupReader, target: str, form: Mapping[str, str], now: datetime
    ) -> None:
        """Write a note (`target` is `new`), or delete it. Raises as `act` does."""
        writer = self._writer(session)
        if target == NEW:
            try:
                at = read_moment(form.get("at", ""), "at", read_zone(form.get("tz", "UTC")))
                note = new_note(form.get("text", ""), at, session.actor, session.who)
            except (ViewError, ValueError) as error:
                raise HTTPException(400, str(error)) from error
        else:
            found = await rollups.note(target)
            if found is None:
                raise HTTPException(404, "This note does not exist.")
            _own(session, found.author)
            note = found
        deleted = target != NEW
        details = {"at": note.at.isoformat(), "text": note.text}
        await audited(
            self.audit, session, f"notes.{'delete' if deleted else 'write'}", note.id, details, now=now
        )
        await writer.write("notes", note.row(session.tenant, now, deleted=deleted))
        metrics.ACTIONS.labels("note").inc()

    def _writer(self, session: Session) -> ActionWriter:
        if self.writer is None or not session.may("editor"):
            raise HTTPException(403, "This needs the role editor, and a console with write access.")
        return self.writer


async def audited(
    log: AuditLog,
    session: Session,
    action: str,
    subject: str,
    details: Mapping[str, object],
    *,
    now: datetime,
) -> None:
    """Write to the audit log what a session does; what cannot be audited is not done. Raises Retryable."""
    entry = Entry(now, session.actor, action, subject, {"tenant": session.tenant, **details}, "")
    await asyncio.to_thread(_append, log, entry)


def _append(log: AuditLog, entry: Entry) -> None:
    try:
        log.append(entry.actor, entry.action, entry.subject, entry.details, entry.at)
    except AuditError as error:
        raise Retryable(str(error)) from error


def _own(session: Session, owner: str) -> None:
    """Refuse what belongs to somebody else, unless it is an admin who asks. Raises HTTPException."""
    if session.actor != owner and not session.may("admin"):
        raise HTTPException(403, "Only who made this, or an admin, may change it.")


def _name(form: Mapping[str, str], field: str, least: int = 1) -> str:
    name = form.get(field, "").strip()
    if not least <= len(name) <= NAME or not name.isprintable():
        raise HTTPException(400, f"{field} must be one line of {least} to {NAME} characters")
    return name


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
