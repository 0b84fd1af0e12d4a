"""What people do on pages: say something about an alert, or dismiss an opportunity. Each is in the audit log first."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from outlay_console import metrics
from outlay_console.adapters.books import Books
from outlay_console.adapters.words import Words
from outlay_console.pages.ask import MissingError
from outlay_console.sessions import Session
from outlay_kit.audit import AuditError, AuditLog
from outlay_kit.errors import Retryable
from outlay_schemas.alerts import ActionKind, AlertAction

_NOTE = 500
_HOURS = 8760
_SAYS: tuple[ActionKind, ...] = get_args(ActionKind)


class FormError(Exception):
    """A form that says what cannot be done; the message says why."""


class MayNotError(Exception):
    """Who is looking may not do that."""


@dataclass(frozen=True)
class Actions:
    """Does what forms ask for, for whoever may."""

    words: Words | None
    """None: this console only shows."""
    audit: AuditLog

    def may(self, session: Session) -> bool:
        """Tell whether pages offer somebody to do things."""
        return self.words is not None and session.admin

    async def say(
        self,
        session: Session,
        books: Books,
        target: str,
        form: Mapping[str, str],
        now: datetime,
    ) -> None:
        """Say something about an alert. Raises MissingError, FormError, MayNotError, Retryable."""
        words = self._words(session)
        found = await books.alert(target)
        if found is None:
            raise MissingError("This alert does not exist")
        say = next((one for one in _SAYS if one == form.get("say")), None)
        if say is None:
            raise FormError(f"say must be one of {', '.join(_SAYS)}")
        target = found[0].rule if say == "snoozed" and form.get("whole") else target
        word = AlertAction(session.tenant, target, say, now, _until(say, form, now), _note(form), session.who)
        details = {"tenant": word.tenant, "say": word.action, "note": word.comment}
        until = {"until": word.until.isoformat()} if word.until else {}
        await self._log(session, "alerts.say", target, {**details, **until}, now)
        await words.say(word)
        metrics.WORDS.labels(say).inc()

    async def dismiss(
        self,
        session: Session,
        books: Books,
        target: str,
        form: Mapping[str, str],
        now: datetime,
    ) -> None:
        """Dismiss an opportunity, or take it back. Raises as `say` does."""
        words = self._words(session)
        if target not in {one["id"] for one in (await books.opportunities()).found}:
            raise MissingError("This opportunity does not exist")
        dismissed, reason = not form.get("back"), _note(form)
        action = "opportunities.dismiss" if dismissed else "opportunities.restore"
        await self._log(session, action, target, {"tenant": session.tenant, "reason": reason}, now)
        await words.dismiss(target, reason, session.who, now, dismissed=dismissed)
        metrics.WORDS.labels("dismissed").inc()

    def _words(self, session: Session) -> Words:
        if self.words is None or not session.admin:
            raise MayNotError("This needs a key with the scope admin, and a console with write access.")
        return self.words

    async def _log(
        self, session: Session, action: str, subject: str, details: Mapping[str, object], now: datetime
    ) -> None:
        """Log before it is done: what cannot be logged is not done."""
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


def _until(say: ActionKind, form: Mapping[str, str], now: datetime) -> datetime | None:
    """Return until when it holds: till just now, if it is taken back; None: as long as the alert lasts."""
    if form.get("back"):
        return now - timedelta(seconds=1)
    if say != "snoozed":
        return None
    text = form.get("hours", "")
    hours = int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0
    if not 0 < hours <= _HOURS:
        raise FormError(f"hours must be a number from 1 to {_HOURS}")
    return now + timedelta(hours=hours)
