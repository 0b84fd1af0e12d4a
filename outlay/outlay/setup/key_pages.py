"""The page of API keys: created and shown once, listed, revoked; the same file as `outlay keys`."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from outlay.setup.guard import Asked, Guarded
from outlay_console.web import read_form
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.keys import SCOPES, ApiKey, KeyFile, KeyFileError
from outlay_kit.telemetry import get_logger
from outlay_schemas.tenants import DEMO_TENANT, alert_note

log = get_logger(__name__)
T = TypeVar("T")


class KeyPages:
    """Shows and changes the keys of the session's tenant; of every tenant to an operator."""

    def __init__(
        self, guarded: Guarded, path: Path, tell: Callable[[str, datetime], None], clock: Clock
    ) -> None:
        """`tell`: tells services with another copy of the key file when a key ends; raises Retryable."""
        self._guarded = guarded
        self._path = path
        self._tell = tell
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return where they answer."""
        route = self._guarded.route
        return [
            route("/setup/keys", self.keys),
            route("/setup/keys/create", self.create, "POST"),
            route("/setup/keys/{id}/revoke", self.revoke, "POST"),
        ]

    async def keys(self, asked: Asked) -> Response:
        """Show the keys in force; their secrets are not kept."""
        return await self._page(asked)

    async def create(self, asked: Asked) -> Response:
        """Create a key and show it, this once."""
        form = await read_form(asked.request)
        tenant = (form.get("tenant", "").strip() if asked.operator else "") or asked.session.tenant
        scopes = tuple(one for one in SCOPES if form.get(f"scope.{one}"))
        if not scopes:
            return await self._page(asked, "Choose at least one scope.", form=form)
        name = form.get("name", "").strip()
        try:
            key = await self._file(asked, lambda file: file.create(tenant, scopes, self._clock.now(), name))
        except KeyFileError as error:
            return await self._page(asked, str(error), form=form)
        return await self._page(asked, created=key, note=alert_note(tenant))

    async def revoke(self, asked: Asked) -> Response:
        """Revoke a key; services refuse it within a second."""
        key_id, now = asked.request.path_params["id"], self._clock.now()
        if all(one.id != key_id for one in await self._seen(asked)):
            raise HTTPException(404, "This key does not exist, or is not in force any more.")
        try:
            await self._file(asked, lambda file: file.revoke(key_id, now))
        except KeyFileError as error:
            return await self._page(asked, str(error))
        try:
            await asyncio.to_thread(self._tell, key_id, now)
        except Retryable as error:
            log.warning("a key was revoked in the key file alone", key=key_id, error=str(error))
            problem = (
                f"{key_id} is revoked here, but not for services with another copy of the key file: {error}"
            )
            return await self._page(asked, problem)
        return RedirectResponse("/setup/keys", 303)

    async def _page(
        self,
        asked: Asked,
        problem: str = "",
        *,
        created: str = "",
        note: str = "",
        form: dict[str, str] | None = None,
    ) -> Response:
        found = sorted(await self._seen(asked), key=lambda key: key.created, reverse=True)
        return self._guarded.show(
            asked, "setup_keys", 400 if problem else 200, part="keys", keys=found, scopes=SCOPES, created=created,
            problem=problem, form=form or {}, tenant=asked.session.tenant, note=note,
            warning=alert_note(DEMO_TENANT if asked.operator else asked.session.tenant),
        )  # fmt: skip

    async def _seen(self, asked: Asked) -> list[ApiKey]:
        try:
            known = await self._file(asked, lambda file: file.all())
        except KeyFileError as error:
            raise HTTPException(503, str(error)) from error
        now = self._clock.now()
        return [key for key in known if key.opens(now) and asked.scope in ("", key.tenant)]

    async def _file(self, asked: Asked, use: Callable[[KeyFile], T]) -> T:
        return await asyncio.to_thread(use, KeyFile(self._path, asked.session.actor))
