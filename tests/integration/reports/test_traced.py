"""Every number of every report is followed to the rows of the ledger that it is made of: added up one by one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support.ledger import random_events, write
from tests.support.stack import Stack

from outlay.reports.patterns import find_patterns, pattern_tables
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports import report_api
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import allocate, apportion
from outlay_reports.chargeback import Closing, lines_of, statements
from outlay_reports.cost_query import CostQuery
from outlay_reports.money import decimal_of, plain
from outlay_reports.renderers import to_json
from outlay_reports.report_table import ReportTable
from outlay_reports.showback import allocated_table
from outlay_reports.statements import chargeback_table
from outlay_schemas.catalog import Match, Share, Split
from outlay_schemas.money import to_pico, to_usd

pytestmark = pytest.mark.stack

TENANT = "traced"
BERLIN = ZoneInfo("Europe/Berlin")
# Berlin's clocks change on the 25th.
SPAN = TimeRange(datetime(2026, 10, 16, 22, tzinfo=UTC), datetime(2026, 10, 30, 23, tzinfo=UTC))
NOW = datetime(2026, 10, 30, 23, tzinfo=UTC)
NAMES = ("business_unit", "team", "sku")
Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def cost_reader(ledger_stack: Stack) -> Iterator[CostReader]:
    events = random_events(TENANT, SPAN, 900, seed=21)
    events[0].time = SPAN.start  # so that the first day is a whole one
    for n, event in enumerate(events):
        if n % 3 == 0:
            event.usage = {**event.usage, "cache_read_tokens": int(event.usage["input_tokens"]) // 2}
    write(ledger_stack.writer, events)
    clickhouse = ClickHouseClient(ledger_stack.reader)
    yield CostReader(clickhouse)
    clickhouse.close()


@pytest.fixture(scope="module")
def rows(cost_reader: CostReader, ledger_stack: Stack) -> list[Row]:
    """Return the rows of the ledger, each as it stands."""
    clickhouse = ClickHouseClient(ledger_stack.reader)
    found = clickhouse.rows(f"SELECT * FROM costs WHERE tenant = '{TENANT}'")  # noqa: S608 (ours)
    clickhouse.close()
    assert len(found) == 900
    return [
        {**row, "time": row["time"].replace(tzinfo=UTC), "cost": row["cost"] or Decimal(0)} for row in found
    ]


def asked(by: str | None, **more: Any) -> CostQuery:
    found = report_api.parse_query(
        NOW, by=by, start="2026-10-17", end="2026-10-30", tz="Europe/Berlin", tenants=(TENANT,), **more
    )
    assert found.span == SPAN
    return found


def said(sheet: ReportTable) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_json(sheet))
    return found


def every(found: dict[str, Any]) -> list[Row]:
    return [*found["rows"], *found.get("subtotals", []), found["total"]]


def fits(row: Row, shown: Row, names: Sequence[str]) -> bool:
    """Tell whether a row of the ledger is in a row of a report."""
    return all(name not in shown or (row[name] or "(unassigned)") == shown[name] for name in names)


def usd(rows: Sequence[Row]) -> Decimal:
    return sum((row["cost"] for row in rows), Decimal(0))


def used(rows: Sequence[Row], *meters: str) -> Decimal:
    return sum((row["usage"].get(meter, Decimal(0)) for row in rows for meter in meters), Decimal(0))


def text(value: Fraction) -> str:
    return plain(decimal_of(value))


def ratio(part: Decimal | int, whole: Decimal | int) -> str | None:
    return text(Fraction(part) / Fraction(whole)) if whole else None


def check_sums(shown: Row, some: Sequence[Row], whole: Sequence[Row]) -> None:
    assert Decimal(shown["cost_usd"]) == usd(some)
    assert shown["events"] == len(some)
    assert shown["unpriced_events"] == sum(row["unpriced"] for row in some)
    assert shown.get("share") == ratio(usd(some), usd(whole))


def test_showback_and_its_units(cost_reader: CostReader, rows: list[Row]) -> None:
    found = said(report_api.showback(cost_reader, asked(",".join(NAMES)), units=True))
    assert len(found["rows"]) == len({tuple(row[name] for name in NAMES) for row in rows})
    for shown in every(found):
        some = [row for row in rows if fits(row, shown, NAMES)]
        check_sums(shown, some, rows)
        users = {row["user"] for row in some} - {""}
        tokens = used(some, "input_tokens", "output_tokens")
        if usd(some):
            assert shown["usd_per_event"] == ratio(usd(some), len(some))
            assert shown["usd_per_1k_tokens"] == ratio(usd(some) * 1000, tokens)
            assert shown["usd_per_user"] == ratio(usd(some), len(users))
        assert shown["users"] == len(users)
        assert shown["cached_input_share"] == ratio(
            used(some, "cache_read_tokens"), used(some, "input_tokens")
        )


def test_top_and_what_is_left(cost_reader: CostReader, rows: list[Row]) -> None:
    found = said(report_api.top(cost_reader, asked("team,user"), 4))
    rest, running = list(rows), Decimal(0)
    for shown in found["rows"]:
        some = [
            row for row in rest if shown["team"].endswith("others)") or fits(row, shown, ("team", "user"))
        ]
        check_sums(shown, some, rows)
        running += usd(some)
        if "running_share" in shown:
            assert shown["running_share"] == ratio(running, usd(rows))
        rest = [row for row in rest if row not in some]
    assert not rest
    check_sums({**found["total"], "share": ratio(1, 1)}, rows, rows)


def test_trend_by_local_day(cost_reader: CostReader, rows: list[Row]) -> None:
    found = said(report_api.trends(cost_reader, asked("team", unit="day"), NOW))
    assert len({shown["period"] for shown in found["rows"]}) == 14
    before: dict[str, Decimal] = {}
    for shown in found["rows"]:
        some = [
            row for row in rows
            if f"{row['time'].astimezone(BERLIN):%Y-%m-%d}" == shown["period"] and fits(row, shown, ("team",))
        ]  # fmt: skip
        assert Decimal(shown["cost_usd"]) == usd(some)
        assert shown["events"] == len(some)
        last = before.get(shown["team"])
        assert shown.get("growth") == (ratio(usd(some) - last, last) if last else None)
        before[shown["team"]] = usd(some)


def test_compare_and_each_effect(cost_reader: CostReader, rows: list[Row]) -> None:
    middle = datetime(2026, 10, 23, 22, tzinfo=UTC)
    later = replace(asked("team,sku"), span=TimeRange(middle, SPAN.end))
    found = said(report_api.comparison(cost_reader, later, "2026-10-17..2026-10-23", NOW))
    old = [row for row in rows if row["time"] < middle]
    new = [row for row in rows if row["time"] >= middle]
    quantities = [used(some, "input_tokens", "output_tokens") for some in (old, new)]
    growth = Fraction(quantities[1]) / Fraction(quantities[0])
    sums = dict.fromkeys(("price", "volume", "mix"), 0)
    for shown in found["rows"]:
        one, two = ([row for row in some if fits(row, shown, ("team", "sku"))] for some in (old, new))
        assert (Decimal(shown["earlier_usd"]), Decimal(shown["later_usd"])) == (usd(one), usd(two))
        assert Decimal(shown["change_usd"]) == usd(two) - usd(one)
        # A thing is a model of a team: all are counted in tokens, and all are in both weeks.
        cost = to_pico(str(usd(one)))
        at_old = (
            cost
            * Fraction(used(two, "input_tokens", "output_tokens"))
            / Fraction(used(one, "input_tokens", "output_tokens"))
        )
        volume, mix = round(cost * (growth - 1)), round(at_old - cost * growth)
        effects = {"volume": volume, "mix": mix, "price": to_pico(shown["change_usd"]) - volume - mix}
        for name, effect in effects.items():
            assert shown[f"{name}_usd"] == to_usd(effect)
            sums[name] += effect
    assert {name: found["total"][f"{name}_usd"] for name in sums} == {n: to_usd(v) for n, v in sums.items()}


SPLITS = (
    Split(
        id="mini", match=Match(sku=("gpt-5-mini",)), method="fixed",
        shares=(Share(sets={"team": "growth"}, weight=Decimal(2)), Share(sets={"team": "platform"}, weight=Decimal(1))),
    ),
)  # fmt: skip


def test_shared_costs_and_statements_and_amendments(cost_reader: CostReader, rows: list[Row]) -> None:
    names = ("team", "sku")
    allocation = allocate(cost_reader.cells(asked("team,sku")), names, 1, SPLITS)
    own = {
        team: usd([r for r in rows if r["team"] == team and r["sku"] == "gpt-5"])
        for team in ("growth", "platform", "")
    }
    pool = to_pico(str(usd([row for row in rows if row["sku"] == "gpt-5-mini"])))
    parts = apportion(pool, {("growth",): 2, ("platform",): 1})
    found = said(allocated_table(asked("team"), allocation))
    for shown in found["rows"]:
        team = shown["team"].replace("(unassigned)", "")
        assert Decimal(shown["own_usd"]) == own[team]
        assert to_pico(shown["shared_usd"]) == parts.get((team,), 0) == to_pico(shown["shared_usd.mini"])
        assert Decimal(shown["cost_usd"]) == Decimal(shown["own_usd"]) + Decimal(shown["shared_usd"])
    assert Decimal(found["total"]["cost_usd"]) == usd(rows)
    lines = lines_of(allocate(cost_reader.cells(asked("team,sku")), names, 2, SPLITS))
    less = tuple(
        replace_cost(line, line.cost - 7) if line.unit == "growth" and line.what == "own" else line
        for line in lines
    )
    closing = Closing(1, NOW, "ada", "", less)
    sheet = said(chargeback_table("2026-10", "UTC", names, statements(lines, closing), "closed"))
    bills = {shown["team"]: shown for shown in sheet["subtotals"]}
    for team, mine in own.items():
        assert to_pico(bills[team or "(unassigned)"]["charged_usd"]) == to_pico(str(mine)) + parts.get(
            (team,), 0
        )
    (amended,) = [shown for shown in sheet["rows"] if shown["line"].startswith("amendment")]
    assert (amended["team"], amended["charged_usd"]) == ("growth", to_usd(7))
    assert (
        sum(Decimal(shown["charged_usd"]) for shown in sheet["rows"])
        == usd(rows)
        == Decimal(sheet["total"]["charged_usd"])
    )


def replace_cost(line: Any, cost: int) -> Any:
    return type(line)(line.unit, line.what, line.keys, cost, line.events, line.unpriced)


def test_growth_and_movers_of_patterns(cost_reader: CostReader, rows: list[Row]) -> None:
    found = find_patterns(cost_reader, asked(None), NOW)
    assert found is not None
    sheets: dict[str, dict[str, Any]] = {
        sheet.name: said(sheet) for sheet in pattern_tables(cost_reader, asked(None), found)
    }
    edges = [SPAN.start, datetime(2026, 10, 23, 22, tzinfo=UTC), SPAN.end]
    weeks = [[row for row in rows if low <= row["time"] < high] for low, high in pairwise(edges)]
    (week,) = [shown for shown in sheets["growth"]["rows"] if shown["period"] == "the last 7 days"]
    assert (Decimal(week["before_usd"]), Decimal(week["usd"])) == (usd(weeks[0]), usd(weeks[1]))
    assert week["growth"] == ratio(usd(weeks[1]) - usd(weeks[0]), usd(weeks[0]))
    assert sheets["movers"]["rows"]
    for shown in sheets["movers"]["rows"]:
        before, after = (usd([row for row in some if fits(row, shown, ("team", "sku"))]) for some in weeks)
        assert (Decimal(shown["before_usd"]), Decimal(shown["usd"])) == (before, after)
        assert Decimal(shown["change_usd"]) == after - before
