"""The last release runs with data; its successor, this tree, starts on the same folder and keeps all of it."""

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.system import Cli
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.chaos, pytest.mark.timeout(1200)]
ROOT = Path(__file__).parents[2]
RELEASE = "45e056f487ffdf179a68502749c400b628377082"
"""The last commit of 0.1.0, which was never tagged."""
BUDGET = (
    "- {id: team, name: Team, tenant: acme, period: month, amount: '1', thresholds: [50, 100]}\n"
    "- {id: large, name: Large, tenant: acme, period: month, amount: '1000', thresholds: [50]}\n"
)
TOTALS = (
    "SELECT team, sku, toString(sum(events)) AS events, toString(sum(cost)) AS cost FROM costs_daily"
    " WHERE tenant = 'acme' GROUP BY team, sku ORDER BY team, sku"
)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheels of 0.1.0, and with the dependencies that it locked."""
    folder = tmp_path_factory.mktemp("released")
    found = subprocess.run(["git", "archive", RELEASE], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        pytest.skip("the history of this checkout does not reach 0.1.0; fetch it: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder / "source", filter="data")
    uv = [sys.executable, "-m", "uv", "sync", "-q", "--frozen", "--no-dev", "--no-editable", "--all-packages"]
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder / "env")}
    subprocess.run(uv, cwd=folder / "source", env=env, check=True)
    return folder / "env/bin/python"


def events(source: str, count: int) -> str:
    now = int(time.time())  # noqa: TID251 (a sender's own clock)
    return "\n".join(
        json.dumps(
            {
                "id": str(n), "source": source, "kind": "llm", "provider": "openai",
                "sku": ("gpt-5", "gpt-5-mini", "unknown-to-all")[n % 3], "team": f"team-{n % 4}",
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - n % 3000)),
                "usage": {"input_tokens": 1000 + n, "output_tokens": 100},
            }
        )
        for n in range(count)
    )  # fmt: skip


def send(cli: Cli, key: str, lines: str) -> None:
    cli("emit", "--api-key", key, "--url", cli.state().ingest, "-", stdin=lines)


def counted(cli: Cli) -> int:
    return sum(int(row["events"]) for row in cli.json("query", TOTALS))


def standing(cli: Cli) -> dict[str, tuple[str, str]]:
    """Budget → (amount, spent)."""
    rows: list[dict[str, Any]] = cli.json("budgets", "--tenant", "acme")
    return {row["budget"]: (row["amount"], row["spent"]) for row in rows}


def audit(cli: Cli) -> None:
    found = cli.json("audit", "--tenant", "acme", "--patience", "60")
    assert found["balanced"] is True


def test_p16_the_last_release_is_upgraded_with_its_data_and_loses_nothing(
    released: Path, tmp_path: Path
) -> None:
    old, new = Cli(tmp_path / "home", str(released)), Cli(tmp_path / "home")
    assert "--version" not in old("--help")  # it is really the old one
    old("up", "--ports", "auto")
    key = old.json("keys", "create", "--tenant", "acme", "--scope", "ingest", "--scope", "read")["key"]
    default = released.parents[1] / "lib"
    [catalog] = default.glob("python3*/site-packages/outlay/catalog/default")
    folder = tmp_path / "catalog"
    subprocess.run(["cp", "-r", catalog, folder], check=True)
    (folder / "budgets.yaml").write_text(BUDGET)
    old("catalog", "publish", str(folder))
    send(old, key, before := events("before", 3000))
    until(lambda: counted(old) == 3000, 60, "the events counted")
    until(lambda: len(standing(old)) == 2, 60, "the budgets")
    audit(old)
    totals, budgets = old.json("query", TOTALS), standing(old)
    dead = old.json("query", "SELECT count() AS n FROM dead_letters")
    old("down")

    new("up", "--ports", "auto")
    assert new.json("query", TOTALS) == totals
    assert new.json("query", "SELECT count() AS n FROM dead_letters") == dead
    until(lambda: standing(new) == budgets, 60, f"the budgets as they were: {budgets}")
    audit(new)
    send(new, key, before)  # the old key, and the old events again: each counts once
    send(new, key, events("after", 300))
    until(lambda: counted(new) == 3300, 90, "the new events counted")
    time.sleep(3)
    assert counted(new) == 3300
    audit(new)
    new("rebuild")
    audit(new)
    assert counted(new) == 3300
    new("down")
