"""Re-pricing on the real bus and the real engine: by itself, by hand, explained afterwards."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.processes import Service
from tests.support.stack import Stack
from tests.support.waiting import until
from typer.testing import CliRunner, Result

from outlay.catalog import load_default
from outlay.catalog.publish import newest, publish
from outlay.main import app
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.settings import KafkaSettings
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_schemas.catalog import Catalog, Owner, PriceBook
from outlay_schemas.events import CostEvent
from outlay_schemas.topics import USAGE_EVENTS

pytestmark = pytest.mark.stack
CLOCK = SystemClock()


class System:
    """The services, and one tenant with events of its own."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.tenant = f"r-{uuid.uuid4().hex[:8]}"
        self.kafka = stack.kafka
        self.clickhouse = ClickHouseClient(stack.reader)
        self.ledger = LedgerReader(self.clickhouse, piece=20)
        names = {
            "OUTLAY_PRICER_GROUP": f"pricer-{self.tenant}",
            "OUTLAY_AGGREGATOR_GROUP": f"aggregator-{self.tenant}",
            "OUTLAY_REPRICER_EVERY_SECONDS": "0.5",
        }
        modules = ("outlay_aggregator.main", "outlay_pricer.main", "outlay_pricer.repricing.main")
        for module in modules:
            Service(module, folder / f"{module}.log", {**stack.environment, **names}).start()

    def feed(self, *events: dict[str, Any]) -> None:
        plain = {"source": "it", "time": "2026-11-24T11:00:00Z", "tenant": self.tenant, "kind": "custom"}
        sink = KafkaSink(self.kafka)
        deliver(sink, USAGE_EVENTS.name, [json.dumps({**plain, **event}).encode() for event in events])
        sink.close()

    def rows(self, **wanted: Any) -> dict[str, CostEvent]:
        return {cost.id: cost for cost in self.ledger.events(Selection(tenant=self.tenant, **wanted))}

    def publish(self, price: str | None, *owners: Owner) -> int:
        """Put a catalog in force in which a widget of ours costs `price`."""
        rules = [] if price is None else [
            {"id": "widget", "sku": f"widget-{self.tenant}", "prices": [{"meters": {"widgets": {"price": price}}}]}
        ]  # fmt: skip
        book = PriceBook.model_validate({"name": "own", "version": price or "0", "rules": rules})
        base = load_default()
        content = base.model_copy(update={"price_books": (*base.price_books, book), "owners": owners})
        return publish(self.kafka, content, CLOCK)


@pytest.fixture
def system(stack: Stack, kafka: KafkaSettings, tmp_path: Path) -> System:
    return System(stack, tmp_path)


