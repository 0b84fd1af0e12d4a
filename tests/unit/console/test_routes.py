"""Every route of the console, as its own table lists them, asked by those who may not see what is behind it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from starlette.requests import Request
from starlette.routing import Mount, Route
from structlog.testing import capture_logs

from outlay_console.actions import Actions
from outlay_console.adapters.catalog import CatalogHistory, CatalogView, Rates
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.kafka import ConsumerLag, EventTail, TailEvent
from outlay_console.adapters.readers import Readers
from outlay_console.app import Console
from outlay_console.domain.queries import NEWEST, SHARED
from outlay_console.pages.request import Dependencies
from outlay_console.sessions import Sessions
from outlay_console.settings import Settings
from outlay_console.web import CSP, who
from outlay_kit.audit import AuditLog
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile, KeyRing
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_schemas.catalog.watch import Budget

T = TypeVar("T")
NOW = datetime(2026, 11, 25, 14, 42, tzinfo=UTC)
BUDGETS = tuple(Budget(id=one, name=one, tenant=one, amount=Decimal(5)) for one in ("acme", "globex"))
OPEN = {"/login", "/logout", "/docs", "/docs.css", "/openapi.json"}
"""Routes that answer without a session, and read nothing."""
CLAIMS = {"tenant": "globex", "where": "tenant=globex", "tenant_id": "globex", "tz": "UTC"}
REPORT_CLAIMS = {"where": "tenant=globex", "by": "tenant"}
"""A report refuses a parameter that it does not know."""
HEADERS = dict.fromkeys(("x-tenant", "x-outlay-tenant", "x-clickhouse-user", "x-user"), "globex")


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
        super().__init__(ClickHouseSettings(), 1, 1)
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

    def __init__(self, folder: Path, *, https: bool = False, burst: int = 50) -> None:
        self.clock = FakeClock(NOW)
        self.readers = RecordingReaders()
        self.file = KeyFile(folder / "keys.json")
        scopes = {"acme": ("read",), "globex": ("read",), "sender": ("ingest",), "boss": ("read", "admin")}
        tenants = {"sender": "acme", "boss": "acme"}
        self.keys = {n: self.file.create(tenants.get(n, n), s, NOW) for n, s in scopes.items()}  # type: ignore[arg-type]
        self.ring = KeyRing(folder / "keys.json", self.clock)
        settings = Settings(clickhouse=ClickHouseSettings(), https=https, login_burst=burst)
        kafka = KafkaSettings(bootstrap="127.0.0.1:1")
        catalog = CatalogView(1, NOW, "", Rates("genai-prices", "1", date(2026, 11, 1)), (), BUDGETS)
        self.console = Console(Dependencies(
            settings=settings, sessions=Sessions(self.ring, b"s" * 32, hours=1), readers=self.readers,
            catalog=lambda: catalog, tail=NoTail(kafka, self.clock), consumer_lag=NoLag(kafka, self.clock),
            forecasts=Forecasts(self.readers, patience=1), history=CatalogHistory(self.readers),
            actions=Actions(None, AuditLog(folder / "audit.ndjson")), clock=self.clock,
        ))  # fmt: skip
        scheme = "https" if https else "http"
        transport = httpx.ASGITransport(self.console.app(), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url=f"{scheme}://console", headers={"sec-fetch-site": "same-origin"}
        )

    async def log_in(self, name: str = "acme") -> httpx.Response:
        answer = await self.client.post("/login", data={"key": self.keys[name]})
        assert answer.status_code == 303
        return answer


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with capture_logs():  # a page fails where the store has no row, which is not what is tested
        yield Rig(tmp_path)


def addresses(console: Console) -> list[tuple[str, str]]:
    """Return (method, address) of every route: a new one is tested without a change here."""
    found = []
    for route in console.routes():
        if isinstance(route, Route):
            path = route.path.replace("{report}", "showback").replace("{id}", "a-globex")
            assert "{" not in path, f"{route.path}: say in this test what stands in it"
            found += [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]
        else:
            assert isinstance(route, Mount)
            assert route.path == "/static", "a mount that is not of files: test what is under it"
    assert len(found) > 15
    return found


async def ask(rig: Rig, method: str, path: str, **more: Any) -> httpx.Response | None:
    """Ask; None for a stream, which does not end."""
    try:
        async with asyncio.timeout(0.7 if path.startswith("/stream") else 30):
            headers = {**HEADERS, **more.pop("headers", {})}
            params = REPORT_CLAIMS if path.startswith("/api") else CLAIMS
            return await rig.client.request(method, path, params=params, headers=headers, **more)
    except TimeoutError:
        return None


async def test_no_route_reads_anything_for_who_has_no_session(rig: Rig) -> None:
    await rig.log_in("globex")
    ((name, cookie),) = rig.client.cookies.items()
    body, _, signature = cookie.rpartition(".")
    forged = [
        "",
        "acme",
        body,
        f"{body}.",
        f"{body}.{signature[::-1]}",
        f"{body[:-2]}7e.{signature}",
        f"00{cookie}",
    ]
    keys = ["", "acme", "out_live_000000000000_" + "x" * 32, rig.keys["sender"], rig.keys["acme"][:-1]]
    tries = [{"cookie": f"{name}={one}"} for one in forged] + [
        {"authorization": f"Bearer {one}"} for one in keys
    ]
    rig.client.cookies.clear()
    for method, path in addresses(rig.console):
        if path in OPEN:
            continue
        for headers in tries:
            answer = await ask(rig, method, path, headers=headers)
            assert answer is not None, (method, path, headers)
            to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
            assert to_login or answer.status_code in (401, 429), (method, path, headers, answer.status_code)
    assert not rig.readers.store.asked


async def test_every_question_of_every_route_is_about_the_tenant_of_the_session(rig: Rig) -> None:
    await rig.log_in("boss")
    key = {"authorization": f"Bearer {rig.keys['boss']}"}
    silent = []
    for method, path in addresses(rig.console):
        if path in OPEN:
            continue
        rig.readers.store.asked.clear()
        form = {"tenant": "globex", "action": "expected"} if method == "POST" else None
        await ask(rig, method, path, headers=key, data=form)
        for sql, bound in rig.readers.store.asked:
            of_acme = any(value in ("acme", ["acme"], ("acme",)) for value in bound.values())
            assert of_acme or sql in SHARED, (method, path, sql, bound)
            assert "globex" not in sql
        if not rig.readers.store.asked:
            silent.append(path)
    quiet = {"/live", "/stream/events", "/event"}
    assert {path for path in silent if not path.endswith(("/actions", "/dismiss"))} <= quiet


async def test_no_route_that_changes_something_is_taken_from_another_site(rig: Rig) -> None:
    await rig.log_in("boss")
    changing = [path for method, path in addresses(rig.console) if method == "POST"]
    assert len(changing) >= 4
    sites: list[dict[str, str]] = [
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site", "origin": "http://other.console"},
        {"sec-fetch-site": "none", "origin": "http://evil"}, {"sec-fetch-site": "cross-site", "origin": "http://console"},
        {"sec-fetch-site": "", "origin": "null"}, {"sec-fetch-site": "cross-site", "x-http-method-override": "POST"},
    ]  # fmt: skip
    for path in changing:
        for headers in sites:
            answer = await rig.client.post(
                path, headers=headers, data={"action": "expected", "key": rig.keys["globex"]}
            )
            assert answer.status_code == 403, (path, headers)
            assert "set-cookie" not in answer.headers
        assert (await rig.client.get(path)).status_code in (303, 405, 200, 404), path
    assert not rig.readers.store.asked


async def test_every_answer_has_the_headers_that_bind_a_browser(rig: Rig) -> None:
    await rig.log_in()
    asked = [(method, path) for method, path in addresses(rig.console) if not path.startswith("/stream")]
    asked += [("GET", "/nowhere"), ("DELETE", "/"), ("GET", "/static/app.js"), ("GET", "/%2e%2e/etc/passwd")]
    for method, path in asked:
        answer = await ask(rig, method, path)
        assert answer is not None
        assert answer.headers["content-security-policy"] == CSP, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in answer.headers
        assert "no-store" in answer.headers["cache-control"] or path.startswith("/static/"), path
    for word in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert word in CSP
    assert "unsafe" not in CSP
    assert "*" not in CSP


@pytest.mark.parametrize("https", [False, True])
async def test_a_login_makes_a_cookie_of_its_own_that_scripts_and_other_sites_do_not_get(
    tmp_path: Path, https: bool
) -> None:
    rig = Rig(tmp_path, https=https)
    name = "__Host-outlay" if https else "outlay"
    fixed = {"cookie": f"{name}=chosen-by-the-attacker"}
    assert (await rig.client.get("/", headers=fixed)).headers["location"] == "/login"
    answer = await rig.client.post("/login", headers=fixed, data={"key": rig.keys["acme"]})
    written = answer.headers["set-cookie"]
    assert written.startswith(f"{name}=")
    assert "chosen-by-the-attacker" not in written
    parts = {part.strip().lower() for part in written.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= parts
    assert ("secure" in parts) is https
    assert not any(part.startswith("domain") for part in parts)


async def test_a_cookie_ends_with_its_key(rig: Rig) -> None:
    await rig.log_in()
    rig.file.revoke(rig.keys["acme"].split("_")[2], NOW)
    rig.ring.refresh()
    assert (await rig.client.get("/")).headers["location"] == "/login"


async def test_guesses_are_slowed_whatever_the_sender_says_of_its_address(tmp_path: Path) -> None:
    rig = Rig(tmp_path, burst=3)
    statuses = []
    for n in range(6):
        headers = {
            "x-forwarded-for": f"10.0.0.{n}",
            "forwarded": f"for=10.0.0.{n}",
            "x-real-ip": f"10.0.0.{n}",
        }
        answer = await rig.client.post(
            "/login", headers=headers, data={"key": f"out_live_{n:012d}_" + "x" * 32}
        )
        statuses.append(answer.status_code)
    assert statuses == [401] * 3 + [429] * 3
    assert int(answer.headers["retry-after"]) > 0
    right = {"authorization": f"Bearer {rig.keys['acme']}"}
    assert (await rig.client.get("/metrics/money", headers=right)).status_code != 429


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False), ("::ffff:192.0.2.1", "192.0.2.1", True), ("fe80::1%eth0", "fe80::2", True),
        ("unix", "unix", True),
    ],
)  # fmt: skip
def test_a_network_that_one_sender_has_whole_counts_as_one_address(
    first: str, second: str, same: bool
) -> None:
    one, other = (
        who(Request({"type": "http", "client": (host, 1), "headers": []})) for host in (first, second)
    )
    assert (one == other) is same


async def test_a_session_ends_by_itself(rig: Rig) -> None:
    await rig.log_in()
    rig.clock.advance(timedelta(hours=2).total_seconds())
    assert (await rig.client.get("/")).headers["location"] == "/login"
