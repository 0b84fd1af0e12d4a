"""What the engine refuses, what it bounds, and what it finds different."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from tests.support.aggregator_system import START, System, cost_event, lines, stored

from outlay_aggregator.adapters.ledger_store import LedgerStore, MalformedError
from outlay_aggregator.domain.rollup_sql import SETTINGS, recompute
from outlay_aggregator.domain.windows import GRAINS, Range, Window, end_of, widen, window_of
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.errors import Retryable
from outlay_schemas.events import Grain, dead_letter_decoder, encoder
from outlay_schemas.topics import DEAD_LETTER

pytestmark = pytest.mark.stack

MINUTE = window_of("x", START, "minute").start


@pytest.fixture
def store(clickhouse: ClickHouseClient) -> LedgerStore:
    return LedgerStore(clickhouse, 1000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("what", '"unknown"'),
        ("usage", '{"input_tokens": "many"}'),
        ("cost", '"1e40"'),
        ("cost", '"99999999999999999999999999999999999999"'),
        ("revision", "-1.5"),
        ("time", '"yesterday"'),
        ("time", '"1999-12-31T23:59:59Z"'),
        ("id", '""'),
        ("id", "null"),
        ("tags", "[1]"),
    ],
)
def test_a_line_that_the_engine_cannot_read_is_reported_apart_from_an_engine_that_is_away(
    store: LedgerStore, name: str, value: str
) -> None:
    good = encoder.encode(cost_event("malformed", "good"))
    whole = encoder.encode(cost_event("malformed", "bad"))[:-1]
    with pytest.raises(MalformedError):
        store.append("ledger_input", good + b"\n" + whole + f', "{name}": {value}}}'.encode())


def test_a_mistake_of_ours_is_neither(store: LedgerStore) -> None:
    with pytest.raises(DatabaseError):
        store.append("ledger (no_such_column)", b"{}")


def test_p9_poison_becomes_dead_letters_with_its_bytes_and_the_rest_is_counted(system: System) -> None:
    tenant = "poisoned"
    good = [cost_event(tenant, str(n), cost="0.1") for n in range(20)]
    rows = [encoder.encode(event) for event in good]
    unread = rows[0].replace(b'"input_tokens":10', b'"input_tokens":1e99')
    lonely = encoder.encode(cost_event(tenant, "l", START + timedelta(hours=5)))[:-1] + b',"what":1}'
    system.send(b"\n".join([*rows[:7], b"\x00\xff{", unread, *rows[7:], lonely]))
    system.run_through([])
    refused = [dead_letter_decoder.decode(r.value) for r in system.broker.records(DEAD_LETTER.name)]
    assert {each.body for each in refused} == {b"\x00\xff{", unread, lonely}
    found = system.clickhouse.rows(
        "SELECT original, topic, offset, line, code FROM dead_letters FINAL WHERE line IN (7, 8) AND topic != ''"
    )
    assert {row["line"] for row in found} == {7, 8}
    assert sum(m[0] for m in stored(system.clickhouse, tenant, "day").values()) == Decimal("2.0")


def test_users_past_the_bound_are_other_and_no_sum_changes(clickhouse: ClickHouseClient) -> None:
    tenant = "many"
    many = [cost_event(tenant, str(n), cost=f"{n}", user=f"u{n:02d}") for n in range(30)]
    LedgerStore(clickhouse, 5).append(
        "ledger_input", lines([*many, cost_event(tenant, "none", cost="7", user="")])
    )
    for grain in GRAINS:
        LedgerStore(clickhouse, 5).recompute(grain, [widen(Window(MINUTE, tenant), grain)])
        cells = {cell[-1]: m[:2] for cell, m in stored(clickhouse, tenant, grain).items()}
        assert cells == {
            **{f"u{n}": (Decimal(n), 1) for n in range(25, 30)},
            "": (Decimal(7), 1),
            "(other)": (Decimal(sum(range(25))), 25),
        }


def test_a_window_is_the_same_by_the_short_statement_and_the_long_one(clickhouse: ClickHouseClient) -> None:
    tenant = "narrow"
    users = ("", "(other)", "((other))", "a", "b", "c", "d")
    rows = [
        cost_event(
            tenant, str(n), cost=None if n % 11 == 0 else f"0.{n % 4}", user=users[n % 7], sku=f"m{n % 3}"
        )
        for n in range(200)  # with ties, and users of several cells
    ]
    LedgerStore(clickhouse, 0).append("ledger_input", lines(rows))
    for grain in GRAINS:
        window = widen(Window(MINUTE, tenant), grain)
        asked = Range(window.start, end_of(window, grain), (tenant,))
        answers = set()
        for bound in range(35):
            store = LedgerStore(clickhouse, bound)
            answer = store.compute(grain, [window])
            whole = recompute(grain, span=True)
            assert answer == clickhouse.raw(whole, {**asked.bound, "cells": bound}, settings=SETTINGS)
            assert answer == store.compute(grain, [window]), "it knows now whether users are past the limit"
            answers.add(answer)
        assert len(answers) > (5 if grain == "minute" else 3)
        LedgerStore(clickhouse, 20).recompute(grain, [window])


def test_users_past_the_limit_are_looked_for_where_there_are_some(clickhouse: ClickHouseClient) -> None:
    """The engine understands the short statement in half the time, and it reads the ledger once."""
    tenant, minute = "few", Window(MINUTE, "few")
    asked: list[str] = []

    class Noted(LedgerStore):
        def _ask(self, sql: str, grain: Grain, windows: Sequence[Window] | Range) -> bytes:
            asked.append(sql)
            return super()._ask(sql, grain, windows)

    store = Noted(clickhouse, 2)
    short, whole = recompute("minute", span=True, narrow=True), recompute("minute", span=True)
    for number in range(4):
        store.append("ledger_input", lines([cost_event(tenant, str(number), user=f"u{number}")]))
        store.recompute("minute", [minute])
    assert asked == [short, short, short, whole, whole]


def test_who_is_called_as_the_rest_is_keeps_a_name_of_their_own(clickhouse: ClickHouseClient) -> None:
    tenant = "named"
    many = [cost_event(tenant, str(n), cost=f"{n}", user=f"u{n}") for n in range(1, 4)]
    LedgerStore(clickhouse, 2).append(
        "ledger", lines([*many, cost_event(tenant, "odd", cost="9", user="(other)")])
    )
    for grain in GRAINS:
        LedgerStore(clickhouse, 2).recompute(grain, [widen(Window(MINUTE, tenant), grain)])
        cells = {cell[-1]: m[0] for cell, m in stored(clickhouse, tenant, grain).items()}
        assert cells == {"((other))": Decimal(9), "u3": Decimal(3), "(other)": Decimal(3)}


def test_a_window_without_a_row_is_not_answered_for(store: LedgerStore) -> None:
    with pytest.raises(Retryable, match="got 0"):
        store.recompute("minute", [Window(MINUTE, "absent")])


def test_differences_name_the_windows_whose_state_is_not_what_the_ledger_says(
    store: LedgerStore, clickhouse: ClickHouseClient
) -> None:
    tenant = "different"
    rows = [cost_event(tenant, str(n), START + timedelta(minutes=n), cost="1") for n in range(3)]
    store.append("ledger_input", lines(rows))
    minutes = store.minutes(Range(MINUTE, MINUTE + 3600, [tenant]))
    assert sorted(w.start for w in minutes) == [MINUTE, MINUTE + 60, MINUTE + 120]
    assert {tenant} < {w.tenant for w in store.minutes(Range(MINUTE, MINUTE + 3600))} | {"another"}
    for grain in GRAINS:
        store.recompute(grain, sorted({widen(m, grain) for m in minutes}))
        assert store.differences(grain, sorted({widen(m, grain) for m in minutes})) == []
    clickhouse.command(
        "INSERT INTO rollup_minute (tenant, window, version, groups) SELECT tenant, window, version + 1,"
        " arrayMap(g -> tupleConcat(tupleConcat(tuple(g.1, g.2, g.3, g.4, g.5, g.6, g.7, g.8, g.9),"
        " tuple(g.10 + 1)), tuple(g.11, g.12, g.13, g.14, g.15, g.16, g.17)), groups)"
        " FROM rollup_minute FINAL WHERE tenant = 'different' AND window = toDateTime({w:UInt32}, 'UTC')",
        {"w": MINUTE + 60},
    )
    [found] = store.differences("minute", minutes)
    assert (found.tenant, found.right_cost, found.stored_cost) == (tenant, Decimal(1), Decimal(2))
    ghost = Window(MINUTE + 60 * 10, tenant)
    clickhouse.command(
        "INSERT INTO rollup_minute (tenant, window, version, groups) SELECT tenant, toDateTime({w:UInt32}, 'UTC'),"
        " version, groups FROM rollup_minute FINAL WHERE tenant = 'different' AND window = {m:UInt32}",
        {"w": ghost.start, "m": MINUTE},
    )
    assert [row.right_events for row in store.differences("minute", [ghost])] == [0]


def test_p3_the_same_id_with_another_body_is_reported_as_a_conflict(system: System) -> None:
    tenant = "conflicting"
    first, second = cost_event(tenant, "x", cost="1", tokens=1), cost_event(tenant, "x", cost="2", tokens=2)
    system.send(lines([first, cost_event(tenant, "y")]))
    system.run_through([])
    system.send(lines([second, cost_event(tenant, "y")]))
    system.run_through([])
    found = system.clickhouse.rows(
        "SELECT id, fingerprint, toString(cost) AS cost FROM conflicts FINAL WHERE tenant = {t:String}",
        {"t": tenant},
    )
    assert {(row["id"], row["fingerprint"], row["cost"]) for row in found} == {
        ("x", first.fingerprint, "1"),
        ("x", second.fingerprint, "2"),
    }


def test_a_new_price_for_the_same_body_is_no_conflict(system: System) -> None:
    tenant = "repriced"
    for revision in (1, 2):
        system.send(lines([cost_event(tenant, "x", cost=str(revision), revision=revision)]))
        system.run_through([])
    assert system.clickhouse.rows("SELECT * FROM conflicts WHERE tenant = 'repriced'") == []
