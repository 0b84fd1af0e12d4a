"""The system that OUTLAY_KAFKA and OUTLAY_CLICKHOUSE name, as in Docker Compose or a cluster: its status and checks."""

import os
import socket
from collections.abc import Iterator
from typing import Any

from clickhouse_connect.driver.exceptions import DatabaseError

from outlay.embedded.errors import StackError
from outlay.local.doctor import Check
from outlay.local.status import ProcessStatus, SystemStatus, high_cardinality, lag_of
from outlay.local.system import SERVICES, readiness
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.errors import Refused, Retryable
from outlay_kit.migrator import migrations
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_kit.topics import admin
from outlay_reports.money import counted
from outlay_schemas import topics

HEALTH_PORT = 9400  # where a service serves /readyz and /metrics in the images of this project
_SECONDS = 3.0
_KAFKA_FIX = "check OUTLAY_KAFKA, and that the brokers run"


def is_configured() -> bool:
    """Return whether the environment names stores of its own."""
    return "OUTLAY_KAFKA" in os.environ and "OUTLAY_CLICKHOUSE" in os.environ


def services() -> list[tuple[str, str]]:
    """Return each service and the address of its health port, by OUTLAY_SERVICES. Raises StackError."""
    text = os.environ.get("OUTLAY_SERVICES", "")
    if not text:
        return [(name, f"http://{name}:{HEALTH_PORT}") for name in SERVICES]
    found = []
    for part in map(str.strip, text.split(",")):
        name, _, url = part.partition("=")
        if name not in SERVICES or not url.startswith(("http://", "https://")):
            hint = f"write ingest=http://HOST:{HEALTH_PORT},pricer=...; names: {', '.join(SERVICES)}"
            raise StackError(f'OUTLAY_SERVICES: "{part}" is not NAME=URL', hint)
        found.append((name, url.rstrip("/")))
    return found


def status() -> SystemStatus:
    """Ask the stores and every service how they are. Raises StackError."""
    kafka, clickhouse = KafkaSettings(), ClickHouseSettings()
    parts = [_part(name, url) for name, url in services()]
    for name, url, check in (
        ("clickhouse", clickhouse.url, next(_clickhouse(clickhouse))),
        ("kafka", kafka.bootstrap, next(_kafka(kafka))),
    ):
        state = "ready" if check.state != "error" else "not reachable"
        parts.insert(0, ProcessStatus(name, state, 0, 0, 0, 0.0, None, url))
    return SystemStatus("", parts, high_cardinality=high_cardinality(clickhouse))


def checks() -> Iterator[Check]:
    """Check the stores, what `outlay setup` creates in them, and every service. Raises StackError."""
    yield from _kafka(KafkaSettings())
    yield from _clickhouse(ClickHouseSettings())
    for name, url in services():
        hints = {
            "ready": "",
            "not ready": f"read its log; {url}/readyz must answer 200",
            "not reachable": f"start it, or name its health port: OUTLAY_SERVICES={name}=http://HOST:{HEALTH_PORT},...",
        }
        state = readiness(url, _SECONDS)
        yield Check(name, "ok" if state == "ready" else "error", f"{state} at {url}", hints[state])


def _part(name: str, url: str) -> ProcessStatus:
    state = readiness(url, _SECONDS)
    lag = None if state == "not reachable" else lag_of(url)
    return ProcessStatus(name, state, 0, 0, 0, 0.0, lag, url)


def _answers(address: str) -> bool:
    host, _, port = address.strip().rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def _kafka(settings: KafkaSettings) -> Iterator[Check]:
    if not any(map(_answers, settings.bootstrap.split(","))):
        yield Check("Kafka", "error", f"no broker answers at {settings.bootstrap}", _KAFKA_FIX)
        return
    try:
        with admin(settings) as client:
            cluster: dict[str, Any] = client.describe_cluster()
            known = set(client.list_topics())
    except Retryable as error:
        yield Check("Kafka", "error", str(error), _KAFKA_FIX)
        return
    count = len(cluster["brokers"])
    yield Check("Kafka", "ok", f"{counted(count, 'broker')} at {settings.bootstrap}")
    yield _made("topics", [topic.name for topic in topics.ALL if topic.name not in known])


def _clickhouse(settings: ClickHouseSettings) -> Iterator[Check]:
    client = ClickHouseClient(settings)
    try:
        (row,) = client.rows("SELECT version() AS version")
        yield Check("ClickHouse", "ok", f"{row['version']} at {settings.url}, user {settings.user}")
        applied = {r["number"] for r in client.rows("SELECT number FROM schema_migrations")}
    except (Retryable, Refused) as error:
        yield Check("ClickHouse", "error", str(error), "check OUTLAY_CLICKHOUSE, its user and its password")
        return
    except DatabaseError:
        applied = set()
    finally:
        client.close()
    yield _made("tables", [name for number, name, _ in migrations() if number not in applied])


def _made(what: str, missing: list[str]) -> Check:
    if not missing:
        return Check(what, "ok", "complete")
    shown = ", ".join(missing[:3]) + ("…" if len(missing) > 3 else "")
    return Check(what, "error", f"{len(missing)} missing: {shown}", "create them: outlay setup")
