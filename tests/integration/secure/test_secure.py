"""Every service on stores with TLS, SASL and access rules: each works with what security.md grants, and no more."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from kafka import KafkaProducer
from kafka.errors import KafkaError
from tests.support.processes import Ingest, Service, tail
from tests.support.secure import GRANTS, GROUP, MODULES, TOPIC, Encrypted, Secure, secret
from tests.support.usage_lines import usage
from tests.support.waiting import PATIENCE, until

from outlay.catalog.publish import newest, publish
from outlay.embedded.ports import free_port
from outlay_aggregator.adapters.accepted_events import AcceptedEventsAudit
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.offsets import Offsets
from outlay_schemas.catalog.watch import Budget
from outlay_sdk import Outlay
from outlay_sdk.transport import KafkaTransport

pytestmark = pytest.mark.stack
ROOT = Path(__file__).parents[3]


@contextmanager
def producing(secure: Secure, user: str) -> Iterator[KafkaProducer]:
    options = {**secure.settings(user).client_options(), "enable_idempotence": False, "max_block_ms": 5000}
    producer = KafkaProducer(**options)
    try:
        yield producer
    finally:
        producer.close(timeout=2)


def cloud(event_id: str, **data: object) -> CloudEvent:
    attributes = {
        "specversion": "1.0", "type": "com.outlay.usage", "id": event_id, "source": "direct",
        "time": datetime.fromtimestamp(int(time.time()), UTC), "datacontenttype": "application/json",  # noqa: TID251
    }  # fmt: skip
    counts = {"input_tokens": 1_000_000}
    return CloudEvent(
        attributes, {"kind": "llm", "provider": "openai", "sku": "gpt-4o-mini", "usage": counts, **data}
    )


def send(producer: KafkaProducer, topic: str, message: KafkaMessage) -> None:
    producer.send(topic, message.value, headers=list(message.headers.items())).get(10)


def track_straight_to_kafka(secure: Secure) -> None:
    """As the SDK does for a tenant that has its own topic."""
    options: dict[str, Any] = secure.settings("acme").client_options()
    bootstrap = options.pop("bootstrap_servers")[0]
    outlay = Outlay(
        transport=KafkaTransport(bootstrap, topic="usage.events.acme", **options),
        source="direct",
        flush_at_exit=0,
    )
    outlay.track(provider="openai", sku="gpt-4o-mini", usage={"input_tokens": 1_000_000}, event_id="sdk")
    assert outlay.close(20)


class System:
    """All services, each as its own user of Kafka, and ClickHouse over TLS."""

    def __init__(self, secure: Secure, over_tls: Encrypted, folder: Path) -> None:
        self.database = f"secure_{time.time_ns()}"
        self.ingest = Ingest(secure.plain, folder)
        self.ingest.env |= secure.environment("ingest")
        self.console_port = free_port()
        self.read_key = self.ingest.keys.create(self.ingest.tenant, ("read",), SystemClock().now())
        for name in MODULES:
            (folder / name).mkdir()
        more: Mapping[str, dict[str, str]] = {
            "aggregator": {"OUTLAY_AGGREGATOR_WATERMARK_SECONDS": "0.5"},
            "console": {
                "OUTLAY_CONSOLE_PORT": str(self.console_port),
                "OUTLAY_CONSOLE_KEYS_FILE": str(folder / "keys.json"),
            },
        }
        self.services = {
            name: Service(
                module,
                folder / name / "log",
                secure.environment(name)
                | over_tls.environment(self.database, reader=name == "console")
                | more.get(name, {}),
            )
            for name, module in MODULES.items()
        }
        self.clickhouse = ClickHouseClient(over_tls.plain.writer, self.database)

    def start(self) -> None:
        self.ingest.start()
        self.services["aggregator"].start()  # makes the tables
        for name in ("pricer", "repricer", "alerter", "console"):
            self.services[name].start()

    def stop(self) -> None:
        self.clickhouse.close()
        for service in (self.ingest, *self.services.values()):
            assert service.stop() == 0

    def logs(self) -> str:
        return "".join(service.log.read_text() for service in (self.ingest, *self.services.values()))

    def costs(self) -> dict[tuple[str, str], Decimal]:
        rows = self.clickhouse.rows("SELECT tenant, id, cost FROM ledger FINAL")
        return {(row["tenant"], row["id"]): row["cost"] for row in rows}

    def count(self, table: str) -> int:
        return int(self.clickhouse.rows(f"SELECT count() AS n FROM {table}")[0]["n"])  # noqa: S608

    def balance(self, secure: Secure) -> dict[str, tuple[int, int, int, int]]:
        """Lines of each tenant in the ledger, dead, in_flight and missing, as `outlay audit` finds them."""
        offsets = Offsets(secure.plain)
        groups = "outlay-pricer", "outlay-aggregator"
        found = AcceptedEventsAudit(self.clickhouse, offsets, SystemClock(), *groups).check().balances
        offsets.close()
        return {b.tenant: (b.ledger, b.dead, b.in_flight, b.missing) for b in found}

    def console_pages(self) -> str:
        """The front page and that of the system's state, as one sees them who is logged in."""
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.console_port}",
            headers={"sec-fetch-site": "same-origin"},
            timeout=20 * PATIENCE,
        ) as browser:
            assert browser.post("/login", data={"key": self.read_key}).status_code == 303
            pages = [browser.get(path) for path in ("/", "/quality")]
        assert {page.status_code for page in pages} == {200}
        return "".join(page.text for page in pages)


