"""Every program of examples/, run as its README says, against a running system."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.support.system import Cli
from tests.support.waiting import until

from outlay.embedded.ports import free_port

pytestmark = pytest.mark.stack
FOLDER = Path(__file__).parents[2] / "examples"
CALL = 0.00027
"""USD of a call of gpt-4o-mini with 1,000 tokens in, at $0.15 a million, and 200 out, at $0.60."""


@pytest.fixture(scope="module")
def env(cli: Cli) -> dict[str, str]:
    """The environment that the README of the examples prepares."""
    state = cli.state()
    found = {
        **{k: v for k, v in os.environ.items() if not k.startswith("OUTLAY_")},
        "OUTLAY_URL": state.ingest,
        "OUTLAY_API_KEY": cli.json("keys", "create", "--tenant", "examples")["key"],
        "OUTLAY_CONSOLE_URL": state.console,
        "OUTLAY_READ_KEY": cli.json("keys", "create", "--tenant", "examples", "--scope", "read")["key"],
        "OUTLAY_TENANT": "examples",
        "CLICKHOUSE_URL": state.clickhouse,
        "CLICKHOUSE_USER": state.reader,
        "CLICKHOUSE_PASSWORD": state.reader_password,
    }
    bearer = {"Authorization": f"Bearer {found['OUTLAY_API_KEY']}"}
    until(
        lambda: httpx.post(f"{state.ingest}/v1/events", headers=bearer, json=[]).status_code != 401,
        10,
        "the key",
    )
    return found


def run(name: str, env: dict[str, str]) -> str:
    """Run an example to its end and return what it printed."""
    program = "sh" if name.endswith(".sh") else sys.executable
    done = subprocess.run(
        [program, FOLDER / name], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cost(cli: Cli, source: str) -> tuple[int, float]:
    """Return (events, USD) of a source in the ledger; (0, 0.0) before its first event, of which the sum is NULL."""
    sql = f"SELECT count() AS n, toFloat64(sum(cost)) AS usd FROM costs WHERE tenant = 'examples' AND source = '{source}'"  # noqa: E501, S608
    [row] = cli.json("query", sql)
    return row["n"], round(row["usd"] or 0.0, 8)


def arrives(cli: Cli, source: str, events: int, usd: float) -> None:
    until(lambda: cost(cli, source) == (events, usd), 40, f"{events} events of {source} at {usd} USD")


def test_the_sdk_example_sends_two_calls_that_are_priced(cli: Cli, env: dict[str, str]) -> None:
    assert "sent=2" in run("send_sdk.py", env)
    arrives(cli, "examples/sdk", 2, round(4808 * 3e-6 + 110 * 15e-6 + CALL, 8))


def test_the_curl_example_counts_once_though_it_is_run_twice(cli: Cli, env: dict[str, str]) -> None:
    for _ in range(2):
        assert json.loads(run("send_curl.sh", env))["accepted"] == 1
    arrives(cli, "examples/curl", 1, CALL)


def test_the_opentelemetry_example_is_an_event(cli: Cli, env: dict[str, str]) -> None:
    run("send_opentelemetry.py", env)
    arrives(cli, "examples/opentelemetry", 1, CALL)


def test_the_readers_show_what_the_senders_sent(cli: Cli, env: dict[str, str]) -> None:
    arrives(cli, "examples/curl", 1, CALL)
    report = json.loads(run("read_api.sh", env))
    assert {"growth"} == {row["team"] for row in report["rows"]}
    assert "gpt-4o-mini" in {row["sku"] for row in report["rows"]}
    assert "growth / gpt-4o-mini: $0.0" in run("read_sql.py", env)


@pytest.fixture
def receiver(env: dict[str, str]) -> Iterator[tuple[dict[str, str], "subprocess.Popen[str]"]]:
    """The webhook's receiver on a port, and the environment that points the alerter at it."""
    port = free_port()
    named = {**env, "OUTLAY_ALERTER_WEBHOOK_SECRET": "whsec_" + base64.b64encode(os.urandom(32)).decode(),
             "OUTLAY_ALERTER_WEBHOOK_URL": f"http://127.0.0.1:{port}/",
             "OUTLAY_ALERTER_ALLOW_NETWORKS": "127.0.0.0/8"}  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, FOLDER / "receive_webhook.py", str(port)],
        env=named,
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: _refused(port) == 401, 20, "the receiver")  # and what is not signed is refused
    yield named, process
    process.terminate()
    process.communicate(timeout=10)


def _refused(port: int) -> int:
    try:
        return httpx.post(f"http://127.0.0.1:{port}/", json={"type": "alert.firing", "data": {}}).status_code
    except httpx.TransportError:
        return 0


def test_the_receiver_takes_a_signed_alert_and_refuses_another_signature(
    cli: Cli, receiver: tuple[dict[str, str], "subprocess.Popen[str]"]
) -> None:
    named, process = receiver

    def send(env: dict[str, str]) -> int:
        command = [sys.executable, "-m", "outlay", "alerts", "test", "webhook"]
        return subprocess.run(command, env={**env, "OUTLAY_HOME": str(cli.home)}, check=False).returncode

    assert (
        send({**named, "OUTLAY_ALERTER_WEBHOOK_SECRET": "whsec_" + base64.b64encode(b"x" * 32).decode()}) == 1
    )
    assert send(named) == 0
    assert process.stdout is not None
    assert process.stdout.readline().startswith("alert.firing ")


def test_the_litellm_example_reports_its_call(cli: Cli, env: dict[str, str]) -> None:
    uv = Path(sys.executable).with_name("uv")
    root = FOLDER.parent
    command = [
        str(uv),
        "run",
        "--quiet",
        "--isolated",
        "--no-project",
        "--with",
        "litellm==1.110.2",
        "--with",
        str(root / "sdk"),
    ]
    if subprocess.run(
        [*command, "python", "-c", "import litellm"], capture_output=True, check=False
    ).returncode:
        pytest.skip("LiteLLM cannot be installed here")
    done = subprocess.run(
        [*command, "python", str(FOLDER / "litellm_callback.py")],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sent=1" in done.stdout
    until(lambda: cost(cli, "examples/litellm")[0] == 1, 40, "the call in the ledger")


def test_the_readme_lists_every_example_and_a_test_runs_each() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    programs = {path.name for path in FOLDER.iterdir()} - {"README.md"}
    assert set(re.findall(r"^\| \[([\w.]+)\]", page, re.MULTILINE)) == programs
    source = Path(__file__).read_text("utf-8")
    assert {name for name in programs if f'"{name}"' not in source} == set()
