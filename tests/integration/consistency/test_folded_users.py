"""Rollups name a bounded number of users in a window. What is shown of one user is still what its events come to."""

import csv
import io
import json
import re
from decimal import Decimal

import pytest
from tests.support.consistency.data import NOW, Oracle, first_of_month
from tests.support.consistency.surfaces import System, evaluate_alerts

from outlay_reports.alert_amounts import contributor_text
from outlay_reports.money import usd
from outlay_schemas.dimensions import OTHER_USERS

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
MONTH = first_of_month("UTC")


def test_rollups_name_only_some_users_here(folded: System, oracle: Oracle) -> None:
    (row,) = folded.clickhouse.rows(
        "SELECT sum(cost) AS cost FROM costs_hourly WHERE tenant = 'consistent' AND user = {u:String}",
        {"u": OTHER_USERS},
    )
    assert 0 < row["cost"] < oracle.cost(MONTH)


def test_one_user_costs_the_same_in_explore_and_in_reports(folded: System, oracle: Oracle) -> None:
    answer = folded.command("report", "top", "--by", "user", "--from", "2026-11", "--json")
    reported = {row["user"]: Decimal(row["cost_usd"]) for row in json.loads(answer)["rows"]}
    sums = oracle.by(lambda call: call.user, MONTH)
    for user, cost in sums.items():
        assert reported[user] == cost, user
        page = folded.page(f"/explore?range=month&tz=UTC&by=team&user={user}")
        missing = any(call.cost is None for call in oracle.some(MONTH, user=user))
        heading = re.search(r'<h2 id="spend">(.*?)</h2>', page)
        assert heading is not None
        assert heading[1] == usd(cost, lower_bound=missing), user
        chart = re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
        assert chart is not None
        assert sum(Decimal(one) for row in json.loads(chart[1])["costs"] for one in row) == cost, user


def test_a_table_of_users_says_that_some_are_folded(folded: System, system: System, oracle: Oracle) -> None:
    path = "/explore?range=month&tz=UTC&by=user"
    said = "amounts of single users may be higher than shown"
    assert said in folded.page(path)
    assert said not in system.page(path), "every user is named there"
    table = csv.DictReader(io.StringIO(folded.page("/explore.csv?range=month&tz=UTC&by=user")))
    assert {row["user"]: Decimal(row["cost_usd"]) for row in table} == oracle.by(
        lambda call: call.user, MONTH
    )


def test_an_alert_names_users_and_no_more_than_is_sure(folded: System, oracle: Oracle) -> None:
    alert = evaluate_alerts(folded)["all", "0.001"]
    users = [one for one in alert.contributors if one.dimension == "user"]
    assert Decimal(alert.actual) == oracle.cost(MONTH, NOW)
    assert users
    for one in users:
        assert one.partial
        assert Decimal(one.cost) <= oracle.cost(MONTH, user=one.value)
        assert f"{one.value} ≥ $" in contributor_text(alert, one)
    assert not any(one.partial for one in alert.contributors if one.dimension != "user")
