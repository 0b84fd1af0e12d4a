"""Stores that let in only whom they know: Kafka with TLS, SCRAM and access rules, ClickHouse behind TLS."""

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from pydantic import SecretStr
from tests.support.stack import Stack
from tests.support.waiting import until

from outlay.embedded.kafka import KafkaBroker
from outlay.embedded.ports import free_port
from outlay.embedded.progress import Silent
from outlay_kit.settings import KafkaSettings

DIRECT = ("acme", "globex")
"""Tenants that publish to Kafka themselves."""
TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP
Grant = tuple[ResourceType, str, str]
"""What, its name (ending in `*`: what begins so), and the operation."""
GRANTS: dict[str, list[Grant]] = {
    "ingest": [
        (TOPIC, "usage.events", "WRITE"), (TOPIC, "usage.dead-letter", "WRITE"), (TOPIC, "keys.revocations", "READ"),
        (TOPIC, "keys.quotas", "READ"), (TOPIC, "keys.quotas", "WRITE"), (TOPIC, "cost.events", "DESCRIBE"),
        (TOPIC, "cost.recompute", "DESCRIBE"),
        (GROUP, "outlay-pricer", "DESCRIBE"), (GROUP, "outlay-aggregator", "DESCRIBE"),
    ],
    "pricer": [
        (TOPIC, "usage.events", "READ"), (TOPIC, "usage.events.*", "READ"), (TOPIC, "cost.catalog", "READ"),
        (TOPIC, "cost.events", "WRITE"), (TOPIC, "usage.dead-letter", "WRITE"), (GROUP, "outlay-pricer", "READ"),
    ],
    "repricer": [(TOPIC, "cost.catalog", "READ"), (TOPIC, "usage.events", "WRITE")],
    "aggregator": [
        (TOPIC, "cost.events", "READ"), (TOPIC, "usage.dead-letter", "READ"), (TOPIC, "cost.rollups", "WRITE"),
        (TOPIC, "usage.dead-letter", "WRITE"), (GROUP, "outlay-aggregator", "READ"),
        (TOPIC, "cost.recompute", "READ"), (TOPIC, "cost.recompute", "WRITE"),
        (TOPIC, "usage.events", "DESCRIBE"), (TOPIC, "usage.events.*", "DESCRIBE"),
        (GROUP, "outlay-pricer", "DESCRIBE"),
    ],
    "alerter": [
        (TOPIC, "cost.rollups", "READ"), (TOPIC, "cost.catalog", "READ"), (TOPIC, "cost.alerts", "WRITE"),
        (GROUP, "outlay-alerter", "READ"), (TOPIC, "keys.revocations", "READ"),
    ],
    "console": [
        (TOPIC, "cost.events", "READ"), (TOPIC, "cost.catalog", "READ"), (TOPIC, "usage.events", "DESCRIBE"),
        (TOPIC, "usage.events.*", "DESCRIBE"), (TOPIC, "usage.dead-letter", "DESCRIBE"),
        (TOPIC, "cost.rollups", "DESCRIBE"), (TOPIC, "cost.recompute", "DESCRIBE"), (GROUP, "outlay-*", "DESCRIBE"),
        (TOPIC, "keys.revocations", "READ"), (TOPIC, "keys.revocations", "WRITE"), (TOPIC, "cost.catalog", "WRITE"),
    ],
    **{tenant: [(TOPIC, f"usage.events.{tenant}", "WRITE")] for tenant in DIRECT},
}  # fmt: skip
"""As docs/security.md has them; what is not granted is refused."""


def secret(user: str) -> str:
    return f"{user}-secret"


class SecureKafka(KafkaBroker):
    """The embedded broker with a second listener: TLS, SCRAM, and rules that refuse everything that is not granted."""

    def _properties(self) -> str:
        plain = super()._properties()
        port = int((self.folder / "port").read_text())
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        more = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.folder / "server.pem",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.secure.scram-sha-512.sasl.jaas.config": scram,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # the plain listener, on loopback: the broker itself and this test
        }
        return (
            plain.replace(",CONTROLLER://", f",SECURE://localhost:{port},CONTROLLER://")
            .replace(
                f"PLAINTEXT://127.0.0.1:{self.port}\n",
                f"PLAINTEXT://127.0.0.1:{self.port},SECURE://localhost:{port}\n",
            )
            .replace("PLAINTEXT:PLAINTEXT\n", "PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL\n")
        ) + "".join(f"{name}={value}\n" for name, value in more.items())


