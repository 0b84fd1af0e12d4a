"""Spend as Prometheus series: the figures of the pages, and every query of deploy/ against a real Prometheus."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
import uvicorn
import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.support.console_rig import NOW, Rig
from tests.support.waiting import until

from outlay.embedded.ports import free_port
from outlay_console.app import Console
from outlay_console.money_metrics import SERIES, TEAMS

pytestmark = pytest.mark.stack
DEPLOY = Path(__file__).parents[3] / "deploy/prometheus"
MIDNIGHT, FIRST = (datetime(2026, 11, day, tzinfo=NOW.tzinfo) for day in (25, 1))


async def scrape(rig: Rig, tenant: str = "acme") -> str:
    async with rig.client() as client:
        headers = {"authorization": f"Bearer {rig.keys[tenant]}"}
        answer = await client.get("/metrics/money", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def samples(text: str) -> dict[tuple[str, str], float]:
    """Return the value of each series by name and label; the tenant only where it is the only one."""
    return {
        (
            sample.name,
            next((v for k, v in sample.labels.items() if k != "tenant"), sample.labels["tenant"]),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_series_have_the_figures_of_plain_sums(rig: Rig) -> None:
    found = samples(await scrape(rig))
    month = rig.spent(FIRST, NOW)
    assert found["outlay_spend_usd", "today"] == float(rig.spent(MIDNIGHT, NOW))
    assert found["outlay_spend_usd", "month"] == float(month)
    assert found["outlay_unpriced_events", "month"] == sum(e.price_status == "unpriced" for e in rig.events)
    teams = {label: value for (name, label), value in found.items() if name == "outlay_team_spend_usd"}
    assert len(teams) <= TEAMS + 1
    assert sum(teams.values()) == pytest.approx(float(month))
    spent = rig.spent(FIRST, NOW, team="growth")
    assert found["outlay_budget_spent_usd", "growth"] == float(spent)
    assert found["outlay_budget_remaining_usd", "growth"] == float(500 - spent)
    assert found["outlay_budget_used_ratio", "growth"] == pytest.approx(float(spent / 500))
    assert found["outlay_forecast_usd", "low"] <= found["outlay_forecast_usd", "expected"]
    end = NOW.replace(second=0)
    quarter = rig.spent(end.replace(minute=end.minute - 15), end)
    assert found["outlay_burn_rate_usd_per_hour", "acme"] == float(quarter * 4)


async def test_a_restart_changes_no_value_and_nothing_is_a_counter(rig: Rig) -> None:
    first, second = await scrape(rig), await scrape(rig)  # each by a console that has just started
    assert first == second
    families = list(text_string_to_metric_families(first))
    assert {family.type for family in families} == {"gauge"}
    assert {family.name for family in families} == set(SERIES)


async def test_a_key_reads_the_series_of_its_own_tenant_only(rig: Rig) -> None:
    async with rig.client() as client:
        assert (await client.get("/metrics/money")).status_code == 401
    other = await scrape(rig, "globex")
    assert 'tenant="acme"' not in other
    assert samples(other)["outlay_spend_usd", "today"] == 77.5


@contextmanager
def served(rig: Rig) -> Iterator[int]:
    """Serve the console on a port, as its process does."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Console(rig.dependencies).app(), port=port, log_config=None))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def prometheus(folder: Path, target: int, key: str) -> Iterator[str]:
    """Run Prometheus with the configuration of deploy/, its target, key and intervals replaced."""
    config = yaml.safe_load((DEPLOY / "money.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": "3s", "evaluation_interval": "1s", "scrape_timeout": "3s"}
    job = config["scrape_configs"][0]
    job |= {"scrape_timeout": "3s", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    job["authorization"]["credentials_file"] = str(folder / "key")
    (folder / "key").write_text(key, "utf-8")
    (folder / "money.yml").write_text(yaml.safe_dump(config), "utf-8")
    shutil.copy(DEPLOY / "money.rules.yml", folder)
    port = free_port()
    words = [f"--config.file={folder / 'money.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    process = subprocess.Popen(
        ["prometheus", *words, f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]},
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def ask(url: str, expression: str) -> list[dict[str, object]]:
    """Return the series that a query answers; an error of Prometheus fails."""
    address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        found: list[dict[str, object]] = json.load(answer)["data"]["result"]
    return found


def scraped(url: str) -> bool:
    try:
        return bool(ask(url, "outlay:burn_rate_usd_per_hour:avg1d"))
    except OSError:
        return False


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus: apt install prometheus")
async def test_prometheus_scrapes_the_series_and_answers_every_query_of_the_rules(
    rig: Rig, tmp_path: Path
) -> None:
    rules = yaml.safe_load((DEPLOY / "money.rules.yml").read_text("utf-8"))["groups"][0]["rules"]
    with served(rig) as port, prometheus(tmp_path, port, rig.keys["acme"]) as url:
        await asyncio.to_thread(until, lambda: scraped(url), 90, "a scrape of Prometheus")
        [spend] = ask(url, 'outlay_spend_usd{period="month"}')
        assert float(spend["value"][1]) == float(rig.spent(FIRST, NOW))  # type: ignore[index]
        for name in SERIES:
            assert ask(url, name), f"Prometheus has no {name}"
        firing = {str(rule.get("alert", rule.get("record"))): ask(url, rule["expr"]) for rule in rules}
        assert firing["OutlayBudgetExhausted"], "the budget of growth is used up"
        assert Decimal(str(firing["outlay:unpriced_events:ratio"][0]["value"][1])) > 0  # type: ignore[index]
        assert re.search(r'"health":"up"', urllib.request.urlopen(f"{url}/api/v1/targets").read().decode())  # noqa: ASYNC210