@pytest.fixture
def outlay(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command against the stack, as its reader."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    return run


def test_history_is_priced_again(system: System, outlay: Any, tmp_path: Path) -> None:
    sku = f"widget-{system.tenant}"
    first = system.publish(None)
    old = {"id": "old", "sku": sku, "usage": {"widgets": 1}, "time": "2026-10-31T23:59:59Z"}
    minutes = [f"2026-11-24T11:{minute:02d}:00Z" for minute in range(10)]
    system.feed(
        *({"id": f"w{n}", "sku": sku, "usage": {"widgets": "2.0"}, "time": at} for n, at in enumerate(minutes)),
        {"id": "call", "kind": "llm", "provider": "anthropic", "sku": "claude-sonnet-4-5", "user": "u-1",
         "usage": {"input_tokens": 1000}, "attributes": {"service_tier": "batch"}},
        old,
    )  # fmt: skip
    until(lambda: len(system.rows()) == 12, 60, "everything in the ledger")
    assert {cost.price_status for cost in system.rows(sku=sku).values()} == {"unpriced"}

    second = system.publish("1.5")
    until(lambda: not system.rows(unsure=True), 60, "what had no price has one")
    rows = system.rows()
    assert {cost.cost for name, cost in rows.items() if name not in {"call", "old"}} == {"3"}
    assert {cost.revision for name, cost in rows.items() if name != "call"} == {second}
    assert rows["call"].revision == first, "what had a price is left alone"
    until(lambda: _rollup(system) == ["31.5015"], 30, "the rollups follow")
    kept = system.clickhouse.rows(
        "SELECT revision, body FROM catalogs FINAL WHERE revision >= {r:UInt64}", {"r": first}
    )
    assert {row["revision"] for row in kept} >= {first, second}

    _read_in_pieces(system)
    closed = outlay("periods", "close", "2026-10", "--tenant", system.tenant, "--json")
    assert closed.exit_code == 0, closed.stderr
    third = system.publish(
        "2", Owner.model_validate({"key": "user", "value": "u-1", "sets": {"team": "growth"}})
    )
    _by_hand(system, outlay, third)
    sql = (
        "SELECT id FROM ledger WHERE tenant = {tenant:String}"
        " GROUP BY source, id HAVING min(fingerprint) != max(fingerprint)"
    )
    assert system.clickhouse.rows(sql, {"tenant": system.tenant}) == [], (
        "a new price is not a conflict of two bodies"
    )
    _explained(system, outlay, second, third)
    _planned_and_published(system, outlay, tmp_path / "catalog")


def _rollup(system: System) -> list[str]:
    sql = "SELECT toString(sum(cost)) AS cost FROM costs_hourly WHERE tenant = {tenant:String}"
    return [row["cost"] for row in system.clickhouse.rows(sql, {"tenant": system.tenant})]


def _read_in_pieces(system: System) -> None:
    """Whatever a piece is, each event of a selection is read once: also where one second has more than a piece."""
    first = datetime(2026, 11, 24, 11, tzinfo=UTC)
    wanted = Selection(first, first + timedelta(minutes=2, seconds=30), tenant=system.tenant)
    whole, small = (list(LedgerReader(system.clickhouse, piece).events(wanted)) for piece in (1000, 1))
    assert [cost.id for cost in small] == [cost.id for cost in whole]
    assert {cost.id for cost in whole} == {"w0", "w1", "w2", "call"}
    assert LedgerReader(system.clickhouse).count(wanted) == 4


def _by_hand(system: System, outlay: Any, third: int) -> None:
    words = ("reprice", "--since", "2026-11-24T11:05:00Z", "--tenant", system.tenant, "--by", "sku", "--json")
    dry = json.loads(outlay(*words, "--dry-run").stdout)
    assert (dry["sent"], dry["total"]["events"], dry["total"]["change"]) == (0, 5, "5")
    assert {cost.revision for cost in system.rows().values()}.isdisjoint({third}), "a dry run writes nothing"
    done = json.loads(outlay(*words).stdout)
    assert (done["sent"], done["arrived"], done["total"]) == (5, True, dry["total"])
    costs = {name: cost.cost for name, cost in system.rows().items()}
    assert (costs["w4"], costs["w5"], costs["w9"]) == ("3", "4", "4")
    assert json.loads(outlay(*words).stdout)["sent"] == 0, "again: nothing is left to do"
    _amended(system, outlay)
    named = outlay("reprice", "--since", "2026-11-24", "--sku", "claude-*", "--tenant", system.tenant)
    assert "a new revision for 1 event\n" in named.stdout
    assert system.rows()["call"].team == "growth"
    until(lambda: _rollup(system) == ["37.0015"], 30, "the rollups follow")


def _amended(system: System, outlay: Any) -> None:
    """A closed month keeps its statement; the new price is shown as an amendment."""
    words = ("reprice", "--since", "2026-10-01", "--until", "2026-11-01", "--tenant", system.tenant)
    dry = json.loads(outlay(*words, "--dry-run", "--json").stdout)
    assert dry["amended"] == [
        {"tenant": system.tenant, "month": "2026-10", "zone": "UTC", "events": 1, "change": "0.5"}
    ]
    assert "2026-10 is closed" in outlay(*words).stderr
    until(lambda: _rollup(system) == ["37.0015"], 30, "the rollups follow")
    expected = outlay(
        "report", "chargeback", "--month", "2026-10", "--tenant", system.tenant, "--json"
    ).stdout
    assert '"1.5"' in expected
    assert '"0.5"' in expected
    (listed,) = json.loads(outlay("periods", "list", "--tenant", system.tenant, "--json").stdout)
    assert (listed["month"], listed["usd"], listed["seq"]) == ("2026-10", "1.5", 1)


def _explained(system: System, outlay: Any, second: int, third: int) -> None:
    (old,) = json.loads(outlay("explain", "w0", "--tenant", system.tenant, "--json").stdout)
    assert (old["revision"], old["own"], old["same"]) == (second, True, True)
    (step,) = old["explanation"]["steps"]
    assert (step["quantity"], step["price"], step["amount"]) == ("2", "1.5", "3")
    (call,) = json.loads(outlay("explain", "call", "--tenant", system.tenant, "--json").stdout)
    assert (call["revision"], call["same"]) == (third, True)
    shown = outlay("explain", "call", "--tenant", system.tenant).stdout
    assert "team growth (sent: nothing)" in shown
    assert "genai-prices" in shown
    missing = outlay("explain", "no-such-event")
    assert missing.exit_code == 1
    assert "no event in the ledger" in missing.stderr


def _planned_and_published(system: System, outlay: Any, folder: Path) -> None:
    system.publish("2")
    known = newest(system.kafka)
    assert known is not None
    # Without rules: the plan would try each on every minute since October.
    owner = Owner.model_validate({"key": "user", "value": "u-2", "sets": {"team": "growth"}})
    in_force = publish(system.kafka, known.model_copy(update={"rules": (), "owners": (owner,)}), CLOCK)
    (folder / "price_books").mkdir(parents=True)
    (folder / "price_books" / "own.yaml").write_text(
        f"name: own\nversion: '9'\nrules:\n  - {{id: widget, sku: widget-{system.tenant}, prices: "
        "[{meters: {widgets: {price: 5}}}]}\n"
    )
    (folder / "rules.yaml").write_text("[]\n")
    plan = json.loads(outlay("catalog", "plan", folder, "--days", "3660", "--by", "tenant", "--json").stdout)
    (ours,) = [group for group in plan["impact"]["groups"] if group["group"]["tenant"] == system.tenant]
    assert (ours["before"], ours["after"], ours["events"]) == ("42.0015", "105.0015", 12)
    refused = outlay("catalog", "publish", folder)
    assert refused.exit_code == 1, "it would remove the owner that is in force"
    assert "nothing was published" in refused.stderr
    assert "--allow-removals" in refused.stderr
    known_now = newest(system.kafka)
    assert known_now is not None
    assert known_now.revision == in_force
    agreed = ("catalog", "publish", folder, "--note", "FIN-231", "--allow-removals", "--json")
    published = json.loads(outlay(*agreed).stdout)
    assert published == {"revision": in_force + 1, "published": True}
    assert json.loads(outlay("catalog", "publish", folder, "--json").stdout) == {
        "revision": in_force + 1,
        "published": False,
    }
    shown = json.loads(outlay("catalog", "show", f"widget-{system.tenant}", "--published", "--json").stdout)
    assert shown[0]["prices"][0]["prices"][0]["price"] == "5"
    exported = folder.parent / "exported"
    assert outlay("catalog", "export", exported).exit_code == 0
    assert outlay("catalog", "export", exported).exit_code == 1, "a folder is not replaced unasked"
    assert json.loads(outlay("catalog", "publish", exported, "--json").stdout)["published"] is False
    _restore(system, known)


def _restore(system: System, content: Catalog) -> None:
    """Leave to the tests after this one a catalog with all of the default prices."""
    publish(system.kafka, content, CLOCK)
