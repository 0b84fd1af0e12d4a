"""A console with the pages of set-up over a catalog in memory."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.routing import Route

from outlay.catalog.diff import changes
from outlay.catalog.publish import ConflictError
from outlay.setup.desk import Desk, Plan, Revision
from outlay.setup.first_run import FirstRun
from outlay.setup.guard import Audit, Guarded
from outlay.setup.key_pages import KeyPages
from outlay.setup.pages import CatalogPages
from outlay_console.actions import Actions
from outlay_console.adapters.catalog import CatalogHistory
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.kafka import ConsumerLag, EventTail
from outlay_console.adapters.readers import Readers
from outlay_console.app import Console, Shell
from outlay_console.domain.queries import NEWEST
from outlay_console.pages.request import Dependencies
from outlay_console.sessions import Sessions
from outlay_console.settings import Settings
from outlay_kit.audit import AuditLog
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile, KeyRing
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget

T = TypeVar("T")
NOW = datetime(2026, 11, 25, 14, 42, tzinfo=UTC)


class _Empty:
    def rows(self, sql: str, bound: object = None, **_: object) -> list[dict[str, Any]]:
        return [{"windows": 0}] if sql == NEWEST else []


class NoRows(Readers):
    """ClickHouse without a row."""

    async def call(self, ask: Callable[[ClickHouseClient], T]) -> T:
        return ask(_Empty())  # type: ignore[arg-type]


class MemoryDesk(Desk):
    """Keeps revisions in a list, and tries nothing on the past."""

    def __init__(self) -> None:
        super().__init__(KafkaSettings(bootstrap="127.0.0.1:1"), ClickHouseSettings(), FakeClock(NOW))
        own = Budget(id="g", name="Globex", tenant="globex", amount=Decimal(5))
        everyone = Budget(id="all", name="Everyone", tenant="*", amount=Decimal(7))
        self.kept = [Catalog(revision=1, created_at=NOW, budgets=(own, everyone))]
        self.rival: Catalog | None = None

    def current(self) -> Catalog:
        return self.kept[-1]

    def plan(self, old: Catalog, new: Catalog, part: str, tenant: str) -> Plan:
        return Plan(changes(old, new), None, [], [])

    def publish(self, new: Catalog, after: int, author: str, note: str) -> int:
        if self.rival is not None:
            self.kept.append(self.rival)
        if self.current().revision != after:
            raise ConflictError(self.current(), after)
        stamp = {"revision": after + 1, "author": author, "note": note, "created_at": NOW}
        self.kept.append(new.model_copy(update=stamp))
        return after + 1

    def revisions(self, most: int = 100) -> list[Revision]:
        return [Revision(c.revision, c.created_at, c.author, c.note) for c in reversed(self.kept)]

    def revision(self, number: int) -> Catalog | None:
        return next((one for one in self.kept if one.revision == number), None)


class SetupRig:
    """A console with set-up. `boss` is an admin of the operator's tenant, `lead` one of globex."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock(NOW)
        self.desk = MemoryDesk()
        self.file = KeyFile(folder / "keys.json")
        self.keys = {name: self.file.create(name, ("read",), NOW) for name in ("acme", "globex")}
        self.keys["boss"] = self.file.create("default", ("read", "admin"), NOW, "kim")
        self.keys["lead"] = self.file.create("globex", ("read", "admin"), NOW)
        self.ring = KeyRing(folder / "keys.json", self.clock)
        self.log = AuditLog(folder / "audit.ndjson")
        readers, kafka = NoRows(ClickHouseSettings(), 1, 1), KafkaSettings(bootstrap="127.0.0.1:1")
        deps = Dependencies(
            settings=Settings(keys_file=folder / "keys.json", kafka=kafka, login_burst=50),
            sessions=Sessions(self.ring, b"s" * 32, hours=1), readers=readers, catalog=lambda: None,
            tail=EventTail(kafka, self.clock), consumer_lag=ConsumerLag(kafka, self.clock),
            forecasts=Forecasts(readers, patience=1), history=CatalogHistory(readers),
            actions=Actions(None, self.log), clock=self.clock,
        )  # fmt: skip
        audit = Audit(self.log, self.clock)

        def more(shell: Shell) -> list[Route]:
            guarded = Guarded(shell, "default")
            keys = KeyPages(folder / "keys.json", deps.settings.kafka, self.clock)
            first = FirstRun(deps, self.desk)
            return [
                *keys.routes(guarded), *first.routes(guarded),
                *CatalogPages(self.desk, audit, self.clock).routes(guarded),
            ]  # fmt: skip

        self.console = Console(deps, more)
        transport = httpx.ASGITransport(self.console.app(), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://console", headers={"sec-fetch-site": "same-origin"}
        )
        self.found: list[Route] = [
            r for r in self.console.routes() if isinstance(r, Route) and "/setup" in r.path
        ]

    def addresses(self) -> list[tuple[str, str]]:
        found = []
        for route in self.found:
            path = route.path.replace("{part}", "budgets").replace("{id}", "g").replace("{revision:int}", "1")
            assert "{" not in path, path
            found += [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]
        assert len(found) > 12
        return found

    async def log_in(self, name: str) -> None:
        assert (await self.client.post("/login", data={"key": self.keys[name]})).status_code == 303

    async def post(self, path: str, **form: str) -> httpx.Response:
        data = {"base": str(self.desk.current().revision), "key": "", "type": ""} | form
        return await self.client.post(path, data=data)
