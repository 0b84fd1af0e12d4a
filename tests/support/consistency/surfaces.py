"""Every surface, asked for every figure that it shows. None of this computes a figure: it only reads answers."""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from tests.support.consistency.data import BUDGETS, NOW, TENANT, first_of_month, midnight
from typer.testing import CliRunner

from outlay.main import app
from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.budget_api.http import BudgetStatusApi
from outlay_alerter.budget_api.service import BudgetStatusService
from outlay_alerter.budget_reader import BudgetReader
from outlay_alerter.http_server import application
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_console.app import Console
from outlay_console.pages.request import Dependencies
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyRing
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.adapters.savings import newest_savings
from outlay_reports.budgets import BudgetStatus, plan_of
from outlay_reports.cost_query import CostQuery
from outlay_reports.digest import DigestSources, build_digest
from outlay_reports.report_table import Spent
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.money import rounded_usd

Figures = Mapping[str, Any]
BEFORE, AFTER = ("2026-11-23", "2026-11-24")
"""Two whole days that are compared."""


@dataclass
class System:
    """What the surfaces are asked over."""

    dependencies: Dependencies
    clickhouse: ClickHouseClient
    catalog: Catalog
    keys_file: Path
    key: str
    environment: Mapping[str, str]

    @property
    def clock(self) -> FakeClock:
        return FakeClock(NOW)

    def command(self, *words: str) -> str:
        """Return what a command prints."""
        result = CliRunner().invoke(app, list(words), env=dict(self.environment), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    def page(self, path: str) -> str:
        """Return the text of a page of the console."""
        with TestClient(
            Console(self.dependencies).app(), headers={"sec-fetch-site": "same-origin"}
        ) as client:
            client.post("/login", data={"key": self.key})
            answer = client.get(path)
        assert answer.status_code == 200, answer.text
        return html.unescape(answer.text)


def sql_views(system: System, zone: str) -> Figures:
    """The views that BI tools read."""

    def ask(
        columns: str, since: datetime, view: str = "costs_minutely", group: str = ""
    ) -> list[dict[str, Any]]:
        tail = f" GROUP BY {group}" if group else ""
        return system.clickhouse.rows(
            f"SELECT {columns} FROM {view} WHERE tenant = {{t:String}} AND time >= toDateTime({{s:UInt32}}){tail}",  # noqa: S608
            {"t": TENANT, "s": int(since.timestamp())},
        )

    month = first_of_month(zone)
    sums = "sum(cost) AS cost, sum(charged) AS charged, sum(unpriced_events) AS u,"
    [whole] = ask(f"{sums} sum(estimated_cost) AS guessed", month)
    [today] = ask("sum(cost) AS cost", midnight(zone))
    top = (
        ask("user, sum(cost) AS cost", month, "costs_daily", "user ORDER BY cost DESC LIMIT 1")
        if zone == "UTC"
        else []
    )
    return {
        "today": today["cost"],
        "month": whole["cost"],
        "charged": whole["charged"],
        "unpriced": whole["u"],
        "estimated": whole["guessed"],
        "by_team": {row["team"]: row["cost"] for row in ask("team, sum(cost) AS cost", month, group="team")},
        "by_tag": {
            row["env"]: row["cost"]
            for row in ask("tags['env'] AS env, sum(ifNull(cost, 0)) AS cost", month, "costs", "env")
        },
        **({"top": (top[0]["user"], top[0]["cost"])} if top else {}),
    }


def command_line(system: System, zone: str) -> Figures:
    """The command line, as JSON and as CSV."""

    def showback(by: str, start: str, *more: str) -> dict[str, Any]:
        answer = system.command(
            "report", "showback", "--by", by, "--from", start, "--tz", zone, "--json", *more
        )
        found: dict[str, Any] = json.loads(answer)
        return found

    today, month = f"{midnight(zone):%Y-%m-%d}", f"{midnight(zone):%Y-%m}"
    whole = showback("team", month)
    words = ("report", "showback", "--by", "team", "--from", month, "--tz", zone, "--format", "csv")
    table = list(csv.DictReader(io.StringIO(system.command(*words))))
    assert sum(Decimal(row["cost_usd"]) for row in table) == Decimal(whole["total"]["cost_usd"])
    top = json.loads(
        system.command(
            "report", "top", "--by", "user", "--limit", "1", "--from", month, "--tz", zone, "--json"
        )
    )
    found = {
        "today": Decimal(showback("team", today)["total"]["cost_usd"]),
        **_sheet_figures(whole),
        "by_tag": _by(showback("tags.env", month), "tags.env"),
        "top": (top["rows"][0]["user"], Decimal(top["rows"][0]["cost_usd"])),
        "savings": _savings(
            json.loads(system.command("opportunities", "--json", "--limit", "1000", "--least", "0"))
        ),
    }
    if zone == "UTC":
        compared = json.loads(
            system.command(
                "report",
                "compare",
                "--from",
                AFTER,
                "--to",
                AFTER,
                "--against",
                f"{BEFORE}..{BEFORE}",
                "--json",
            )
        )
        shown = {row["budget"]: row for row in json.loads(system.command("budgets", "--json"))}
        found |= {"effects": _effects(compared["total"]), **_budget(shown["all"])}
        found["charged_budget"] = Decimal(shown["charged"]["spent"])
    return found


def read_api(system: System, zone: str) -> Figures:
    """The read API of the console."""
    today, month = f"{midnight(zone):%Y-%m-%d}", f"{midnight(zone):%Y-%m}"
    with TestClient(Console(system.dependencies).app()) as client:

        def ask(report: str, **params: str) -> dict[str, Any]:
            answer = client.get(
                f"/api/v1/reports/{report}",
                params=params if report == "opportunities" else {"tz": zone, **params},
                headers={"authorization": f"Bearer {system.key}"},
            )
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        whole = ask("showback", by="team", **{"from": month})
        [top] = ask("top", by="user", limit="1", **{"from": month})["rows"][:1]
        found = {
            "today": Decimal(ask("showback", by="team", **{"from": today})["total"]["cost_usd"]),
            **_sheet_figures(whole),
            "by_tag": _by(ask("showback", by="tags.env", **{"from": month}), "tags.env"),
            "top": (top["user"], Decimal(top["cost_usd"])),
            "savings": _savings(ask("opportunities", limit="1000", least="0")),
        }
        if zone == "UTC":
            compared = ask("compare", against=f"{BEFORE}..{BEFORE}", **{"from": AFTER, "to": AFTER})
            found["effects"] = _effects(compared["total"])
    return found


def status_api(system: System, zone: str) -> Figures:
    """The budget status that programs ask before they spend."""
    lane = BudgetReader(RollupReader(system.clickhouse), ForecastCache(), system.clock)
    desk = BudgetStatusService(lambda: lane, lambda: Watchlist(system.catalog), system.clock, patience=30)
    ring = KeyRing(system.keys_file, system.clock)
    with TestClient(application(BudgetStatusApi(desk, ring, system.clock).routes())) as client:
        whole, charged = (
            client.get(
                f"/v1/budgets/{name}/status?mode=strict", headers={"authorization": f"Bearer {system.key}"}
            )
            for name in ("all", "charged")
        )
    assert (whole.status_code, charged.status_code) == (200, 200), whole.text
    return {**_budget(whole.json()), "charged_budget": Decimal(charged.json()["spent"])}


def alerts(system: System, zone: str) -> Figures:
    """The alerts that are stored, from which every channel's message is made."""
    budget = evaluate_alerts(system)["all", "0.001"]
    users = [part for part in budget.contributors if part.dimension == "user"]
    return {"budget_used": Decimal(budget.actual), "top": (users[0].value, Decimal(users[0].cost))}


def evaluate_alerts(system: System) -> dict[tuple[str, str], Alert]:
    """Evaluate the tenant, and return its alerts by rule and level."""
    Alerter(
        RollupReader(system.clickhouse), Store(system.clickhouse), system.clock,
        watchlist=lambda: Watchlist(system.catalog), channels=["bus"],
    ).evaluate(TENANT, {NOW})  # fmt: skip
    rows = system.clickhouse.rows("SELECT body FROM alerts FINAL WHERE tenant = {t:String}", {"t": TENANT})
    found = [alert_decoder.decode(row["body"]) for row in rows]
    return {(alert.rule, alert.level): alert for alert in found}


def reviews(system: System, zone: str) -> Figures:
    """The weekly review, as mail and Slack carry it; here over this month so far."""
    month = CostQuery(TimeRange(first_of_month(zone), NOW), ZoneInfo(zone), (), {}, (TENANT,))
    savings = newest_savings(system.clickhouse, (TENANT,), NOW)
    sections = build_digest(
        DigestSources(CostReader(system.clickhouse), system.clickhouse, BUDGETS), month, NOW, savings
    )
    sheets = {section.heading: section.sheet for section in sections if section.sheet is not None}
    budgets = sheets["Budgets"]
    names = [column.name for column in budgets.columns]
    rows = {row.values[0]: dict(zip(names, row.values, strict=True)) for row in budgets.rows}
    spent, charged = rows["All AI"]["spent_usd"], rows["Charged"]["spent_usd"]
    landing = rows["All AI"]["forecast_usd"]
    assert isinstance(spent, Spent)
    assert isinstance(charged, Spent)
    assert isinstance(landing, Spent)
    return {
        "budget_used": Decimal(rounded_usd(spent.pico)),
        "charged_budget": Decimal(rounded_usd(charged.pico)),
        "forecast": Decimal(rounded_usd(landing.pico)),
    }


def focus(system: System, zone: str) -> Figures:
    """The FOCUS export: what the provider bills."""
    text = system.command("export", "focus", "--from", "2026-11") if zone == "UTC" else ""
    if not text:
        return {}
    rows = list(csv.DictReader(io.StringIO(text)))
    by_team: dict[str, Decimal] = {}
    by_tag: dict[str, Decimal] = {}
    for row in rows:
        tags = json.loads(row["Tags"] or "{}")
        for into, value in ((by_team, row["x_Team"]), (by_tag, tags.get("env", ""))):
            into[value] = into.get(value, Decimal(0)) + Decimal(row["BilledCost"])
    return {
        "month": sum((Decimal(row["BilledCost"]) for row in rows), Decimal(0)),
        "by_team": by_team,
        "by_tag": by_tag,
    }


def prometheus(system: System, zone: str) -> Figures:
    """The gauges of the console that Prometheus scrapes; a figure is the nearest float."""
    with TestClient(Console(system.dependencies).app()) as client:
        answer = client.get(f"/metrics/money?tz={zone}", headers={"authorization": f"Bearer {system.key}"})
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            label = next((value for name, value in sample.labels.items() if name != "tenant"), "")
            found.setdefault(sample.name, {})[label] = sample.value
    forecast = found["outlay_forecast_usd"]
    teams = found["outlay_team_spend_usd"]
    return {
        "today": found["outlay_spend_usd"]["today"],
        "month": found["outlay_spend_usd"]["month"],
        "charged": found["outlay_charged_usd"]["month"],
        "unpriced": found["outlay_unpriced_events"]["month"],
        "estimated": found["outlay_estimated_usd"]["month"],
        "by_team": {"" if name == "(unassigned)" else name: cost for name, cost in teams.items()},
        "budget_used": found["outlay_budget_spent_usd"]["all"],
        "charged_budget": found["outlay_budget_spent_usd"]["charged"],
        **(
            {"forecast": forecast["expected"], "interval": (forecast["low"], forecast["high"])}
            if zone == "UTC"
            else {}
        ),
    }


def budget_states(system: System) -> BudgetStatus:
    """How the budget stands, by the function that all surfaces call: for the figures that no plain sum gives."""
    [state] = ForecastCache().states(CostReader(system.clickhouse), [plan_of(BUDGETS[0], TENANT)], NOW)
    return state


def console_overview(system: System, zone: str) -> Mapping[str, str]:
    """The text of the figures of the first page, as people read them."""
    text = system.page(f"/?tz={zone}&range=30d")
    found = dict(re.findall(r'data-figure="(\w+)">([^<]*)<', text))
    landing = re.search(r"<b>([^<]*)</b> <span class=\"muted\">\(([^<]*)\)</span></p>", text)
    assert landing is not None
    return {**found, "forecast": landing[1], "interval": landing[2], "page": text}


def _by(answer: dict[str, Any], name: str) -> dict[str, Decimal]:
    shown = {row[name]: Decimal(row["cost_usd"]) for row in answer["rows"]}
    return {"" if value in {None, "(unassigned)"} else value: cost for value, cost in shown.items()}


def _sheet_figures(answer: dict[str, Any]) -> dict[str, Any]:
    total = answer["total"]
    return {
        "month": Decimal(total["cost_usd"]),
        "charged": Decimal(total["charged_usd"]),
        "unpriced": total["unpriced_events"],
        "estimated": Decimal(total["estimated_usd"]),
        "by_team": _by(answer, "team"),
    }


def _effects(total: dict[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(total[f"{name}_usd"]) for name in ("price", "volume", "mix", "new", "gone")}


def _budget(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "budget_used": Decimal(answer["spent"]),
        "forecast": Decimal(answer["forecast"]),
        "interval": (Decimal(answer["forecast_low"]), Decimal(answer["forecast_high"])),
    }


def _savings(rows: Any) -> dict[str, Decimal]:
    return {
        row["id"]: Decimal(str(row["monthly_usd"]))
        for row in (rows["rows"] if isinstance(rows, dict) else rows)
    }


def explore(system: System, zone: str, column: str = "cost_usd", more: str = "") -> Figures:
    """The console's Explore page: its chart, and its table as a file."""

    def chart(query: str) -> dict[str, Decimal]:
        text = system.page(f"/explore?tz={zone}&{query}{more}")
        found = re.search(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
        assert found is not None
        data = json.loads(found[1])
        sums = {
            "" if name == "(unassigned)" else name: sum(map(Decimal, costs), Decimal(0))
            for name, costs in zip(data["names"], data["costs"], strict=True)
        }
        return {name: cost for name, cost in sums.items() if cost}

    def table(by: str) -> dict[str, Decimal]:
        text = system.page(f"/explore.csv?tz={zone}&range=month&by={by}{more}")
        rows = csv.DictReader(io.StringIO(text))
        return {"" if row[by] == "(unassigned)" else row[by]: Decimal(row[column]) for row in rows}

    teams, tags = chart("range=month&by=team"), chart("range=month&by=tags.env")
    both = chart("range=month&by=team&by=tags.env&tags.env!=prod")
    assert sum(both.values()) == sum(tags.values()) - tags["prod"], "leaving a value out leaves the others"
    assert chart("range=month&by=tags.env&tags.env~=PRO") == {"prod": tags["prod"]}
    return {
        "today": sum(chart("range=today").values()),
        "month": sum(teams.values()),
        "by_team": {**table("team"), **teams},
        "by_tag": {**table("tags.env"), **tags},
    }


SURFACES: dict[str, Callable[[System, str], Figures]] = {
    "SQL views": sql_views,
    "command line": command_line,
    "read API": read_api,
    "budget status API": status_api,
    "alerts": alerts,
    "reviews": reviews,
    "FOCUS": focus,
    "Prometheus": prometheus,
    "Explore": explore,
}
