"""Who sends more values in a minute than its rollup names, on the real engine."""

from datetime import timedelta

import pytest
from tests.support.aggregator_system import START, System, cost_event, lines

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.settings import Settings

pytestmark = pytest.mark.stack


def test_the_producer_with_most_cells_is_named_with_what_it_sends_too_much_of(system: System) -> None:
    rows = [
        cost_event("wide-tenant", f"{n}", START + timedelta(milliseconds=n), user=f"u-{n}") for n in range(40)
    ]
    for row in rows[:10]:
        row.source, row.user = "well-behaved", "u-1"
    calm = [cost_event("calm", str(n)) for n in range(5)]
    system.send(lines([*rows, *calm]))
    system.run(LedgerStore(system.clickhouse, 8), settings=Settings(user_cells=8))
    found = system.clickhouse.rows(
        "SELECT tenant, source, dimension, distinct, cells, events FROM high_cardinality_sources FINAL"
        " WHERE tenant IN ('wide-tenant', 'calm')"
    )
    assert found == [
        {
            "tenant": "wide-tenant",
            "source": "test",
            "dimension": "user",
            "distinct": 30,
            "cells": 30,
            "events": 30,
        }
    ]


def test_a_field_that_is_another_with_every_event_is_named_though_no_user_is(system: System) -> None:
    rows = [
        cost_event("wide", f"{n}", START + timedelta(milliseconds=n), team=f"team-{n}") for n in range(40)
    ]
    system.send(lines(rows))
    system.run(LedgerStore(system.clickhouse, 8), settings=Settings(user_cells=8))
    [row] = system.clickhouse.rows(
        "SELECT dimension, distinct FROM high_cardinality_sources FINAL WHERE tenant = 'wide'"
    )
    assert (row["dimension"], row["distinct"]) == ("team", 40)
