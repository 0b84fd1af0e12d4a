"""One expected course of time: where it is asked for hours, days, a month or a budget, the figures are cut from it."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support.consistency.data import BUDGETS, NOW, TENANT, ZONES, midnight, past, used
from tests.support.consistency.surfaces import System
from tests.support.consistency.systems import made
from tests.support.stack import Stack

from outlay_kit.time_ranges import TimeRange, period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.budgets import plan_of
from outlay_reports.cost_query import CostQuery
from outlay_schemas.catalog import Budget

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
CENT = 0.01


@pytest.fixture(scope="module", params=[14, 60])
def asked(
    request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Two weeks, which are forecast by hours, and two months, which are forecast by days."""
    name = f"ahead{request.param}"
    calls = [*past(request.param), *used()]
    yield from made(stack, tmp_path_factory.mktemp(name), name, cells=1000, calls=calls)


def lines(system: System, zone: str, *words: str) -> list[dict[str, Any]]:
    answer = system.command("forecast", "--tz", zone, "--no-summary", *words)
    return [json.loads(line) for line in answer.splitlines()]


def chart(system: System, zone: str, shown: str) -> dict[str, Any]:
    """Return the data of Explore's chart, once its forecast is there."""
    for _ in range(20):
        text = system.page(f"/explore?tz={zone}&range={shown}&by=team")
        found = re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
        assert found is not None
        data: dict[str, Any] = json.loads(found[1])
        if data["ahead"]:
            return data
        time.sleep(0.5)
    raise AssertionError("no forecast appeared")


def spent(system: System, zone: str, since: datetime, until: datetime) -> float:
    question = CostQuery(TimeRange(since, until), ZoneInfo(zone), (), {}, (TENANT,))
    return float(CostReader(system.clickhouse).totals([question])[0].cost) / 1e12


def landing(system: System, zone: str, **scope: Any) -> tuple[float, float, float]:
    """Return the forecast of a monthly budget of a scope, and its 80% range."""
    written = Budget.model_validate(
        {"id": "b", "name": "B", "tenant": TENANT, "amount": 1000, "timezone": zone, "scope": scope}
    )
    (state,) = ForecastCache().states(CostReader(system.clickhouse), [plan_of(written, TENANT)], NOW)
    return (
        float(state.forecast or "nan"),
        float(state.forecast_low or "nan"),
        float(state.forecast_high or "nan"),
    )


@pytest.mark.parametrize("zone", ZONES)
def test_hours_days_the_month_and_a_budget_are_one_course(asked: System, zone: str) -> None:
    place, today = ZoneInfo(zone), midnight(zone).astimezone(UTC)
    month, hour = period_of(NOW, "month", place), period_of(NOW, "hour", place)
    expected, low, high = landing(asked, zone)
    days = lines(asked, zone, "--horizon", "40")
    left = [line for line in days if datetime.fromisoformat(line["timestamp"]) < month.end]
    assert spent(asked, zone, month.start, today) + sum(line["mean"] for line in left) == pytest.approx(
        expected, abs=CENT
    )
    hours = lines(asked, zone, "--freq", "h", "--horizon", "60")
    for day in days[:2]:
        start = datetime.fromisoformat(day["timestamp"])
        part = [
            x["mean"]
            for x in hours
            if start <= datetime.fromisoformat(x["timestamp"]) < start + timedelta(days=1)
        ]
        gone = spent(asked, zone, today, hour.start) if start <= NOW else 0.0
        assert gone + sum(part) == pytest.approx(day["mean"], abs=CENT)
    (whole,) = lines(asked, zone, "--freq", "MS", "--horizon", "1")
    assert [whole[name] for name in ("mean", "lower80", "upper80")] == pytest.approx(
        [expected, low, high], abs=CENT
    )
    rows = {
        row["what"]: row
        for row in json.loads(asked.command("forecast", "--tz", zone, "--json"))["month"]["rows"]
    }
    assert float(rows["expected at the end"]["usd"]) == pytest.approx(expected, abs=CENT)
    assert lines(asked, zone, "--horizon", "3") == days[:3], "a horizon only cuts"


@pytest.mark.parametrize("zone", ZONES)
def test_the_charts_of_explore_show_the_values_of_the_command(asked: System, zone: str) -> None:
    rest = round((period_of(NOW, "month", ZoneInfo(zone)).end - midnight(zone)) / timedelta(days=1))
    ranges = (("24h", "h", 8), ("7d", "h", 48), ("30d", "D", 10), ("90d", "D", 28), ("month", "D", rest))
    for shown, freq, count in ranges:
        data, values = chart(asked, zone, shown), lines(asked, zone, "--freq", freq, "--horizon", str(count))
        ahead = data["ahead"]
        assert ahead["starts"] == [int(datetime.fromisoformat(x["timestamp"]).timestamp()) for x in values]
        for name, of in (
            ("mean", "mean"),
            ("low80", "lower80"),
            ("high80", "upper80"),
            ("high95", "upper95"),
        ):
            assert ahead[name] == pytest.approx([line[of] for line in values], abs=1e-3), (shown, name)
        begun = data["starts"].index(ahead["starts"][0])
        assert begun == len(data["starts"]) - 1, "a bar that is still to come says only what is expected"
        assert ahead["low95"][0] >= sum(float(costs[begun]) for costs in data["costs"]) - 1e-3, shown


def test_a_part_is_forecast_as_its_budget_is_and_with_totals_parts_add_up_to_the_total(asked: System) -> None:
    words = ("--freq", "MS", "--horizon", "2")
    for name, of in (("team", ("growth", "platform")), ("tags.env", BUDGETS[2].scope["tags.env"])):
        alone = {line[name]: line["mean"] for line in reversed(lines(asked, "UTC", "--by", name, *words))}
        for value in of:
            assert alone[value] == pytest.approx(landing(asked, "UTC", **{name: (value,)})[0], abs=CENT)
    total = lines(asked, "UTC", *words)
    both = lines(asked, "UTC", "--by", "team,sku", "--totals", *words)
    assert both[:2] == total
    for line in total:
        some = [one for one in both[2:] if one["timestamp"] == line["timestamp"]]
        for level in ([one for one in some if "sku" in one], [one for one in some if "sku" not in one]):
            assert sum(one["mean"] for one in level) == pytest.approx(line["mean"], abs=1e-6)


def test_a_meter_is_forecast_on_the_same_path(asked: System) -> None:
    words = ("--meter", "input_tokens")
    days = lines(asked, "UTC", *words, "--horizon", "2")
    hours = lines(asked, "UTC", *words, "--freq", "h", "--horizon", "34")
    tomorrow = [line["mean"] for line in hours if line["timestamp"] >= days[1]["timestamp"]][:24]
    assert sum(tomorrow) == pytest.approx(days[1]["mean"], rel=1e-6)
