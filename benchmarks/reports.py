"""How long reports over a quarter of 100 million events take, from the rollups, on the embedded engine.

    .venv/bin/python benchmarks/reports.py [--events 100000000] [--rounds 5]

The rollups are those of `--events` events in 90 days of one tenant, as benchmarks/console.py makes them: 250 groups an
hour, 400 a day, and 100 a minute in the last 30 days. What is measured is a report as the command and the read API
make it: queries, arithmetic, and the JSON of its sheet; not the start of Python.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from console import fill
from harness import CLOCK, options, show, stores, times

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import period_of
from outlay_reports import report_api
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.allocation import allocate
from outlay_reports.chargeback import lines_of, statements
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.summary import landing_table
from outlay_reports.periods import Unit, parse_zone
from outlay_reports.renderers import to_json
from outlay_reports.report_table import ReportTable
from outlay_reports.showback import allocated_table
from outlay_reports.statements import chargeback_table
from outlay_schemas.catalog import Match, Split

SPLITS = (Split(id="shared", match=Match(project=("project-1",)), method="proportional", by="team"),)


def reports(costs: CostReader, now: datetime) -> dict[str, Callable[[], ReportTable]]:
    def asked(
        by: str | None, start: str = "90d", tz: str = "UTC", unit: Unit | None = None, **where: str
    ) -> CostQuery:
        conditions = [f"{n}={v}" for n, v in where.items()]
        return report_api.parse_query(now, by=by, start=start, tz=tz, where=conditions, unit=unit)

    def shared() -> ReportTable:
        question = asked("business_unit,team")
        names = tuple(dict.fromkeys((*question.by, "project", "team")))
        cells = costs.cells(replace(question, by=names))
        return allocated_table(question, allocate(cells, names, len(question.by), SPLITS))

    def charged() -> ReportTable:
        by = ("business_unit", "team", "provider", "sku", "project")
        cells = costs.cells(replace(asked(None), by=by))
        found = statements(lines_of(allocate(cells, by, 4, SPLITS)), None)
        return chargeback_table("quarter", "UTC", by[:4], found, "open")

    def landing() -> ReportTable:
        zone = parse_zone("UTC")
        month = CostQuery(period_of(now, "month", zone), zone)
        return landing_table(month, *ForecastCache().land(costs, month, now), 1.0, ())

    by, day = "business_unit,team,model", asked("team", unit="day")
    newyork = asked("team", tz="America/New_York", unit="day")
    india = asked("project,model", tz="Asia/Kolkata", start="29d")
    halves = asked("team,model", start="45d")
    return {
        f"showback {by}": lambda: report_api.showback(costs, asked(by)),
        "showback …, Europe/Berlin": lambda: report_api.showback(costs, asked(by, tz="Europe/Berlin")),
        "showback project,model, Asia/Kolkata": lambda: report_api.showback(costs, india),
        "showback use_case where team=team-3": lambda: report_api.showback(
            costs, asked("use_case", team="team-3")
        ),
        "showback team, shared costs allocated": shared,
        "chargeback of the quarter": charged,
        "top project,model": lambda: report_api.top(costs, asked("project,model"), 20),
        "trend team by day": lambda: report_api.trends(costs, day, now),
        "trend team by day, America/New_York": lambda: report_api.trends(costs, newyork, now),
        "trend by hour": lambda: report_api.trends(costs, asked(None, unit="hour"), now),
        "compare team,model, 45 days with 45": lambda: report_api.comparison(costs, halves, None, now),
        "landing of the month": landing,
    }


def main() -> None:
    chosen = options(__doc__, events=100_000_000, rounds=5)
    with stores() as stack:
        now = CLOCK.now() - timedelta(seconds=1)
        fill(stack.writer, now, chosen.events // 3, 100_000)
        clickhouse = ClickHouseClient(stack.reader)
        for name, make in reports(CostReader(clickhouse), now).items():
            show(report=name, **times(chosen.rounds, lambda made: to_json(made()), make))
        clickhouse.close()


if __name__ == "__main__":
    main()
