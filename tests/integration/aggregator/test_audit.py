"""Audit, rebuild and dead dead, on the real engine: what is wrong is found, named, replays."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.aggregator_system import START, System, cost_event, lines, stored
from tests.support.fake_broker import FakeSink

from outlay_aggregator.adapters.audit import Audit
from outlay_aggregator.adapters.dead_letters import DeadLetters, Filter
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.adapters.rebuild import Rebuild
from outlay_aggregator.domain.edits import Edit
from outlay_aggregator.domain.windows import GRAINS, Range, window_of
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.events import DeadLetter, accepted_usage_decoder, encoder
from outlay_schemas.topics import USAGE_EVENTS

pytestmark = pytest.mark.stack

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def audit(clickhouse: ClickHouseClient) -> Audit:
    return Audit(LedgerStore(clickhouse, 1000), clickhouse, FakeClock(NOW))


@pytest.fixture(autouse=True)
def _merging(clickhouse: ClickHouseClient) -> Iterator[None]:
    """A removal is a mutation, which the engine does as it merges."""
    tables = ("rollup_minute", "rollup_hour", "rollup_day")
    for table in tables:
        clickhouse.command(f"SYSTEM START MERGES {table}")
    yield
    for table in tables:
        clickhouse.command(f"SYSTEM STOP MERGES {table}")


def fill(system: System, tenant: str, minutes: int = 90) -> None:
    system.send(
        lines(cost_event(tenant, str(n), START + timedelta(minutes=n), "0.5") for n in range(minutes))
    )
    system.run_through([])


def spoil(
    clickhouse: ClickHouseClient, table: str, tenant: str, version: str, window: str, measure: int = 10
) -> None:
    """Add 1 to a measure of the first window; measures are elements 10 (cost) to 17 of a cell."""
    before, after = (
        ", ".join(f"g.{n}" for n in some) for some in (range(1, measure), range(measure + 1, 18))
    )
    changed = f"tupleConcat(tuple({before}), tuple(g.{measure} + 1))"
    cell = f"tupleConcat({changed}, tuple({after}))" if after else changed
    clickhouse.command(
        f"INSERT INTO {table} (tenant, window, version, groups) SELECT tenant, {window}, {version}, arrayMap(g ->"  # noqa: S608
        f" {cell}, groups) FROM {table} FINAL WHERE tenant = {{t:String}} ORDER BY window LIMIT 1",
        {"t": tenant},
    )


def test_a_ledger_that_balances_is_found_to_balance(audit: Audit, system: System) -> None:
    fill(system, "balanced")
    asked = Range(tenants=["balanced"])
    shares: list[float] = []
    assert audit.differences(asked, progress=shares.append) == (0, [])
    assert shares[-1] == 1
    [period] = audit.periods(asked)
    assert (period.month, period.events, period.ledger, period.balanced) == ("2026-11", 90, Decimal(45), True)
    assert audit.conflicts(asked) == []


@pytest.mark.parametrize(
    ("table", "version", "window"),
    [
        ("rollup_minute", "version", "window"),  # the same version: the later row is kept
        ("rollup_minute", "version + 1", "window"),
        ("rollup_hour", "version + 7", "window"),
        ("rollup_day", "version + 7", "window"),
        ("rollup_minute", "version", "window - 3600"),  # a window in which nothing happened
    ],
)
def test_a_wrong_rollup_is_named_to_the_cell_and_rebuilt(
    audit: Audit, system: System, table: str, version: str, window: str
) -> None:
    tenant = f"wrong-{table}-{version}-{window}"
    asked = Range(tenants=[tenant])
    fill(system, tenant)
    spoil(system.clickhouse, table, tenant, version, window)
    count, wrong = audit.differences(asked)
    assert count >= 1
    first = next(each for each in wrong if each.grain == table.removeprefix("rollup_"))
    assert first.cells[0].stored[0] - first.cells[0].right[0] in {Decimal(1), Decimal("1.5")}
    assert "team=growth" in first.cells[0].cell
    published: list[bytes] = []
    rebuild = Rebuild(LedgerStore(system.clickhouse, 1000))
    done = {each.grain: each for each in rebuild.run(asked, audit.spans(asked), published.append)}
    assert done[first.grain].wrong == 1
    assert audit.differences(asked)[0] == 0
    for grain in GRAINS:
        assert sum(m[0] for m in stored(system.clickhouse, tenant, grain).values()) == Decimal(45)
    again = rebuild.run(asked, audit.spans(asked), published.append)
    assert [(each.wrong, each.removed) for each in again] == [(0, 0)] * 3


@pytest.mark.parametrize("measure", [11, 12, 14, 15, 16, 17])
def test_every_measure_is_audited_not_only_the_cost(audit: Audit, system: System, measure: int) -> None:
    tenant = f"wrong-measure-{measure}"
    fill(system, tenant)
    spoil(system.clickhouse, "rollup_minute", tenant, "version + 1", "window", measure)
    assert audit.differences(Range(tenants=[tenant]))[0] >= 1


def test_rollups_that_were_lost_are_rebuilt_from_the_ledger(audit: Audit, system: System) -> None:
    tenant, asked = "lost", Range(tenants=["lost"])
    LedgerStore(system.clickhouse, 1000).append(
        "ledger", lines([cost_event(tenant, "x"), cost_event(tenant, "y")])
    )
    assert audit.differences(asked)[0] == 1  # minutes are not the ledger's; hours are the minutes'
    reported: list[float] = []
    rebuild = Rebuild(LedgerStore(system.clickhouse, 1000))
    assert rebuild.windows(asked) == {"minute": 1, "hour": 1, "day": 1}
    assert [each.wrong for each in rebuild.run(asked, audit.spans(asked), progress=reported.append)] == [
        1,
        1,
        1,
    ]
    assert reported[-1] == pytest.approx(1)
    assert audit.differences(asked)[0] == 0


def test_a_long_time_is_rebuilt_inside_the_engine(audit: Audit, system: System) -> None:
    tenant, asked = "long", Range(tenants=["long"])
    rows = (
        cost_event(tenant, str(n), START + timedelta(minutes=n % 1200, days=n // 1200), "0.5")
        for n in range(3600)
    )
    LedgerStore(system.clickhouse, 1000).append("ledger_input", lines(rows))
    spans = [(audit.spans(asked)[0][0], audit.spans(asked)[-1][1])]
    done = Rebuild(LedgerStore(system.clickhouse, 1000)).run(asked, spans)
    assert done[0].wrong == 3600
    assert audit.differences(asked)[0] == 0
    assert sum(m[0] for m in stored(system.clickhouse, tenant, "day").values()) == Decimal(1800)


def test_one_identity_at_two_times_counts_once_and_is_reported(audit: Audit, system: System) -> None:
    tenant = "twice"
    system.send(lines([cost_event(tenant, "x"), cost_event(tenant, "x", START + timedelta(days=40))]))
    system.send(lines([cost_event(tenant, "y", tokens=1), cost_event(tenant, "y", tokens=2)]))
    system.run_through([])
    found = {c.id: (c.kind, c.bodies) for c in audit.conflicts(Range(tenants=[tenant]))}
    assert found == {"x": ("another time", 2), "y": ("another body", 2)}
    assert list(audit.twice(Range(tenants=[tenant]))) == []


def test_what_an_older_release_counted_twice_is_found_and_counts_once_after_a_rebuild(
    audit: Audit, system: System
) -> None:
    """Release 0.1.0 took the time for a part of the identity."""
    tenant, store = "older", LedgerStore(system.clickhouse, 1000)
    asked = Range(tenants=[tenant])
    rows = [cost_event(tenant, "x", START + timedelta(seconds=s), "1.25") for s in (0, 1, 90)]
    store.append("ledger_input", lines([*rows, cost_event(tenant, "y", cost="1")]))
    rebuild = Rebuild(store)
    rebuild.run(asked, audit.spans(asked))
    assert sum(m[0] for m in stored(system.clickhouse, tenant, "day").values()) == Decimal("4.75")
    [found] = audit.twice(asked)
    assert (found.id, found.kind, found.bodies) == ("x", "counted twice", 3)
    rebuild.settle([found], 0)
    rebuild.run(asked, audit.spans(asked))
    for grain in GRAINS:
        assert sum(m[0] for m in stored(system.clickhouse, tenant, grain).values()) == Decimal("2.25")
        assert sum(m[1] for m in stored(system.clickhouse, tenant, grain).values()) == 2
    assert list(audit.twice(asked)) == []
    assert audit.differences(asked)[0] == 0


USAGE = {
    "id": "1",
    "source": "s",
    "time": "2026-11-24T01:02:03Z",
    "kind": "llm",
    "sku": "gpt-5",
    "usage": {"tokens": 5},
}


def dead_letter(identity: str, body: bytes, stage: str = "ingest") -> DeadLetter:
    return DeadLetter(
        identity, "fixer", stage, "event_invalid", "no such meter", "$.usage", NOW, body  # type: ignore[arg-type]
    )  # fmt: skip


def test_p9_dead_letters_are_fixed_and_replayed_once(system: System) -> None:
    clickhouse = system.clickhouse
    good = encoder.encode({**USAGE, "what": 1})
    kept = [
        dead_letter("l1", good),
        dead_letter("l2", b"{"),
        dead_letter("l3", b'{"tenant":"fixer"}', "aggregator"),
    ]
    LedgerStore(clickhouse, 1000).append("dead_letters", b"\n".join(map(encoder.encode, kept)))
    dead = DeadLetters(clickhouse, FakeSink(system.broker))
    chosen = Filter(tenant="fixer")
    assert {row["stage"]: row["dead_letters"] for row in dead.counts(chosen)} == {
        "ingest": 2,
        "aggregator": 1,
    }
    found = dead.find(chosen)
    assert {each.id: each.body for each in found} == {each.id: each.body for each in kept}
    assert [each.id for each in dead.find(Filter(tenant="fixer", contains="what"))] == ["l1"]
    edits = [Edit.delete("what"), Edit.rename("usage.tokens=usage.input_tokens")]
    replays = [dead.prepare(each, edits) for each in found]
    assert {m.dead_letter.id: bool(m.refusal) for m in replays} == {"l1": False, "l2": True, "l3": True}
    assert system.broker.records(USAGE_EVENTS.name) == []
    assert dead.replay(replays) == 1
    [record] = system.broker.records(USAGE_EVENTS.name)
    event = accepted_usage_decoder.decode(record.value)
    assert (event.tenant, event.usage) == ("fixer", {"input_tokens": 5})
    assert event.accepted_ms == int(NOW.timestamp() * 1000)  # when it was refused
    assert [each.id for each in dead.find(chosen)] == ["l2", "l3"]
    again = [dead.prepare(each, edits) for each in dead.find(Filter(tenant="fixer", replayed=True))]
    assert dead.replay(again) == 0
    assert len(system.broker.records(USAGE_EVENTS.name)) == 1


def test_a_cost_event_is_fixed_and_goes_back_to_where_it_was_refused(system: System) -> None:
    body = encoder.encode(cost_event("fixer2", "1"))[:-1] + b',"what":1}'
    dead = DeadLetters(system.clickhouse, FakeSink(system.broker))
    LedgerStore(system.clickhouse, 1000).append(
        "dead_letters", encoder.encode(dead_letter("l4", body, "aggregator"))
    )
    [found] = dead.find(Filter(ids=["l4"]))
    assert "what" in dead.prepare(found, []).refusal
    assert dead.replay([dead.prepare(found, [Edit.delete("what")])]) == 1
    system.run_through([])
    assert sum(m[0] for m in stored(system.clickhouse, "fixer2", "day").values()) == Decimal("1.25")


def test_a_replayed_cost_event_counts_unless_a_correction_was_accepted_after_it(system: System) -> None:
    def body(name: str, cost: str, accepted: int) -> bytes:
        return encoder.encode(cost_event("replayed", name, cost=cost, accepted=accepted))

    dead = DeadLetters(system.clickhouse, FakeSink(system.broker))
    refused = [body(name, "9.0000000000001", 1000) for name in ("corrected", "left", "repeated")]
    kept = [dead_letter(f"r{n}", line, "aggregator") for n, line in enumerate(refused)]
    store = LedgerStore(system.clickhouse, 1000)
    store.append("dead_letters", b"\n".join(map(encoder.encode, kept)))
    system.send(b"\n".join([body("corrected", "1", 2000), body("repeated", "2", 500)]))
    system.run_through([])
    found = dead.find(Filter(ids=["r0", "r1", "r2"]))
    assert dead.replay([dead.prepare(each, [Edit.set('cost="9"')]) for each in found]) == 3
    system.run_through([])
    rows = system.clickhouse.rows("SELECT id, cost FROM costs WHERE tenant = 'replayed' ORDER BY id")
    assert [(row["id"], row["cost"]) for row in rows] == [("corrected", 1), ("left", 9), ("repeated", 9)]
    assert sum(m[0] for m in stored(system.clickhouse, "replayed", "day").values()) == Decimal(19)


def test_every_line_of_a_dead_letter_is_replayed(system: System) -> None:
    edits = [Edit.set('cost="1"'), Edit.delete("charged")]
    rows = [encoder.encode(cost_event("lines", str(n), cost="1.0000000000001")) for n in range(3)]
    dead = DeadLetters(system.clickhouse, FakeSink(system.broker))
    store = LedgerStore(system.clickhouse, 1000)
    store.append("dead_letters", encoder.encode(dead_letter("m1", b"\n".join(rows), "aggregator")))
    [found] = dead.find(Filter(ids=["m1"]))
    assert "[cost_event_invalid]" in dead.prepare(found, []).refusal
    assert dead.replay([dead.prepare(found, edits)]) == 1
    system.run_through([])
    assert sum(m[0] for m in stored(system.clickhouse, "lines", "day").values()) == Decimal(3)


def test_cells_that_changed_places_are_found_though_every_total_is_right(system: System) -> None:
    rows = [cost_event("swapped", "1", cost="1", user="a"), cost_event("swapped", "2", cost="2", user="b")]
    system.send(lines(rows))
    system.run_through([])
    store = LedgerStore(system.clickhouse, 1000)
    low = int(START.replace(hour=0, minute=0).timestamp())
    day = Range(low, low + 86_400, ["swapped"])
    assert not any(store.suspects(day).values())
    minute = window_of("swapped", START, "minute")
    right = store.stored("minute", [minute])
    store.store("minute", right.replace(b'"user":"a"', b'"user":"c"').replace(b'"user":"b"', b'"user":"a"'))
    assert store.suspects(day) == {"minute": [minute], "hour": [], "day": []}
    usage = right.replace(b'"input_tokens":"10"', b'"output_tokens":"10"')
    assert usage != right
    store.store("minute", usage)
    assert store.suspects(day)["minute"] == [minute]


def test_a_window_whose_users_are_folded_is_recomputed_and_balances(system: System) -> None:
    system.send(lines([cost_event("folded", str(n), user=f"u{n}") for n in range(20)]))
    system.run_through([], cells=5)
    store = LedgerStore(system.clickhouse, 5)
    day = int(START.replace(hour=0, minute=0).timestamp())
    asked = Range(day, day + 86_400, ["folded"])
    assert store.suspects(asked)["minute"]  # other sums than its events, and yet right
    assert Audit(store, system.clickhouse, FakeClock(START)).differences(asked, patience=0) == (0, [])
