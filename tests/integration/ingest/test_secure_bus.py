"""Ingest and pricer on a bus with TLS, SASL and access rules: they work with what security.md grants, and no more."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError
from pydantic import SecretStr
from tests.integration.ingest.test_promises import usage
from tests.processes import Ingest, Service, prepare, tail, until

from outlay.embedded.kafka import KafkaBroker
from outlay.embedded.ports import free_port
from outlay.embedded.progress import Silent
from outlay_kit.settings import KafkaSettings

pytestmark = pytest.mark.stack
SECRETS = {"ingest": "ingest-secret", "pricer": "pricer-secret"}
GRANTS = {
    "ingest": [("usage.events", "WRITE"), ("usage.dead-letter", "WRITE")],
    "pricer": [
        ("usage.events", "READ"), ("cost.catalog", "READ"), ("cost.events", "WRITE"), ("usage.dead-letter", "WRITE"),
    ],
}  # fmt: skip


class SecureKafka(KafkaBroker):
    """The embedded broker with a second listener: TLS, SCRAM, and rules that refuse what nobody granted."""

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
        admin.alter_user_scram_credentials(
            [
                UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, secret)
                for user, secret in SECRETS.items()
            ]
        )
        rules = [
            (user, ResourceType.TOPIC, name, how) for user, grants in GRANTS.items() for name, how in grants
        ]
        rules.append(("pricer", ResourceType.GROUP, "outlay-pricer", "READ"))
        admin.create_acls([
            ACL(f"User:{user}", "*", ACLOperation[how], ACLPermissionType.ALLOW, ResourcePattern(kind, name))
            for user, kind, name, how in rules
        ])  # fmt: skip
        admin.close()

    def settings(self, user: str) -> KafkaSettings:
        return KafkaSettings(
            bootstrap=f"localhost:{self.port}",
            security_protocol="SASL_SSL",
            username=user,
            password=SecretStr(SECRETS[user]),
            ca_file=str(self.ca),
        )

    def environment(self, user: str) -> dict[str, str]:
        found = self.settings(user)
        return {
            "OUTLAY_KAFKA": found.bootstrap,
            "OUTLAY_KAFKA_SECURITY_PROTOCOL": found.security_protocol,
            "OUTLAY_KAFKA_USERNAME": user,
            "OUTLAY_KAFKA_PASSWORD": SECRETS[user],
            "OUTLAY_KAFKA_CA_FILE": str(self.ca),
        }


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    bus = Secure(tmp_path_factory.mktemp("secure") / "kafka")
    prepare(bus.plain)
    bus.grant()
    yield bus
    bus.stop()


def test_an_event_is_taken_and_priced_over_tls_and_sasl(secure: Secure, tmp_path: Path) -> None:
    ingest = Ingest(secure.plain, tmp_path)
    ingest.env |= secure.environment("ingest")
    ingest.start()
    pricer = Service("outlay_pricer.main", tmp_path / "pricer.log", secure.environment("pricer"))
    pricer.start()
    assert ingest.post(usage("secure") + b"\n{}").json()["accepted"] == 1
    with (
        tail(secure.plain, "cost.events", ingest.tenant) as costs,
        tail(secure.plain, "usage.dead-letter", ingest.tenant) as letters,
    ):
        costs.wait(lambda found: any(b'"secure"' in record.value for record in found))
        letters.wait(lambda found: len(found) == 1)
    for secret in SECRETS.values():
        assert secret not in ingest.log.read_text() + pricer.log.read_text()
    assert ingest.stop() == 0
    pricer.kill()


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
        # A process of its own: kafka-python (3.0.12) never closes the sockets of a connection that is refused.
        command = [sys.executable, "-W", "ignore", "-c", CONNECT]
        done = subprocess.run(
            command, env=right | wrong, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert "kafka.errors" in done.stderr.splitlines()[-1]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CONNECT],
        env=right,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("user", "topic", "allowed"),
    [
        ("ingest", "usage.events", True),
        ("ingest", "cost.events", False),
        ("ingest", "cost.catalog", False),
        ("pricer", "usage.events", False),
    ],
)
def test_a_service_may_do_no_more_than_it_must(secure: Secure, user: str, topic: str, allowed: bool) -> None:
    options = {**secure.settings(user).client_options(), "enable_idempotence": False, "max_block_ms": 5000}
    producer = KafkaProducer(**options)
    try:
        if allowed:
            assert producer.send(topic, b"{}").get(10).offset >= 0
        else:
            with pytest.raises(KafkaError):
                producer.send(topic, b"{}").get(10)
    finally:
        producer.close(timeout=2)
