"""The stores for the whole suite: containers where a Docker engine answers, else the embedded stack.

Import the fixture from a conftest: `from tests.support.stack import stack as stack`.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from outlay_kit.clock import SystemClock
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_schemas.topics import MAX_RECORD_BYTES

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stack:
    """How to reach the stores: Kafka, ClickHouse as its writer, ClickHouse as a user that can only read."""

    kafka: KafkaSettings
    writer: ClickHouseSettings
    reader: ClickHouseSettings
    embedded: bool
    """Whether ClickHouse is chDB behind the embedded interface."""

    @property
    def environment(self) -> dict[str, str]:
        """What a service must find in its environment to reach the stores as the writer."""
        return environment(self.kafka, self.writer)


def environment(kafka: KafkaSettings, writer: ClickHouseSettings) -> dict[str, str]:
    """Return the variables that point a service at these stores."""
    return {
        "OUTLAY_KAFKA": kafka.bootstrap,
        "OUTLAY_CLICKHOUSE": writer.url,
        "OUTLAY_CLICKHOUSE_USER": writer.user,
        "OUTLAY_CLICKHOUSE_PASSWORD": writer.password.get_secret_value(),
        "OUTLAY_CLICKHOUSE_DATABASE": writer.database,
    }


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run the stores for the length of the test session."""
    make = _containers() if docker_answers() else _embedded(tmp_path_factory.mktemp("stack"))
    with make as running:
        yield running


def docker_answers() -> bool:
    """Tell whether a Docker engine answers where its clients look for it."""
    host = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    family = socket.AF_UNIX if host.scheme == "unix" else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(3)
        try:
            probe.connect(host.path if host.scheme == "unix" else (host.hostname, host.port or 2375))
            probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return probe.recv(64).startswith(b"HTTP/")
        except OSError:
            return False


@contextmanager
def _embedded(home: Path) -> Iterator[Stack]:
    from outlay.embedded.stack import EmbeddedStack

    with EmbeddedStack(home, SystemClock()) as running:
        yield Stack(running.kafka, running.writer, running.reader, embedded=True)


@contextmanager
def _containers() -> Iterator[Stack]:
    """Run the stock images, on loopback; inside a container, testcontainers would look beyond it."""
    os.environ |= {
        "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
        "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1",
    }
    from testcontainers.community.clickhouse import ClickHouseContainer
    from testcontainers.core.container import DockerContainer
    from tests.support.waiting import until

    from outlay.embedded.kafka import KafkaBroker
    from outlay.embedded.ports import free_port

    port = free_port()
    # testcontainers (4.15) has no way to name an address, and hands these ports on to Docker, which takes one.
    kafka = DockerContainer("apache/kafka:4.3.1")
    kafka.ports[str(port)] = ("127.0.0.1", port)  # type: ignore[assignment]
    for name, value in _kafka_variables(port).items():
        kafka = kafka.with_env(name, value)
    clickhouse = ClickHouseContainer(
        "clickhouse/clickhouse-server:26.3", username="outlay", password="outlay", dbname="default"
    )
    for name in ("reader", "console"):  # the users of docker-compose.yml
        users = ROOT / "deploy" / "clickhouse" / f"{name}.xml"
        clickhouse.with_volume_mapping(users, f"/etc/clickhouse-server/users.d/{name}.xml")
    clickhouse.with_envs(OUTLAY_READER_PASSWORD="reader", OUTLAY_CONSOLE_WRITER_PASSWORD="console")
    clickhouse.ports = {"8123": ("127.0.0.1", None)}  # type: ignore[dict-item]
    with kafka, clickhouse:
        until(KafkaBroker(Path(), port, port).answers, 300, "Kafka")
        url = f"http://{clickhouse.get_container_host_ip()}:{clickhouse.get_exposed_port(8123)}"
        writer = ClickHouseSettings(url=url, user="outlay", password=SecretStr("outlay"))
        reader = ClickHouseSettings(url=url, user="reader", password=SecretStr("reader"))
        yield Stack(KafkaSettings(bootstrap=f"127.0.0.1:{port}"), writer, reader, embedded=False)


def _kafka_variables(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{port},CONTROLLER://:9999",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9999",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_MESSAGE_MAX_BYTES": str(MAX_RECORD_BYTES),
    }
