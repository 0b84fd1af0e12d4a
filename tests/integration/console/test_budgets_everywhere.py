"""One budget, one minute: every surface shows the same figures, for every scope that the catalog accepts."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from starlette.testclient import TestClient
from tests.support.console_rig import BASE, NOW, Rig, chart_of, make
from tests.support.ledger import cost_event, write
from tests.support.stack import Stack
from typer.testing import CliRunner

from outlay.cli import alerts as command
from outlay.main import app
from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.budget_api.http import BudgetStatusApi
from outlay_alerter.budget_api.service import BudgetStatusService, BudgetStatusStore
from outlay_alerter.budget_reader import BudgetReader
from outlay_alerter.http_server import application
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_console.adapters.catalog import CatalogView
from outlay_console.app import Console
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyRing
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache, budget_query
from outlay_reports.budgets import BudgetStatus, budget_period, plan_of
from outlay_reports.cost_query import CostQuery
from outlay_reports.digest import DigestSources, build_digest, last_week
from outlay_reports.forecast.summary import budget_table
from outlay_reports.money import about, usd
from outlay_reports.report_table import Spent
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.catalog import Catalog, FxRate
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.currency import USD, Currency
from outlay_schemas.dimensions import CELL
from outlay_schemas.events import CostEvent
from outlay_schemas.money import Usd, to_pico

pytestmark = pytest.mark.stack
DAYS = 12
SCOPES: dict[str, dict[str, object]] = {
    "all": {},
    "team": {"team": "growth"},
    "teams": {"team": ["growth", "platform"]},
    "unassigned": {"team": ""},
    "project": {"project": "p"},
    "unit": {"business_unit": "consumer"},
    "use": {"use_case": ""},
    "provider": {"provider": "openai"},
    "model": {"sku": "gpt-5"},
    "kind": {"kind": "llm"},
    "activity": {"activity": "inference"},
    "user": {"user": ["u-1", "u-2"]},
    "tag": {"tags.env": "prod"},
    "tags": {"tags.env": ["prod", "dev"], "team": "growth"},
    "untagged": {"tags.env": ""},
    "attribute": {"attributes.region": ["eu", "us"]},
}
TERMS: dict[str, dict[str, object]] = {
    "week": {"period": "week", "anchor_day": 3, "timezone": "Asia/Kolkata"},
    "day": {"period": "day", "timezone": "America/New_York"},
    "fiscal": {"anchor_day": 15, "timezone": "Europe/Berlin", "rollover_percent": 50},
    "rolling": {"rolling_days": 7},
    "small": {"amount": 50},
    "charged": {"counts": "charged"},
    "euros": {"amount": 3200, "currency": "EUR"},
}
RATES = (
    FxRate.model_validate({"currency": "EUR", "usd": "1.25", "to": "2026-11-10"}),
    FxRate.model_validate({"currency": "EUR", "usd": "1.5", "from": "2026-11-10"}),
)


def budget(name: str, **terms: object) -> Budget:
    return Budget.model_validate(
        {"id": name, "name": f"Budget {name}", "tenant": "*", "amount": 4000, "thresholds": [0.001],
         "forecast_thresholds": [0.001], **terms}
    )  # fmt: skip


BUDGETS = tuple(budget(name, scope=scope) for name, scope in SCOPES.items()) + tuple(
    budget(name, scope={"team": "growth"}, **terms) for name, terms in TERMS.items()
)


def spending() -> list[CostEvent]:
    """Return twelve days of hourly costs of three teams, and an incident of today."""
    found = []
    for hour in range(24 * DAYS):
        at = (NOW - timedelta(days=DAYS)).replace(minute=5, second=0) + timedelta(hours=hour)
        for n, (team, tags) in enumerate(
            (("growth", {"env": "prod"}), ("platform", {"env": "dev"}), ("", {}))
        ):
            event = cost_event(
                "acme", 10 * hour + n, at, f"{n + 1}.{hour % 24:02}", team=team, tags=tags, user=f"u-{n}",
                sku=("gpt-5", "gpt-5-mini")[n % 2],
            )  # fmt: skip
            event.attributes = {"region": ("eu", "us", "ap")[n]}
            event.charged = Usd(str(Decimal(event.cost or 0) + Decimal("0.125")))
            found.append(event)
    tags = {"env": "prod"}
    for n in range(3):
        at = NOW - timedelta(hours=2 + n)
        found.append(cost_event("acme", 99_990 + n, at, None, team="growth", sku="mystery", tags=tags))
    return [
        *found,
        cost_event("acme", 99_999, NOW - timedelta(hours=1), "39.38", team="growth", tags=tags, charged="45"),
    ]


@dataclass
class Surfaces:
    rig: Rig
    clickhouse: ClickHouseClient
    catalog: Catalog
    events: list[CostEvent]

    @property
    def clock(self) -> FakeClock:
        return FakeClock(NOW)

    def states(self) -> dict[str, BudgetStatus]:
        """Return how budgets stand by the function that reports and the command line call."""
        plans = [plan_of(one, "acme", RATES) for one in BUDGETS]
        found = ForecastCache().states(CostReader(self.clickhouse), plans, NOW)
        return {one.budget: one for one in found}


@pytest.fixture(scope="module")
def surfaces(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surfaces]:
    folder = tmp_path_factory.mktemp("everywhere")
    rig = make(stack, folder, database="everywhere")
    writer = stack.writer.model_copy(update={"database": "everywhere"})
    clickhouse = ClickHouseClient(writer)
    for table in ("ledger", "rollup_minute", "rollup_hour", "rollup_day"):
        clickhouse.command(f"TRUNCATE TABLE {table}")
    events = spending()
    write(writer, events)
    shown = CatalogView(1, NOW, "", None, (), BUDGETS, fx=RATES)
    dependencies = replace(rig.dependencies, catalog=lambda: shown)
    yield Surfaces(
        replace(rig, dependencies=dependencies),
        clickhouse,
        Catalog(revision=1, created_at=NOW, budgets=BUDGETS, fx=RATES),
        events,
    )
    clickhouse.close()


def value_of(event: CostEvent, name: str) -> str:
    for prefix, free in (("tags.", event.tags), ("attributes.", event.attributes)):
        if name.startswith(prefix):
            return free.get(name.removeprefix(prefix), "")
    return str(getattr(event, name))


def oracle(events: list[CostEvent], scope: Mapping[str, object], since: str, amount: str = "cost") -> Decimal:
    """Return what a scope cost, or was charged, since an instant, by the events alone."""
    found = Decimal(0)
    for event in events:
        values = {name: value_of(event, name) for name in scope}
        wanted = {name: value if isinstance(value, list) else [value] for name, value in scope.items()}
        if f"{event.time:%Y-%m-%dT%H:%M}" >= since and all(values[name] in wanted[name] for name in scope):
            found += Decimal(getattr(event, amount) or 0)
    return found


def test_every_kind_of_scope_is_in_the_list() -> None:
    assert {name for scope in SCOPES.values() for name in scope if "." not in name} == set(CELL)


def test_what_is_used_is_what_the_events_say(surfaces: Surfaces) -> None:
    states = surfaces.states()
    for name, scope in SCOPES.items():
        assert Decimal(states[name].spent) == oracle(surfaces.events, scope, "2026-11-01T00:00"), name
        assert states[name].forecast is not None, name
    growth = {"team": "growth"}
    for name, since in (
        ("week", "2026-11-24T18:30"), ("day", "2026-11-25T05:00"), ("fiscal", "2026-11-14T23:00"),
        ("rolling", "2026-11-18T14:43"), ("small", "2026-11-01T00:00"),
    ):  # fmt: skip
        assert Decimal(states[name].spent) == oracle(surfaces.events, growth, since), name
    charged = oracle(surfaces.events, growth, "2026-11-01T00:00", "charged")
    assert Decimal(states["charged"].spent) == charged > Decimal(states["team"].spent)
    assert (states["team"].unpriced, states["model"].unpriced, states["tag"].unpriced) == (3, 0, 3)
    assert states["small"].runs_out_at is not None
    assert states["small"].runs_out_at < NOW
    assert oracle(surfaces.events, growth, "2026-11-01") > 50


async def test_the_console_shows_it(surfaces: Surfaces) -> None:
    transport = httpx.ASGITransport(app=Console(surfaces.rig.dependencies).app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=BASE, headers={"sec-fetch-site": "same-origin"}
    ) as client:
        await client.post("/login", data={"key": surfaces.rig.keys["acme"]})
        page, first = await client.get("/budgets"), await client.get("/")
        states = surfaces.states()
        own = {name: await client.get(f"/budgets/{name}") for name in states}
    assert {answer.status_code for answer in (page, first, *own.values())} == {200}
    title = r"<h2 id=\"b\d+\"><a [^>]*>Budget (\w+)</a></h2>.*?</section>"
    sections = {m[1]: m[0] for m in re.finditer(title, html.unescape(page.text), re.DOTALL)}
    assert set(sections) == set(states)
    for name, state in states.items():
        assert f"{usd(state.spent)} <span" in sections[name], name
        assert f"{usd(state.spent)} <span" in html.unescape(own[name].text), name
        limit = usd(state.amount) if name != "euros" else "$4,000.00 = €3,200.00"
        assert f"of {limit}</span>" in sections[name], name
        if state.forecast and state.forecast_low and state.forecast_high:
            low, high = about(Decimal(state.forecast_low)), about(Decimal(state.forecast_high))
            expected = f'{about(Decimal(state.forecast))} <span class="muted">({low}\u2013{high})'
            assert expected in sections[name], name
    # The month of the overview is the budget over everything.
    landing = states["all"].forecast
    assert landing is not None
    assert f"Forecast for the month: <b>≥ {about(Decimal(landing))}</b>" in first.text, (
        "some events have no price"
    )


def test_what_many_budgets_used_is_what_each_alone_used(surfaces: Surfaces) -> None:
    """However many there are, of any scopes, periods and conditions: they share a few reads of the rollups."""
    reader, zones = CostReader(surfaces.clickhouse), ("UTC", "Asia/Kolkata", "America/New_York")
    many = [
        budget(f"many-{name}-{n}", scope=scope, timezone=zones[n % 3], anchor_day=1 + n % 28, counts=counts)
        for name, scope in SCOPES.items()
        for n, counts in enumerate(("cost", "charged", "cost") * 5)
    ]
    many += [budget(f"long-{n}", rolling_days=1 + n, scope={"team": f"team-{n}"}) for n in range(160)]
    plans = [plan_of(one, "acme", RATES) for one in many]
    asked = [budget_query(plan, budget_period(plan, NOW)) for plan in plans]
    asked += [
        replace(asked[0], where=where, currency=currency)
        for where in (
            {"team!": ("growth",)},
            {"team!": ("platform",), "sku~": ("mini",)},
            {"team": ("growth",)},
        )
        for currency in (USD, Currency("EUR", RATES))
    ]
    found = reader.totals(asked)
    for place in (*range(0, len(plans), 7), *range(len(plans), len(asked))):
        assert [found[place]] == reader.totals([asked[place]]), asked[place]
    assert len({one.cost for one in found}) > 30
    states = ForecastCache().states(reader, plans, NOW)
    assert [to_pico(one.spent) for one in states] == [one.cost for one in found[: len(plans)]]


@pytest.mark.parametrize("own", ["USD", "EUR"])
async def test_its_link_opens_its_figure(surfaces: Surfaces, own: str) -> None:
    """In a console that shows other pages in another currency, too."""
    dependencies = surfaces.rig.dependencies
    settings = dependencies.settings.model_copy(update={"currency": own})
    rig = replace(surfaces.rig, dependencies=replace(dependencies, settings=settings))
    client = await rig.logged_in()
    states = surfaces.states()
    for name, state in states.items():
        page = html.unescape((await client.get(f"/budgets/{name}")).text)
        (link,) = re.findall(r'<a href="([^"]*)">this period in Explore', page)
        assert ("range=month" in link) is (name not in ("week", "day", "fiscal", "rolling")), name
        explore = html.unescape((await client.get(link)).text)
        shown = usd(state.spent, lower_bound=state.unpriced > 0)
        assert re.findall(r'<h2 id="spend">(.*?)</h2>', explore) == [shown], name
        assert f'class="big">{shown} <span' in page, name
        costs = re.findall(r'"(-?[\d.]+)"', json.dumps(chart_of(explore)["costs"]))
        assert sum(map(Decimal, costs)) == Decimal(state.spent), name
        csv = (await client.get(link.replace("/explore", "/explore.csv"))).text.splitlines()
        assert f"{'charged' if name == 'charged' else 'cost'}_usd" in csv[0], name
    charged = html.unescape((await client.get("/explore?range=month&by=sku&team=growth&currency=USD")).text)
    assert f"charged internally {usd(states['charged'].spent, lower_bound=True)}</a>" in charged


def test_the_status_api_says_it(surfaces: Surfaces, tmp_path: Path) -> None:
    ring = KeyRing(surfaces.rig.keys_file, surfaces.clock)
    lane = BudgetReader(RollupReader(surfaces.clickhouse), ForecastCache(), surfaces.clock)
    desk = BudgetStatusService(lambda: lane, lambda: Watchlist(surfaces.catalog), surfaces.clock, patience=30)
    headers = {"Authorization": f"Bearer {surfaces.rig.keys['acme']}"}
    with TestClient(application(BudgetStatusApi(desk, ring, surfaces.clock).routes())) as client:
        for name, state in surfaces.states().items():
            answer = client.get(f"/v1/budgets/{name}/status?mode=strict", headers=headers).json()
            assert (answer["spent"], answer.get("forecast")) == (state.spent, state.forecast), name
            assert (answer["amount"], answer.get("usd_per_unit")) == (state.amount, state.usd_per_unit), name
            assert answer.get("unpriced", 0) == state.unpriced, name
            assert answer.get("runs_out_at") == (
                None if state.runs_out_at is None else f"{state.runs_out_at:%Y-%m-%dT%H:%M:%SZ}"
            )
            assert answer.get("forecast_low") == state.forecast_low, name
            assert answer.get("forecast_high") == state.forecast_high, name
            assert answer["allowed"] == (state.standing != "over")


def test_alerts_say_it(surfaces: Surfaces) -> None:
    Alerter(
        RollupReader(surfaces.clickhouse), Store(surfaces.clickhouse), surfaces.clock,
        watchlist=lambda: Watchlist(surfaces.catalog), channels=["bus"],
    ).evaluate("acme", {NOW})  # fmt: skip
    rows = surfaces.clickhouse.rows("SELECT body FROM alerts FINAL WHERE tenant = 'acme'")
    found: dict[tuple[str, str], Alert] = {}
    for alert in (alert_decoder.decode(row["body"]) for row in rows):
        found[alert.rule, alert.level] = alert
    for name, state in surfaces.states().items():
        assert found[name, "0.001"].actual == state.spent, name
        limit = usd(state.amount) if name != "euros" else "$4,000.00 = €3,200.00"
        assert f"of {limit} spent" in found[name, "0.001"].summary, name
        if state.forecast is not None:
            forecast = found[name, "forecast-0.001"]
            assert forecast.actual == state.forecast, name
            assert state.forecast_low is not None
            assert state.forecast_high is not None
            low, high = about(Decimal(state.forecast_low)), about(Decimal(state.forecast_high))
            assert f"between {low} and {high}" in forecast.summary, name
    rows = surfaces.clickhouse.rows("SELECT body FROM budget_status FINAL WHERE tenant = 'acme'")
    written = {
        one.budget: one for one in (msgspec.json.decode(row["body"], type=BudgetStatus) for row in rows)
    }
    assert {name: one.forecast for name, one in written.items()} == {
        name: state.forecast for name, state in surfaces.states().items()
    }


def test_a_budget_that_is_removed_from_the_catalog_stands_nowhere(surfaces: Surfaces) -> None:
    store = BudgetStatusStore(surfaces.clickhouse)
    store.write(list(surfaces.states().values()))
    less = surfaces.catalog.model_copy(update={"budgets": BUDGETS[:2]})
    Alerter(
        RollupReader(surfaces.clickhouse), Store(surfaces.clickhouse), surfaces.clock,
        watchlist=lambda: Watchlist(less), channels=["bus"],
    ).evaluate_all()  # fmt: skip
    assert {one.budget for one in store.read() if one.tenant == "acme"} == {"all", "team"}


def test_the_command_line_and_reviews_say_it(surfaces: Surfaces, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = surfaces.rig.dependencies.readers._settings
    monkeypatch.setattr("outlay.local.state.stores", lambda *_: (None, settings))
    monkeypatch.setattr(command, "budget_plans", lambda *_: [plan_of(one, "acme", RATES) for one in BUDGETS])
    monkeypatch.setattr(command, "SystemClock", lambda: surfaces.clock)
    result = CliRunner().invoke(app, ["budgets", "--json"], catch_exceptions=False)
    states = surfaces.states()
    shown = {one["budget"]: one for one in json.loads(result.stdout)}
    assert {name: one.get("forecast") for name, one in shown.items()} == {
        n: s.forecast for n, s in states.items()
    }
    assert (shown["euros"]["amount"], shown["euros"]["usd_per_unit"]) == ("4000", "1.25")
    sheet = budget_table(
        [plan_of(one, "acme", RATES) for one in BUDGETS], list(states.values()), ZoneInfo("UTC")
    )
    columns = [column.name for column in sheet.columns]
    week = CostQuery(TimeRange(NOW, NOW), ZoneInfo("UTC"), (), {}, ("acme",))
    week = replace(week, span=last_week(NOW, week))
    sections = build_digest(
        DigestSources(CostReader(surfaces.clickhouse), surfaces.clickhouse, BUDGETS, RATES), week, NOW, None
    )
    (reviewed,) = [section.sheet for section in sections if section.heading == "Budgets"]
    assert reviewed is not None
    assert [row.values for row in reviewed.rows] == [row.values for row in sheet.rows]
    landing = columns.index("forecast_usd")
    for state, row in zip(states.values(), reviewed.rows, strict=True):
        cell = row.values[landing]
        assert (None if cell is None else isinstance(cell, Spent) and cell.pico) == (
            None if state.forecast is None else to_pico(state.forecast)
        )
