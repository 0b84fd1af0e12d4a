"""A console over the real engine, with the data of two tenants, asked as a browser asks."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
from tests.support.ledger import cost_event, random_events, write
from tests.support.stack import Stack

from outlay.catalog import load_default
from outlay.setup.price_list import CatalogPrices
from outlay_console.actions import Actions, ActionWriter
from outlay_console.adapters.catalog import CatalogHistory, CatalogView, Rates
from outlay_console.adapters.forecasts import Forecasts
from outlay_console.adapters.kafka import ConsumerLag, EventTail
from outlay_console.adapters.readers import Readers
from outlay_console.app import Console
from outlay_console.domain.roles import Grant
from outlay_console.pages.request import Dependencies
from outlay_console.sessions import Sessions
from outlay_console.settings import Settings
from outlay_kit.audit import AuditLog
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile, KeyRing
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange
from outlay_kit.topics import create_topics
from outlay_schemas import topics
from outlay_schemas.alerts import Alert, Contributor
from outlay_schemas.catalog import Match, Share, Split
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import CostEvent, encoder
from outlay_schemas.money import Usd

NOW = datetime(2026, 11, 25, 14, 42, 7, tzinfo=UTC)
BASE = "http://console"
SECRET = "zebra-crossing"
"""The name of the other tenant's team: it may be on no page of ours."""
MARK = """"'><x-mark onload=alert(1)>"""
"""The name of everything of the tenant `mallory`: it may be an element of no page."""
NAMES = {"globex": SECRET, "mallory": MARK}
PAGES = (
    "/",
    "/explore",
    "/events",
    "/views",
    "/budgets",
    "/alerts",
    "/prices",
    "/prices/model?provider=openai&sku=gpt-5-mini",
    "/opportunities",
    "/quality",
    "/live",
)
BUDGETS = (
    Budget(id="growth", name="Growth team", tenant="acme", scope={"team": ("growth",)}, amount=Decimal(500)),
    Budget(id="mark", name=MARK, tenant="mallory", amount=Decimal(5)),
    Budget(id="other", name="Zebra budget", tenant="globex", amount=Decimal(5)),
)
SPLITS = (
    Split(
        id="mini", match=Match(sku=("gpt-5-mini",)), method="even",
        shares=(Share(sets={"team": "growth"}), Share(sets={"team": "platform"})),
    ),
)  # fmt: skip


@dataclass
class Rig:
    """The application, its keys, and the data of `acme`."""

    dependencies: Dependencies
    keys_file: Path
    keys: dict[str, str]
    events: Sequence[CostEvent]

    def client(self) -> httpx.AsyncClient:
        """Return a browser without cookies."""
        transport = httpx.ASGITransport(app=Console(self.dependencies).app(), raise_app_exceptions=False)
        return httpx.AsyncClient(
            transport=transport, base_url=BASE, headers={"sec-fetch-site": "same-origin"}
        )

    async def logged_in(self, tenant: str = "acme") -> httpx.AsyncClient:
        """Return a browser that is logged in."""
        client = self.client()
        answer = await client.post("/login", data={"key": self.keys[tenant]})
        assert answer.status_code == 303
        return client

    def person(self, group: str, grants: Sequence[Grant]) -> httpx.AsyncClient:
        """Return the browser of somebody in a group of the identity provider."""
        sessions = Sessions(KeyRing(self.keys_file, FakeClock(NOW)), b"secret", hours=1, grants=grants)
        client = replace(self, dependencies=replace(self.dependencies, sessions=sessions)).client()
        cookie = sessions.open_person({"sub": "u", "groups": [group]}, NOW)
        assert cookie is not None
        client.cookies.set("outlay", cookie)
        return client

    def spent(self, start: datetime, end: datetime, **scope: str) -> Decimal:
        """Return the sum by the oracle."""
        return sum(
            (
                Decimal(e.cost or 0)
                for e in self.events
                if start <= e.time < end and all(getattr(e, k) == v for k, v in scope.items())
            ),
            Decimal(0),
        )


