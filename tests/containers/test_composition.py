"""The composition from a clean checkout: first event, alert, kill -9 of each container, down and up again."""

import re
import shutil
import subprocess
import time
import zlib
from threading import Thread

import httpx
import pytest
from tests.support.composition import CONSOLE, ROOT, Composition, images
from tests.support.waiting import until

from outlay.local.system import SERVICES

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]
[BASE] = re.findall(r"^ARG PYTHON=(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
PRICE = "0.00225"
"""USD of one event: 1,000 input and 100 output tokens of gpt-5, at $1.25 and $10 per million."""


def test_1_it_comes_up_and_every_service_is_ready(composition: Composition) -> None:
    started = time.monotonic()
    composition.up()
    states = composition.states()
    assert {name: states[name]["Health"] for name in SERVICES} == dict.fromkeys(SERVICES, "healthy")
    assert states["setup"]["ExitCode"] == 0
    assert "prometheus" not in states
    composition.done(
        "`up --wait` with two pricers and two aggregators: all are healthy, which means ready",
        f"{time.monotonic() - started:.0f} s",
    )


def test_2_a_first_key_is_created_and_the_first_event_is_priced(composition: Composition) -> None:
    composition.create_key()
    composition.send("first", 1)
    until(lambda: composition.totals()[0] == 1, 420, "one event in the rollups")
    assert composition.totals()[1].startswith(PRICE)
    page = httpx.get(
        f"{CONSOLE}/api/v1/reports/showback", headers={"authorization": f"Bearer {composition.key}"}
    )
    assert page.status_code == 200
    composition.done("the first key, the first event through the published port", f"${PRICE} in the rollups")


def test_3_services_run_as_an_unprivileged_user_on_a_read_only_root(composition: Composition) -> None:
    for name in SERVICES:
        script = "id -u; touch /app/x 2>&1; grep -E 'NoNewPrivs|CapEff' /proc/1/status"
        found = composition.compose("exec", "-T", name, "sh", "-c", script)
        assert found.startswith("10001\n"), name
        assert "Read-only file system" in found, name
        assert "NoNewPrivs:\t1" in found, name
        assert "CapEff:\t0000000000000000" in found, name
    composition.done("user 10001, read-only root, no capabilities, no new privileges", "all 6 services")


def test_4_a_budget_that_is_used_up_raises_an_alert(composition: Composition) -> None:
    catalog = composition.folder / "catalog"
    shutil.copytree(composition.folder / "outlay/outlay/catalog/default", catalog)
    (catalog / "budgets.yaml").write_text(
        "- {id: tiny, name: Tiny, tenant: default, period: month, amount: '0.001', thresholds: [100]}\n"
    )
    mount = f"{catalog}:/catalog:ro"
    composition.compose("run", "--rm", "-T", "-v", mount, "outlay", "catalog", "publish", "/catalog")
    composition.send("budget", 1)
    until(lambda: "Tiny budget" in composition.outlay("alerts", "list", "--json"), 240, "the alert")
    composition.done("a budget is used up", "its alert fires")


def test_5_kill_9_of_each_container_under_load_loses_nothing(composition: Composition) -> None:
    before = composition.totals()[0]
    batches, kills = 60, 0

    def load() -> None:
        for number in range(batches):
            composition.send(f"load-{number}", 50)

    sender = Thread(target=load)
    sender.start()
    for name in ("ingest", "pricer", "aggregator", "alerter", "console", "repricer", "kafka", "clickhouse"):
        container = composition.compose("ps", "-q", name).split()[0]
        pid = subprocess.run(
            ["docker", "inspect", "-f", "{{.State.Pid}}", container],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        subprocess.run(["kill", "-9", pid], check=True)
        kills += 1
        until(lambda: composition.states()[name]["Health"] == "healthy", 300, f"{name} healthy")  # noqa: B023
    sender.join(timeout=600)
    assert not sender.is_alive()
    wanted = before + batches * 50
    until(lambda: composition.totals()[0] == wanted, 300, f"{wanted} events in the rollups")
    assert composition.outlay("audit")
    composition.done(
        f"kill -9 of each of {kills} containers under load", f"{batches * 50:,} accepted, 0 lost, audit ok"
    )


def test_6_down_and_up_keeps_everything(composition: Composition) -> None:
    before = composition.totals()
    composition.compose("down")
    composition.up()
    assert composition.totals() == before
    composition.send("after", 1)
    until(lambda: composition.totals()[0] == before[0] + 1, 240, "the old key still sends")
    composition.done("`down`, `up`", f"{before[0]:,} events and the key are kept")


def test_7_without_kafka_ingest_answers_503_services_log_little_and_recover(composition: Composition) -> None:
    before = composition.totals()[0]
    composition.compose("stop", "kafka")
    until(lambda: composition.post("away", 1) == 503, 240, "503")
    started = time.monotonic()
    time.sleep(30)
    for name in SERVICES:
        logs = composition.compose("logs", "--no-log-prefix", "--since", "30s", name)
        lines = [line for line in logs.splitlines() if line.strip()]
        assert len(lines) <= (time.monotonic() - started) / 10 + 12, f"{name}: {logs[-2000:]}"
    composition.compose("start", "kafka")
    composition.send("away", 1)
    until(lambda: composition.totals()[0] == before + 1, 240, "the event that was refused, in the rollups")
    composition.done("Kafka stopped: 503, few log lines; started: accepted again", "counted once")


def test_8_images_are_small(composition: Composition) -> None:
    sizes = {}
    for image in (BASE, *images(composition)):
        answer = subprocess.run(
            ["docker", "image", "inspect", "-f", "{{.Size}}", image],
            capture_output=True,
            text=True,
            check=True,
        )
        sizes[image] = int(answer.stdout) // 10**6
    base = sizes.pop(BASE)
    added = {name.partition(":")[0]: size - base for name, size in sizes.items()}
    listed = ", ".join(f"{name} {size}" for name, size in added.items())
    composition.done(f"MB that each image adds to its base of {base} MB", listed)
    small = ("outlay-ingest", "outlay-pricer", "outlay-aggregator")
    pulled = {name.partition(":")[0]: _packed(name) for name in sizes if name.startswith(small)}
    assert sorted(pulled) == sorted(small)
    listed = ", ".join(f"{name} {size}" for name, size in pulled.items())
    composition.done("MB to pull, compressed, with the base", listed)
    assert max(pulled.values()) < 150, pulled


def _packed(image: str) -> int:
    """Return the MB of an image in gzip."""
    packer, size = zlib.compressobj(), 0
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        while block := saving.stdout.read(1 << 20):
            size += len(packer.compress(block))
    assert saving.returncode == 0
    return (size + len(packer.flush())) // 10**6
