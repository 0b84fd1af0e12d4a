"""A console without a store: every route of its table, with a store that notes what it is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.routing import Mount, Route

from outlay.setup.price_list import CatalogPrices
from outlay_console.actions import Actions
from outlay_console.adapters.catalog import CatalogHistory, CatalogView, Rates
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.kafka import ConsumerLag, EventTail, TailEvent
from outlay_console.adapters.oidc import OidcClient
from outlay_console.adapters.readers import Readers
from outlay_console.app import Console, More
from outlay_console.domain.queries import NEWEST
from outlay_console.domain.roles import Role
from outlay_console.pages.request import Dependencies
from outlay_console.sessions import Sessions
from outlay_console.settings import OidcSettings, Settings
from outlay_kit.audit import AuditLog
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile, KeyRing
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget

T = TypeVar("T")
NOW = datetime(2026, 11, 25, 14, 42, tzinfo=UTC)
BUDGETS = tuple(Budget(id=one, name=one, tenant=one, amount=Decimal(5)) for one in ("acme", "globex"))


class RecordingStore:
    """Notes what is asked of ClickHouse, and has no row."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    def rows(self, sql: str, bound: Mapping[str, object] | None = None, **_: object) -> list[dict[str, Any]]:
        self.asked.append((sql, bound or {}))
        return [{"windows": 0}] if sql == NEWEST else []

    def raw(self, sql: str, bound: Mapping[str, object] | None = None, **_: object) -> bytes:
        self.asked.append((sql, bound or {}))
        return b""


class RecordingReaders(Readers):
    """Asks the recording store."""

    def __init__(self) -> None:
        super().__init__(ClickHouseSettings(), 1, 1, ping_seconds=1)
        self.store = RecordingStore()

    async def call(self, ask: Callable[[ClickHouseClient], T]) -> T:
        return ask(self.store)  # type: ignore[arg-type]


class NoTail(EventTail):
    """Has no event."""

    @asynccontextmanager
    async def listen(self, tenant: str) -> AsyncIterator[asyncio.Queue[TailEvent]]:
        assert tenant == "acme"
        yield asyncio.Queue()


class NoLag(ConsumerLag):
    """Knows nothing."""

    async def read(self) -> Mapping[str, int | None]:
        return {}


class Rig:
    """A console of two tenants whose store notes what it is asked."""

    def __init__(
        self, folder: Path, *, https: bool = False, burst: int = 50, oidc: OidcSettings | None = None,
        more: Callable[[Dependencies], More] | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        """`more`: pages of other packages, and `settings` that they need."""
        self.clock = FakeClock(NOW)
        self.readers = RecordingReaders()
        self.file = KeyFile(folder / "keys.json")
        scopes = {"acme": ("read",), "globex": ("read",), "sender": ("ingest",), "boss": ("read", "admin")}
        tenants = {"sender": "acme", "boss": "acme"}
        self.keys = {n: self.file.create(tenants.get(n, n), s, NOW) for n, s in scopes.items()}  # type: ignore[arg-type]
        self.ring = KeyRing(folder / "keys.json", self.clock)
        kafka = KafkaSettings(bootstrap="127.0.0.1:1")
        known = Settings(
            clickhouse=ClickHouseSettings(), kafka=kafka, https=https, login_burst=burst,
            oidc=oidc or OidcSettings(), keys_file=folder / "keys.json", **settings,
        )  # fmt: skip
        catalog = CatalogView(1, NOW, "", Rates("genai-prices", "1", date(2026, 11, 1)), (), BUDGETS)
        content = Catalog(revision=1, created_at=NOW)
        self.log = AuditLog(folder / "audit.ndjson")
        deps = Dependencies(
            settings=known, readers=self.readers,
            sessions=Sessions(self.ring, b"s" * 32, hours=1, grants=known.oidc.grants),
            catalog=lambda: catalog, tail=NoTail(kafka, self.clock), consumer_lag=NoLag(kafka, self.clock),
            forecasts=Forecasts(self.readers, patience=1), history=CatalogHistory(self.readers, known.operator),
            actions=Actions(None, self.log), clock=self.clock,
            oidc=OidcClient(known.oidc, self.clock) if oidc else None,
            price_list=CatalogPrices(lambda: content, lambda _: content),
        )  # fmt: skip
        self.console = Console(deps, more(deps) if more else None)
        scheme = "https" if https else "http"
        transport = httpx.ASGITransport(self.console.app(), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url=f"{scheme}://console", headers={"sec-fetch-site": "same-origin"}
        )

    async def log_in(self, name: str = "acme") -> httpx.Response:
        answer = await self.client.post("/login", data={"key": self.keys[name]})
        assert answer.status_code == 303
        return answer

    def log_in_as(self, role: Role, tenant: str = "acme", *, team: bool = False, name: str = "u") -> None:
        """Log a person in who has a role, of a team if `team` is set, as the identity provider's answer does."""
        group = f"{tenant} {role}{' of growth' if team else ''}"
        cookie = self.console.login.sessions.open_person({"sub": name, "groups": [group]}, NOW)
        assert cookie is not None
        self.client.cookies.set("outlay", cookie)


def addresses(console: Console) -> list[tuple[str, str]]:
    """Return (method, address) of every route: a new one is tested without a change here."""
    found = []
    for route in console.routes():
        if isinstance(route, Route):
            path = route.path.replace("{report}", "showback").replace("{id}", "a-globex")
            path = path.replace("{part}", "budgets").replace("{revision:int}", "1")
            assert "{" not in path, f"{route.path}: say in this test what stands in it"
            found += [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]
        else:
            assert isinstance(route, Mount)
            assert route.path == "/static", "a mount that is not of files: test what is under it"
    assert len(found) > 15
    return found