def make(stack: Stack, folder: Path, database: str = "console", now: datetime = NOW) -> Rig:
    """Fill the ledger of `acme` and `globex`, and put a console over them."""
    create_topics(stack.kafka, topics.ALL)
    writer = stack.writer.model_copy(update={"database": database})
    migrate(writer)
    events = random_events("acme", TimeRange(now - timedelta(days=3), now), 300, seed=9)
    write(writer, events)
    secret = cost_event("globex", 1, now - timedelta(hours=1), "77.5", team=SECRET, sku=SECRET)
    secret.accepted_ms = int((secret.time + timedelta(seconds=20)).timestamp() * 1000)
    write(writer, [secret])
    marked = cost_event("mallory", 2, now - timedelta(hours=2), "3.5", tags={MARK: MARK})
    for name in ("team", "business_unit", "user", "sku", "provider", "id", "source", "project"):
        setattr(marked, name, MARK)
    marked.accepted_ms = int((marked.time + timedelta(seconds=20)).timestamp() * 1000)
    write(writer, [marked])
    for tenant in ("acme", "globex", "mallory"):
        _add(writer, tenant, now)
    files = KeyFile(folder / "keys.json")
    keys = {tenant: files.create(tenant, ("read",), now) for tenant in ("acme", "globex", "mallory", "empty")}
    for newcomer in ("newcomer", "starter"):
        keys[newcomer] = files.create(newcomer, ("read", "admin"), now)
    keys["kim"] = files.create("acme", ("read", "admin"), now, name="kim")
    _keep(writer, now)
    reader = stack.reader.model_copy(update={"database": database})
    return Rig(dependencies(stack, reader, folder), folder / "keys.json", keys, events)


def dependencies(
    stack: Stack, reader: ClickHouseSettings, folder: Path, ping_seconds: float = 20
) -> Dependencies:
    """Wire a console as main.py does, at a time that stands still. A test machine may be slow: no ping ends soon."""
    clock = FakeClock(NOW)
    settings = Settings(clickhouse=reader, kafka=stack.kafka, login_burst=5)
    readers = Readers(reader, 2, 60, ping_seconds)
    writer = stack.writer.model_copy(update={"database": reader.database})
    catalog = CatalogView(3, NOW, "", Rates("genai-prices", "0.2.3", date(2026, 11, 1)), (), BUDGETS, SPLITS)
    content = load_default()
    return Dependencies(
        price_list=CatalogPrices(lambda: content, lambda _: content),
        settings=settings,
        sessions=Sessions(KeyRing(folder / "keys.json", clock), b"secret", hours=1),
        readers=readers,
        catalog=lambda: catalog,
        tail=EventTail(stack.kafka, clock),
        consumer_lag=ConsumerLag(stack.kafka, clock),
        forecasts=Forecasts(readers, patience=20),
        history=CatalogHistory(readers, settings.operator),
        actions=Actions(ActionWriter(writer, ping_seconds), AuditLog(folder / "audit.ndjson")),
        clock=clock,
    )