def test_the_whole_system_works_with_the_rights_that_the_page_names(
    secure: Secure, over_tls: Encrypted, tmp_path: Path
) -> None:
    system = System(secure, over_tls, tmp_path)
    tenant = system.ingest.tenant
    catalog = newest(secure.plain)
    assert catalog is not None
    budget = Budget(id="b", name="B", tenant=tenant, amount=Decimal("0.0001"))
    publish(secure.plain, catalog.model_copy(update={"budgets": (budget,), "rules": ()}), SystemClock())
    system.start()
    assert system.ingest.post(usage("http") + b"\n{}").json()["accepted"] == 1
    with producing(secure, "acme") as acme:
        send(acme, "usage.events.acme", to_binary_event(cloud("binary")))
        send(acme, "usage.events.acme", to_structured_event(cloud("structured", tenant="acme")))
        send(acme, "usage.events.acme", to_binary_event(cloud("forged", tenant="globex")))
        acme.send("usage.events.acme", usage("native", tenant="globex") + b"\n" + usage("ours")).get(10)
    track_straight_to_kafka(secure)
    expected = {
        ("acme", "sdk"): Decimal("0.15"),
        (tenant, "http"): Decimal("0.000105"),
        ("acme", "binary"): Decimal("0.15"),
        ("acme", "structured"): Decimal("0.15"),
        ("acme", "ours"): Decimal("0.000105"),
    }
    until(lambda: system.costs() == expected, 40, f"{expected}")
    until(lambda: system.count("dead_letters FINAL") == 3, 30, "the dead dead_letters")
    dead_letters = system.clickhouse.rows("SELECT tenant, code FROM dead_letters FINAL ORDER BY tenant, code")
    assert [(row["tenant"], row["code"]) for row in dead_letters if row["tenant"] != tenant] == [
        ("acme", "tenant_mismatch")
    ] * 2
    with tail(secure.plain, "cost.alerts", tenant) as alerts:
        alerts.wait(lambda found: len(found) > 0)
    until(lambda: system.count("watermark") > 0, 30, "the watermark")
    assert "Kafka does not" not in system.console_pages()
    assert system.balance(secure) == {"acme": (4, 2, 0, 0), tenant: (1, 0, 0, 0)}
    for user in GRANTS:
        assert secret(user) not in system.logs()
    assert "uthorization" not in system.logs()
    system.stop()


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("acme", "usage.events"), ("acme", "usage.events.globex"), ("acme", "usage.dead-letter"),
        ("acme", "cost.events"), ("acme", "cost.catalog"), ("ingest", "usage.events.acme"),
        ("ingest", "cost.events"), ("ingest", "cost.catalog"), ("pricer", "usage.events"), ("pricer", "cost.catalog"),
        ("aggregator", "cost.events"), ("alerter", "cost.rollups"), ("console", "cost.events"),
        ("repricer", "cost.events"),
    ],
)  # fmt: skip
def test_no_one_may_write_what_is_not_theirs(secure: Secure, user: str, topic: str) -> None:
    with producing(secure, user) as producer, pytest.raises(KafkaError):
        producer.send(topic, usage("x", tenant="globex")).get(10)


def test_the_page_names_the_rights_that_are_granted_here() -> None:
    page = (
        (ROOT / "docs" / "security.md").read_text().split("## What each service must be allowed on Kafka")[1]
    )
    for user, grants in GRANTS.items():
        (row,) = re.findall(
            rf"^\| {user if user in MODULES or user == 'ingest' else '(?:tenant)'} \|(.*)\|(.*)\|$",
            page,
            re.MULTILINE,
        )
        documented = {
            (kind, name, how.upper())
            for kind, cell in zip((TOPIC, GROUP), row, strict=True)
            for how, names in re.findall(r"(read|write|describe)((?:(?:, | )`[^`]+`)+)", cell)
            for name in re.findall(r"`([^`]+)`", names)
        }
        assert documented == {
            (kind, name.replace(f".{user}", ".<tenant>"), how) for kind, name, how in grants
        }


CONNECT = """
from kafka import KafkaConsumer
from outlay_kit.settings import KafkaSettings
KafkaConsumer(**KafkaSettings().client_options(), bootstrap_timeout_ms=3000)
"""


def test_a_wrong_password_and_a_wrong_authority_open_nothing(secure: Secure, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    right = {**os.environ, **secure.environment("ingest")}
    for wrong in (
        {"OUTLAY_KAFKA_PASSWORD": "nonsense"},
        {"OUTLAY_KAFKA_CA_FILE": str(tmp_path / "other.pem")},
    ):
        # A process of its own: it reads its settings from its environment, as a service does.
        command = [sys.executable, "-c", CONNECT]
        done = subprocess.run(
            command, env=right | wrong, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert "kafka.errors" in done.stderr.splitlines()[-1]
    done = subprocess.run(
        [sys.executable, "-c", CONNECT],
        env=right,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
