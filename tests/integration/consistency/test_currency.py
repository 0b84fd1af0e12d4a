"""Amounts in another currency: each event at its own day's rate, each sum rounded once, the same on every surface."""

import json
import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from tests.support.consistency.currency_surfaces import WHOLE, by_team, named, reports
from tests.support.consistency.data import Oracle, first_of_month, midnight
from tests.support.consistency.surfaces import System

from outlay_reports.money import about, decimal_of, usd

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
HALF = Fraction(1, 2 * 10**12)


def test_every_report_rounds_the_exact_sum_once(system: System, oracle: Oracle) -> None:
    """Whatever its rows are: hours, users, teams within models. One is off if it adds up what is rounded."""
    month = first_of_month("UTC")
    whole = decimal_of(oracle.euros(month))
    charged = decimal_of(oracle.euros(month, amount="charged"))
    assert charged > whole
    for name, answer in reports(system).items():
        assert Decimal(answer["total"][WHOLE[name.rpartition(",")[0]]]) == whole, name
        if "compare" not in name and "trend" not in name:
            assert Decimal(answer["total"]["charged_eur"]) == charged, name
        if "compare" in name:
            effects = sum(
                Decimal(answer["total"][f"{one}_eur"]) for one in ("price", "volume", "mix", "new", "gone")
            )
            assert effects == Decimal(answer["total"]["change_eur"]), "effects add up"


def test_every_row_is_its_exact_sum_rounded_once(system: System, oracle: Oracle) -> None:
    month = first_of_month("UTC")
    exact = {team: oracle.euros(month, team=team) for team in oracle.by(lambda call: call.team, month)}
    found = reports(system)
    rows = {
        name: {row["team"]: Decimal(row[WHOLE[name.rpartition(",")[0]]]) for row in answer["rows"]}
        for name, answer in found.items()
        if name.startswith(("showback, c", "showback, A"))
    }
    assert len(rows) == 2
    rows["Explore's table"] = by_team(system)["Explore's table"]
    for name, costs in rows.items():
        assert named(costs) == {team: decimal_of(cost) for team, cost in exact.items()}, name


def test_sums_of_parts_that_are_rounded_are_as_near_as_their_number_allows(
    system: System, oracle: Oracle
) -> None:
    """A chart has a bar for each day, a FOCUS file a row for each hour and charge: each is rounded by itself."""
    month = first_of_month("UTC")
    for name, costs in by_team(system).items():
        for team, cost in costs.items():
            assert abs(Fraction(cost) - oracle.euros(month, team=team)) <= HALF * 5000, (name, team)


def test_a_statement_adds_up_and_each_line_is_within_one_place(system: System, oracle: Oracle) -> None:
    month = first_of_month("UTC")
    answer = reports(system)["chargeback, command"]
    lines = [row for row in answer["rows"] if row["events"]]
    assert sum(Decimal(row["charged_eur"]) for row in lines) == Decimal(answer["total"]["charged_eur"])
    for row in lines:
        team = "" if row["team"] == "(unassigned)" else row["team"]
        exact = oracle.euros(month, amount="charged", team=team, user=row["user"], sku=row["sku"])
        assert abs(Fraction(row["charged_eur"]) - exact) < 2 * HALF, row


def test_patterns_show_what_plain_sums_give(system: System, oracle: Oracle) -> None:
    days = [midnight("UTC").replace(day=n) for n in (23, 24, 25)]
    for words, column, sums in (
        ((), "usd", [oracle.cost(low, high) for low, high in pairwise(days)]),
        (
            ("--currency", "EUR"), "eur",
            [decimal_of(oracle.euros(low, high)) for low, high in pairwise(days)],
        ),
    ):  # fmt: skip
        (growth, *_) = json.loads(system.command("report", "patterns", "--json", *words))["growth"]["rows"]
        assert growth["period"] == "yesterday"
        assert [Decimal(growth[name]) for name in (f"before_{column}", column)] == sums
    text = system.command("report", "patterns")
    assert oracle.unpriced(days[1], days[2]) > 0
    assert usd(oracle.cost(days[1], days[2]), lower_bound=True) in text, "as other reports write it"


def test_a_forecast_is_the_one_in_usd_at_the_rate_of_today(system: System, oracle: Oracle) -> None:
    """Not one of amounts at the rates of their days: that would take a new exchange rate for less usage."""
    usd_rows, eur_rows = (
        json.loads(system.command("forecast", "--json", "--currency", code))["month"]["rows"]
        for code in ("USD", "EUR")
    )
    spent = Fraction(usd_rows[0]["usd"])
    assert spent == oracle.cost(first_of_month("UTC"))
    assert Decimal(eur_rows[0]["eur"]) == decimal_of(oracle.euros(first_of_month("UTC")))
    assert len(usd_rows) == len(eur_rows) == 6
    for one, other in zip(usd_rows[1:], eur_rows[1:], strict=True):
        rest = (Fraction(one["usd"]) - spent) / Fraction("1.17")
        assert float(Fraction(other["eur"]) - Fraction(eur_rows[0]["eur"])) == pytest.approx(
            float(rest), abs=2e-6
        )
    page = system.page("/?tz=UTC&range=30d&currency=EUR")
    assert f"<b>{about(Decimal(eur_rows[1]['eur']), 'EUR', lower_bound=True)}</b>" in page
    last = [
        json.loads(system.command("forecast", "--horizon", "1", "--currency", code))
        for code in ("USD", "EUR")
    ]
    assert last[1]["mean"] == pytest.approx(last[0]["mean"] / 1.17)


def test_pages_show_the_currency_that_their_address_names(system: System, oracle: Oracle) -> None:
    euro = {"today": oracle.euros(midnight("UTC")), "month": oracle.euros(first_of_month("UTC"))}
    overview = system.page("/?tz=UTC&range=30d&currency=EUR")
    for name, cost in euro.items():
        bound = name == "month" or oracle.unpriced(midnight("UTC")) > 0
        assert f'data-figure="{name}">{usd(cost, lower_bound=bound, currency="EUR")}<' in overview
    assert "converted from USD at each day's rate (ECB)" in overview
    for path in ("explore", "events", "live", "quality", "opportunities"):
        main = system.page(f"/{path}?range=30d&currency=EUR").partition("<main")[2]
        assert "€" in main, path
        assert "$" not in re.sub(r'"marks":\[.*?\],"ahead"', "", main), path  # alerts stay in USD
    assert "€" not in system.page("/?range=30d").partition("<main")[2]
    assert "$" in system.page("/budgets?currency=EUR")
