"""One data set, every surface, the same figures, and all of them those of plain sums.

TABLE says which surface shows which figure. A surface that leaves a figure out says why: an empty cell fails, and so
does a surface or a figure that is not in the table.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from tests.support.consistency.channel_surfaces import CHANNELS, Written
from tests.support.consistency.data import (
    NOW,
    TENANT,
    ZONES,
    Oracle,
    first_of_month,
    midnight,
)
from tests.support.consistency.surfaces import (
    SURFACES,
    System,
    budget_states,
    console_overview,
)

from outlay_reports.adapters.savings import newest_savings
from outlay_reports.money import about, usd
from outlay_reports.report_table import Spent
from outlay_schemas.money import rounded_usd

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
FIGURES = (
    "today", "month", "charged", "by_team", "by_tag", "budget_used", "charged_budget", "forecast", "interval", "top",
    "effects", "unpriced", "estimated", "savings",
)  # fmt: skip
EVERY = {**SURFACES, **CHANNELS}
ALL, YES = "all zones", "yes"
"""`all zones`: shown for any time zone. `yes`: for one period or zone only."""


def _cells(names: str, cell: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), cell)


TABLE: dict[str, dict[str, str]] = {
    "SQL views": {
        **_cells("today month charged by_team by_tag unpriced estimated", ALL), "top": YES,
        **_cells("budget_used charged_budget", "no: a budget is not a row of costs"),
        **_cells("forecast interval", "no: views hold what was, not what will be"),
        **_cells("effects savings", "no: a comparison and a saving are reports"),
    },
    "command line": {
        **_cells("today month charged by_team by_tag top unpriced estimated savings", ALL),
        **_cells("budget_used charged_budget forecast interval effects", YES),
    },
    "read API": {
        **_cells("today month charged by_team by_tag top unpriced estimated savings", ALL), "effects": YES,
        **_cells("budget_used charged_budget forecast interval", "no: the budget status API answers it"),
    },
    "budget status API": {
        **_cells("budget_used charged_budget forecast interval", ALL),
        **_cells(
            "today month charged by_team by_tag top effects unpriced estimated savings", "no: it is about one budget"
        ),
    },
    "alerts": {
        **_cells("budget_used top", ALL),
        **_cells("charged_budget", "no: an incident names one budget; test_budgets_everywhere.py has a charged one"),
        **_cells("forecast interval", "no: test_budgets_everywhere.py compares alerts about forecasts"),
        **_cells(
            "today month charged by_team by_tag effects unpriced estimated savings",
            "no: an alert is about one scope and window",
        ),
    },
    **{
        name: {
            **_cells("budget_used forecast interval top", ALL),
            **_cells("charged_budget", "no: as alerts"),
            **_cells(
                "today month charged by_team by_tag effects unpriced estimated savings",
                "no: an alert is about one scope and window",
            ),
        }
        for name in CHANNELS
    },
    "reviews": {
        **_cells("budget_used charged_budget forecast", YES),
        **_cells("interval", "no: a digest names the expected value only"),
        **_cells("savings", "no: test_savings_are_the_same_everywhere"),
        **_cells(
            "today month charged by_team by_tag top effects unpriced estimated",
            "no: it embeds the reports that the command line shows",
        ),
    },
    "FOCUS": {
        **_cells("month by_team by_tag", YES),
        **_cells(
            "today charged budget_used charged_budget forecast interval top effects unpriced estimated savings",
            "no: its rows are billed costs",
        ),
    },
    "Explore": {
        **_cells("today month by_team by_tag", ALL),
        **_cells("charged unpriced estimated", "no: test_pages.py compares its heading"),
        **_cells("budget_used charged_budget forecast interval", "no: it shows spend"),
        **_cells("top effects savings", "no: its table has every value, and no reason"),
    },
    "Prometheus": {
        **_cells("today month charged by_team budget_used charged_budget unpriced estimated", ALL),
        **_cells("forecast interval", YES),
        **_cells("by_tag top", "no: tags and users have no bound, and labels must"),
        **_cells("effects savings", "no: a comparison and a saving are reports"),
    },
}  # fmt: skip


def right(oracle: Oracle, system: System, zone: str) -> dict[str, Any]:
    """What every surface must say; the forecast is that of the function that owns it."""
    month = first_of_month(zone)
    day = [datetime(2026, 11, n, tzinfo=UTC) for n in (23, 24, 25)]
    users = oracle.by(lambda call: call.user, month)
    state = budget_states(system)
    return {
        "today": oracle.cost(midnight(zone)),
        "month": oracle.cost(month),
        "charged": oracle.charged(month),
        "by_team": oracle.by(lambda call: call.team, month),
        "by_tag": oracle.by(lambda call: call.env, month),
        "budget_used": oracle.cost(first_of_month("UTC")),
        "charged_budget": oracle.charged(first_of_month("UTC")),
        "forecast": Decimal(state.forecast or "nan"),
        "interval": (Decimal(state.forecast_low or "nan"), Decimal(state.forecast_high or "nan")),
        "top": max(users.items(), key=lambda item: item[1]),
        "effects": oracle.effects((day[0], day[1]), (day[1], day[2])),
        "unpriced": oracle.unpriced(month),
        "estimated": oracle.estimated(month),
    }


def test_every_surface_says_of_every_figure_whether_it_shows_it() -> None:
    assert set(TABLE) == set(EVERY)
    for surface, row in TABLE.items():
        assert set(row) == set(FIGURES), surface
        assert all(cell in {ALL, YES} or cell.startswith("no: ") for cell in row.values()), surface


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("surface", EVERY)
def test_a_surface_shows_the_figures_of_plain_sums(
    system: System, oracle: Oracle, surface: str, zone: str
) -> None:
    shown = EVERY[surface](system, zone)
    wanted = right(oracle, system, zone)
    if surface == "Prometheus":
        wanted = {name: floats(value) for name, value in wanted.items()}
    promised = {
        name for name, cell in TABLE[surface].items() if cell == ALL or (cell == YES and zone == "UTC")
    }
    assert promised - set(shown) <= {"savings"} - set(shown), f"{surface} leaves out figures"
    for name, value in shown.items():
        if name == "effects":
            assert {k: float(v) for k, v in value.items()} == pytest.approx(
                {k: float(v) for k, v in wanted[name].items()}, abs=1e-9
            ), name
            assert sum(value.values()) == oracle.cost(*_day(24)) - oracle.cost(*_day(23))
        elif isinstance(value, Written):
            assert value == written(name, wanted, oracle), (surface, name)
        elif name != "savings":
            assert value == wanted[name], (surface, name)


def written(name: str, wanted: dict[str, Any], oracle: Oracle) -> str:
    """Return a figure as messages write it: as a lower bound if it lacks events without a price."""
    month = first_of_month("UTC")
    if name == "interval":
        return " and ".join(map(about, wanted[name]))
    if name == "forecast":
        return about(wanted[name], lower_bound=oracle.unpriced(month) > 0)
    if name == "top":
        user, cost = wanted[name]
        missing = any(call.cost is None for call in oracle.some(month, user=user))
        return f"{user} {usd(cost, lower_bound=missing)}"
    return usd(wanted[name], lower_bound=oracle.unpriced(month) > 0)


def floats(value: Any) -> Any:
    """Return a figure as Prometheus keeps it."""
    if isinstance(value, dict):
        return {name: floats(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return tuple(map(floats, value))
    return float(value) if isinstance(value, Decimal | int | Fraction) else value


def _day(number: int) -> tuple[datetime, datetime]:
    start = datetime(2026, 11, number, tzinfo=UTC)
    return start, start + timedelta(days=1)


@pytest.mark.parametrize("zone", ZONES)
def test_the_first_page_shows_the_same_as_people_read_it(system: System, oracle: Oracle, zone: str) -> None:
    shown, wanted = console_overview(system, zone), right(oracle, system, zone)
    assert shown["today"] == usd(wanted["today"], lower_bound=oracle.unpriced(midnight(zone)) > 0)
    assert shown["month"] == usd(wanted["month"], lower_bound=True)
    assert shown["unpriced"] == f"{wanted['unpriced']:,}"
    assert f"charged internally {usd(wanted['charged'], lower_bound=True)}" in shown["page"]
    assert usd(wanted["estimated"]) in shown["page"]
    if zone == "UTC":
        assert shown["forecast"] == about(wanted["forecast"], lower_bound=True)
        assert shown["interval"] == "\u2013".join(about(bound) for bound in wanted["interval"])
        assert f'{usd(wanted["budget_used"])} <span class="muted">of {usd(Decimal(2000))}' in shown["page"]
    name, cost = max(
        oracle.by(lambda call: call.team, NOW - timedelta(days=30)).items(), key=lambda item: item[1]
    )
    assert name in shown["page"]
    assert usd(cost) in shown["page"]


def test_the_budget_of_a_tag_is_the_sum_of_the_tag_everywhere(system: System, oracle: Oracle) -> None:
    wanted = oracle.by(lambda call: call.env, first_of_month("UTC"))["prod"]
    answer = {row["budget"]: row for row in json.loads(system.command("budgets", "--json"))}
    assert Decimal(answer["prod"]["spent"]) == wanted
    for path in ("/", "/budgets"):
        assert usd(wanted) in system.page(path), path
    charged = oracle.charged(first_of_month("UTC"))
    assert charged > oracle.cost(first_of_month("UTC"))
    assert f"{usd(charged)} <span" in system.page("/budgets")


def test_savings_are_the_same_everywhere(system: System) -> None:
    answer = json.loads(system.command("opportunities", "--json", "--limit", "1000", "--least", "0"))
    rows = answer["rows"] if isinstance(answer, dict) else answer
    sheet = newest_savings(system.clickhouse, (TENANT,), NOW + timedelta(minutes=1))
    assert rows
    assert sheet is not None
    names = [column.name for column in sheet.columns]
    reviewed = [row.values[names.index("saving_usd")] for row in sheet.rows]
    page = system.page("/opportunities")
    api = SURFACES["read API"](system, "UTC")["savings"]
    assert api == {row["id"]: Decimal(str(row["monthly_usd"])) for row in rows}
    for row in rows[:10]:
        saving, monthly = Decimal(str(row["saving_usd"])), Decimal(str(row["monthly_usd"]))
        assert f"{about(monthly)}</b>" in page, row
        assert f"{usd(saving)} of " in page, row
        assert any(
            isinstance(cell, Spent) and Decimal(rounded_usd(cell.pico)) == saving for cell in reviewed
        ), row


def test_a_neighbour_changes_no_figure(system: System, oracle: Oracle) -> None:
    rows = system.clickhouse.rows("SELECT tenant, sum(cost) AS cost FROM costs_daily GROUP BY tenant")
    found = {row["tenant"]: row["cost"] for row in rows}
    assert found[TENANT] == oracle.cost(datetime(2026, 1, 1, tzinfo=UTC))
    assert found["neighbour"] == found["stranger"] == Decimal("11.25")
