"""The table under a chart shows what plain sums give, with every lower bound marked."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from tests.support.consistency.data import NOW, ZONES, Oracle, first_of_month
from tests.support.consistency.surfaces import System
from tests.support.console_rig import table_of

from outlay_reports.money import usd
from outlay_schemas.dimensions import name_of

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("path", ["/explore?range=month", "/?range=30d"])
def test_the_cells_of_a_charts_table_are_plain_sums(
    system: System, oracle: Oracle, path: str, zone: str
) -> None:
    names, rows = table_of(system.page(f"{path}&tz={zone}&by=team"))
    days = {f"{day:%a %d %b %Y}": day for day in _days(zone)}
    marked = 0
    assert set(names) == {"growth", "research", "platform", "(unassigned)"}
    for day, cells in rows.items():
        start = days[day]
        end = start + timedelta(days=1)  # no zone changes its clock in these days
        for name, cell in zip(names, cells, strict=True):
            team = "" if name == name_of("") else name
            calls = oracle.some(start, min(end, NOW), team=team)
            missing = any(call.cost is None for call in calls)
            marked += missing
            cost = sum((call.cost or Decimal(0) for call in calls), Decimal(0))
            assert cell == usd(cost, lower_bound=missing), (day, name)
    assert marked >= 10


def test_the_amounts_that_a_chart_is_compared_with_are_in_its_table(system: System, oracle: Oracle) -> None:
    names, rows = table_of(system.page("/explore?range=7d&tz=UTC&by=team&compare=week"))
    assert names[-1] == "A week earlier"
    for label, cells in rows.items():
        start = datetime.strptime(f"{label} 2026 +0000", "%a %d %b %H:%M %Y %z") - timedelta(days=7)
        calls = oracle.some(start, start + timedelta(hours=1))
        missing = any(call.cost is None for call in calls)
        cost = sum((call.cost or Decimal(0) for call in calls), Decimal(0))
        assert cells[-1] == usd(cost, lower_bound=missing), label


def _days(zone: str) -> Iterator[datetime]:
    start = first_of_month(zone) - timedelta(days=10)
    for n in range(40):
        at = start + timedelta(days=n)
        yield at.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0)
