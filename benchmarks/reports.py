"""How long reports over a quarter of 100 million events take, from the rollups, on the embedded engine.

    .venv/bin/python benchmarks/reports.py [--events 100000000] [--rounds 5]

The rollups are those of `--events` events in 90 days of one tenant, as benchmarks/console.py makes them: 250 groups an
hour, 400 a day, and 100 a minute in the last 30 days. What is measured is a report as the command and the read API
make it: queries, arithmetic, and the JSON of its sheet; not the start of Python.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from console import fill

from outlay.embedded.stack import EmbeddedStack
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.migrator import migrate
from outlay_kit.time_ranges import period_of
from outlay_reports import report_api
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.allocated_showback import allocated_table
from outlay_reports.allocation import allocate
from outlay_reports.chargeback import lines_of, statements
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.summary import landing_table
from outlay_reports.periods import parse_zone
from outlay_reports.renderers import to_json
from outlay_reports.report_table import ReportTable
from outlay_reports.statement_tables import chargeback_table
from outlay_schemas.catalog import Match, Split

SPLITS = (Split(id="shared", match=Match(project=("project-1",)), method="proportional", by="team"),)
Made = Callable[[], ReportTable]


def reports(costs: CostReader, now: datetime) -> dict[str, Made]:
    def asked(by: str | None, start: str = "90d", tz: str = "UTC", **more: str) -> CostQuery:
        where = [f"{name}={value}" for name, value in more.items() if name != "unit"]
        question = report_api.parse_query(report_api.QueryOptions(by, start, None, tz, where), now)
        return replace(question, unit=more.get("unit"))  # type: ignore[arg-type]

    def shared(by: str) -> ReportTable:
        question = asked(by)
        names = (*question.by, "project", "team")
        cells = costs.cells(replace(question, by=tuple(dict.fromkeys(names))))
        found = allocate(cells, tuple(dict.fromkeys(names)), len(question.by), SPLITS)
        return allocated_table(question, found)

    def charged() -> ReportTable:
        by = ("business_unit", "team", "provider", "sku", "project")
        cells = costs.cells(replace(asked(None), by=by))
        found = statements(lines_of(allocate(cells, by, 4, SPLITS)), None)
        return chargeback_table("quarter", "UTC", by[:4], found, "open")

    def landing() -> ReportTable:
        zone = parse_zone("UTC")
        month = CostQuery(period_of(now, "month", zone), zone)
        return landing_table(month, *ForecastCache().land(costs, month, now), 1.0, ())

    return {
        "showback business_unit,team,model": lambda: report_api.showback(costs, asked("business_unit,team,model")),
        "showback …, Europe/Berlin": lambda: report_api.showback(
            costs, asked("business_unit,team,model", tz="Europe/Berlin")
        ),
        "showback project,model, Asia/Kolkata": lambda: report_api.showback(
            costs, asked("project,model", tz="Asia/Kolkata", start="29d")
        ),
        "showback use_case where team=team-3": lambda: report_api.showback(costs, asked("use_case", team="team-3")),
        "showback team, shared costs allocated": lambda: shared("business_unit,team"),
        "chargeback of the quarter": charged,
        "top project,model": lambda: report_api.top(costs, asked("project,model"), 20),
        "trend team by day": lambda: report_api.trends(costs, asked("team", unit="day"), now),
        "trend team by day, America/New_York": lambda: report_api.trends(
            costs, asked("team", tz="America/New_York", unit="day"), now
        ),
        "trend by hour": lambda: report_api.trends(costs, asked(None, unit="hour"), now),
        "compare team,model, 45 days with 45": lambda: report_api.comparison(
            costs, asked("team,model", start="45d"), None, now
        ),
        "landing of the month": landing,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as place, EmbeddedStack(Path(place), clock) as stack:
        migrate(stack.writer)
        now = clock.now() - timedelta(seconds=1)
        began = perf_counter()
        fill(stack.writer, now, options.events // 3, 100_000)
        print(f"filled in {perf_counter() - began:.0f} s", flush=True)
        clickhouse = ClickHouseClient(stack.reader)
        slowest = 0.0
        for name, make in reports(CostReader(clickhouse), now).items():
            took = []
            for _ in range(options.rounds):
                began = perf_counter()
                sheet = make()
                size = len(to_json(sheet))
                took.append(1000 * (perf_counter() - began))
            slowest = max(slowest, statistics.median(took))
            print(
                f"{name:<42} p50 {statistics.median(took):6.0f} ms   worst {max(took):6.0f} ms"
                f"   {len(sheet.rows):>6,} rows {size >> 10:>6,} KiB",
                flush=True,
            )
        print(f"the slowest report: {slowest:.0f} ms (p50)")
        clickhouse.close()


if __name__ == "__main__":
    main()
