"""The table of Explore, its file and its chart have the same amounts; Live and Events list the same events."""

import csv
import io
import json
import re
from decimal import Decimal

import pytest
from tests.support.consistency.surfaces import System
from tests.support.console_rig import chart_of

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    "query",
    [
        "range=month&tz=UTC&by=team",
        "range=7d&tz=Asia/Kolkata&by=sku&by=team&currency=EUR&compare=week",
        "from=2026-11-20&to=2026-11-22&tz=America/New_York&by=user&amount=charged",
        "range=30d&tz=UTC&by=tags.env&sku~=gpt&team!=growth&amount=charged&currency=EUR",
    ],
)
def test_the_table_the_file_and_the_chart_have_the_same_amounts(system: System, query: str) -> None:
    page = system.page(f"/explore?{query}")
    table = [
        Decimal(re.sub(r"[^0-9.]", "", cell))
        for cell in re.findall(r'<td class="num" title="(.*?)">', page[page.index('id="table"') :])
    ]
    rows = list(csv.DictReader(io.StringIO(system.page(f"/explore.csv?{query}"))))
    code = "eur" if "EUR" in query else "usd"
    column = f"{'charged' if 'charged' in query else 'cost'}_{code}"
    assert list(rows[0])[query.count("by=")] == column, "the amount of the view comes first"
    file = [Decimal(row[column]) for row in rows]
    assert sorted(filter(None, table)) == sorted(filter(None, file))
    drawn = sum(map(Decimal, re.findall(r'"([\d.]+)"', json.dumps(chart_of(page)["costs"]))), Decimal(0))
    assert abs(drawn - sum(file, Decimal(0))) < Decimal("1e-9"), (
        "buckets of converted amounts are rounded one by one"
    )


@pytest.mark.parametrize("query", ["tz=UTC", "tz=Asia/Kolkata&currency=EUR"])
def test_live_begins_with_the_newest_of_the_list_of_events(system: System, query: str) -> None:
    live, listed = (
        re.findall(r"<tr>\s*(<td.*?)</tr>", system.page(f"/{path}&{query}"), re.DOTALL)
        for path in ("live?", "events?range=24h")
    )
    assert len(listed) >= len(live) > 0
    assert live == listed[: len(live)]
