"""The first run: a key, ready lines for each way to send, a wait for the first event, and what to set up next."""

import asyncio

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outlay.setup.desk import Desk
from outlay.setup.guard import OWN, Asked, Guarded
from outlay_console.adapters.readers import TenantReader
from outlay_console.adapters.rollup_reader import Freshness, RollupReader
from outlay_console.pages.request import Dependencies
from outlay_kit.keys import KeyFile, KeyFileError
from outlay_schemas.catalog import Catalog
from outlay_schemas.tenants import alert_note

_NAME = "first run"


class FirstRun:
    """Shows the checklist, and whether the first event is here."""

    def __init__(self, guarded: Guarded, deps: Dependencies, desk: Desk) -> None:
        self._guarded = guarded
        self._deps = deps
        self._desk = desk

    def routes(self) -> list[Route]:
        """Return where they answer."""
        route = self._guarded.route
        return [
            route("/setup/start", self.start),
            route("/setup/start/key", self.key, "POST"),
            route("/setup/start/state", self.state),
        ]

    async def start(self, asked: Asked) -> Response:
        """Show the checklist."""
        return await self._page(asked)

    async def key(self, asked: Asked) -> Response:
        """Create a key that sends events, and show the lines with it, this once."""
        file = KeyFile(self._deps.settings.keys_file, asked.session.actor)
        tenant, now = asked.session.tenant, self._deps.clock.now()
        try:
            key = await asyncio.to_thread(file.create, tenant, ("ingest",), now, _NAME)
        except KeyFileError as error:
            return await self._page(asked, problem=str(error))
        return await self._page(asked, key=key)

    async def state(self, asked: Asked) -> Response:
        """Say whether an event of the tenant was counted."""
        return JSONResponse({"arrived": (await self._fresh(asked)).newest is not None})

    async def _page(self, asked: Asked, key: str = "", problem: str = "") -> Response:
        fresh, known = await self._fresh(asked), self._desk.current()
        steps = {part: self._has(asked, known, part) for part in ("budgets", "channels", "owners")}
        return self._guarded.show(
            asked, "setup_start", 400 if problem else 200, part="start", key=key, problem=problem,
            warning=alert_note(asked.session.tenant),
            arrived=fresh.newest is not None, url=self._deps.settings.ingest_url, now=self._deps.clock.now(),
            steps={part: done for part, done in steps.items() if asked.operator or part in OWN},
        )  # fmt: skip

    async def _fresh(self, asked: Asked) -> Freshness:
        return await RollupReader(TenantReader(self._deps.readers, asked.session.tenant)).fresh()

    @staticmethod
    def _has(asked: Asked, known: Catalog | None, part: str) -> bool:
        items = getattr(known, part) if known is not None else ()
        return any(asked.sees(part, item) for item in items)