def _add(settings: ClickHouseSettings, tenant: str, now: datetime) -> None:
    """Add an alert and a dead dead_letter."""
    name = NAMES.get(tenant, "growth")
    alert = Alert(
        id=f"a-{tenant}", tenant=tenant, rule="spikes", rule_type="spend_spike", scope={"team": name},
        window=(now - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0), level="spike",
        severity="critical", state="firing",
        title=f"Spend of {name} is 5 times what is usual", summary=f"{name} <b>spent</b> more.", expected=Usd("1"),
        actual=Usd("5"), contributors=[Contributor("sku", name, Usd("4"))], at=now - timedelta(hours=1), query="",
    )  # fmt: skip
    row = {"tenant": tenant, "id": alert.id, "rule": alert.rule, "state": "firing", "seq": 1,
           "window": alert.window, "body": encoder.encode(alert).decode()}  # fmt: skip
    dead_letter = {"id": f"l-{tenant}", "tenant": tenant, "stage": "ingest", "code": f"bad_{name}", "path": "$.usage",
              "message": f"{name} is wrong", "at": now, "body": "", "topic": "", "line": 0}  # fmt: skip
    clickhouse = ClickHouseClient(settings)
    clickhouse.insert_json_lines("alerts", encoder.encode(row))
    clickhouse.insert_json_lines("dead_letters", encoder.encode(dead_letter))
    snooze = {
        "tenant": tenant,
        "target": "spikes",
        "action": "snoozed",
        "until": now + timedelta(hours=8),
        "comment": f"{name} launch",
        "at": now,
    }
    clickhouse.insert_json_lines("alert_actions", encoder.encode(snooze))
    twice = {
        "tenant": tenant,
        "source": name,
        "id": "twice",
        "time": now,
        "fingerprint": 1,
        "cost": "1",
        "revision": 1,
    }
    clickhouse.insert_json_lines("conflicts", encoder.encode(twice))
    view = {"tenant": tenant, "id": f"v-{tenant}", "name": name, "query": "?range=7d&tz=UTC&by=sku",
            "dashboard": name, "shared": True, "owner": f"key {name}", "owner_name": name, "at": now}  # fmt: skip
    private = view | {"id": f"p-{tenant}", "name": f"private of {name}", "shared": False}
    clickhouse.insert_json_lines("saved_views", b"\n".join(map(encoder.encode, (view, private))))
    note = {"tenant": tenant, "id": f"n-{tenant}", "at": now - timedelta(minutes=90), "text": f"{name} launched",
            "author": f"key {name}", "author_name": name, "written_at": now}  # fmt: skip
    clickhouse.insert_json_lines("notes", encoder.encode(note))
    look = {
        "tenant": tenant,
        "evaluated_at": now,
        "since": now - timedelta(days=3),
        "until": now,
        "events": 300,
    }
    found = {"kind": "batch tier", "team": name, "project": "p", "provider": "openai", "sku": name, "cost": "40",
             "recommendation": "send it as a batch", "prerequisite": "can it wait for hours?",
             "saving": "20"}  # fmt: skip
    saved = [look | {"id": "", "saving": "1.5"}, look | found | {"id": f"o-{tenant}"}]
    clickhouse.insert_json_lines("opportunities", b"\n".join(encoder.encode(row) for row in saved))
    clickhouse.close()


def _keep(settings: ClickHouseSettings, now: datetime) -> None:
    """Keep two catalogs, the second with another price book and newer prices of models."""
    clickhouse = ClickHouseClient(settings)
    for revision, version in ((1, "0.2.2"), (2, "0.2.3")):
        price_books = [{"name": "cloud", "version": str(revision)}]
        body = {"rates": {"source": "genai-prices", "version": version}, "price_books": price_books}
        at = now - timedelta(days=3 - revision)
        row = {"revision": revision, "created_at": at, "note": "by kim", "body": json.dumps(body)}
        clickhouse.insert_json_lines("catalogs", encoder.encode(row))
    clickhouse.close()


def chart_of(page: str) -> dict[str, list[object]]:
    """Return the data of a page's chart."""
    match = re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    found: dict[str, list[object]] = json.loads(match[1])
    return found


def table_of(page: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the names of the columns of the table under the chart, and its rows by their labels."""
    found = re.search(r"Show as a table</summary>.*?</table>", page, re.DOTALL)
    assert found is not None
    names = re.findall(r'<th scope="col" class="num">(.*?)</th>', found[0])
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', found[0])
    assert rows
    return names, {label: re.findall(r'<td class="num">(.*?)</td>', cells) for label, cells in rows}