def _for_java(certificate: trustme.LeafCert) -> bytes:
    """Return key and chain as Kafka reads them: the key in PKCS 8."""
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain


class Secure:
    """That broker, running, with its users and grants."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        (folder / "server.pem").write_bytes(_for_java(authority.issue_cert("localhost")))
        self.port, self.ca = free_port(), folder / "ca.pem"
        (folder / "port").write_text(str(self.port))
        self._broker = SecureKafka(folder, free_port(), free_port())
        self._log = (folder / "broker.log").open("wb")
        argv = self._broker.prepare(Silent())
        self._process = subprocess.Popen(argv, stdout=self._log, stderr=self._log)
        until(lambda: self._process.poll() is not None or self._broker.answers(), 60, "Kafka")
        assert self._process.poll() is None, (folder / "broker.log").read_text()[-3000:]
        self.plain = KafkaSettings(bootstrap=self._broker.bootstrap)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)
        self._log.close()

    def grant(self) -> None:
        """Make the users, and let each do what its service must."""
        admin = KafkaAdminClient(**self.plain.client_options())
        made = [UserScramCredentialUpsertion(u, ScramMechanism.SCRAM_SHA_512, secret(u)) for u in GRANTS]
        admin.alter_user_scram_credentials(made)
        admin.create_acls([_rule(user, *grant) for user, grants in GRANTS.items() for grant in grants])
        admin.close()

    def settings(self, user: str) -> KafkaSettings:
        return KafkaSettings(
            bootstrap=f"localhost:{self.port}",
            security_protocol="SASL_SSL",
            username=user,
            password=SecretStr(secret(user)),
            ca_file=str(self.ca),
        )

    def environment(self, user: str) -> dict[str, str]:
        found = self.settings(user)
        return {
            "OUTLAY_KAFKA": found.bootstrap,
            "OUTLAY_KAFKA_SECURITY_PROTOCOL": found.security_protocol,
            "OUTLAY_KAFKA_USERNAME": user,
            "OUTLAY_KAFKA_PASSWORD": secret(user),
            "OUTLAY_KAFKA_CA_FILE": str(self.ca),
        }


def _rule(user: str, kind: ResourceType, name: str, how: str) -> ACL:
    prefix = name.endswith("*")
    pattern = ACLResourcePatternType.PREFIXED if prefix else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(kind, name.rstrip("*"), pattern)
    return ACL(f"User:{user}", "*", ACLOperation[how], ACLPermissionType.ALLOW, resource)


@dataclass(frozen=True)
class Encrypted:
    """ClickHouse's HTTP interface behind TLS."""

    url: str
    ca: Path
    plain: Stack

    def environment(self, database: str, reader: bool = False) -> dict[str, str]:
        user = self.plain.reader if reader else self.plain.writer
        return {
            "OUTLAY_CLICKHOUSE": self.url,
            "OUTLAY_CLICKHOUSE_CA_FILE": str(self.ca),
            "OUTLAY_CLICKHOUSE_USER": user.user,
            "OUTLAY_CLICKHOUSE_PASSWORD": user.password.get_secret_value(),
            "OUTLAY_CLICKHOUSE_DATABASE": database,
        }


@contextmanager
def encrypted(stack: Stack, folder: Path) -> Iterator[Encrypted]:
    """Take TLS off before ClickHouse, as a proxy of production does."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "clickhouse-ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    behind = urlsplit(stack.writer.url)
    loop, port = asyncio.new_event_loop(), free_port()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(behind.hostname, behind.port)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    async def run(ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(serve, "localhost", port, ssl=context)
        ready.set()
        await stop.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    ready, stop = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(run(ready, stop)))
    thread.start()
    assert ready.wait(10)
    yield Encrypted(f"https://localhost:{port}", folder / "clickhouse-ca.pem", stack)
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.run_until_complete(asyncio.sleep(0.1))
    loop.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(2**16):
            sink.write(piece)
            await sink.drain()
    except (OSError, ssl.SSLError):
        pass
    finally:
        sink.close()


MODULES = {
    "pricer": "outlay_pricer.main", "repricer": "outlay_pricer.repricing.main", "aggregator": "outlay_aggregator.main",
    "alerter": "outlay_alerter.main", "console": "outlay.setup",
}  # fmt: skip
