"""Settings of services: environment variables, validated whole before anything starts."""

import sys
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound=BaseSettings)


class KafkaSettings(BaseSettings):
    """Kafka. `OUTLAY_KAFKA=broker1:9092,broker2:9092`."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_KAFKA_", frozen=True, populate_by_name=True)

    bootstrap: str = Field(default="127.0.0.1:9092", validation_alias="OUTLAY_KAFKA")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str = ""
    password: SecretStr = SecretStr("")
    ca_file: str = ""
    cert_file: str = ""
    """The client's own certificate and key (PEM), for brokers that ask for one."""
    key_file: str = ""

    def client_options(self) -> dict[str, object]:
        """Return the connection options of a kafka-python client.

        It tries to connect every second, at most. By default it waits up to 30 s once brokers have been away for a
        minute, and several such waits in a row took longer than a service may be stalled.
        """
        options: dict[str, object] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
            "reconnect_backoff_max_ms": 1000,
        }
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password.get_secret_value(),
            }
        if self.ca_file:
            options["ssl_cafile"] = self.ca_file
        if self.cert_file:
            options |= {"ssl_certfile": self.cert_file, "ssl_keyfile": self.key_file or None}
        return options


class ClickHouseSettings(BaseSettings):
    """ClickHouse. `OUTLAY_CLICKHOUSE=http://host:8123`, user and password beside it."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_CLICKHOUSE_", frozen=True, populate_by_name=True)

    url: str = Field(default="http://127.0.0.1:8123", validation_alias="OUTLAY_CLICKHOUSE")
    database: str = "outlay"
    user: str = "outlay"
    password: SecretStr = SecretStr("")
    ca_file: str = ""


class HealthSettings(BaseSettings):
    """Where a service serves /livez, /readyz and /metrics. Port 0: nowhere."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_HEALTH_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    stall_seconds: float = Field(default=60.0, gt=0)
    """Seconds with lag and without progress after which the process ends itself."""
    partition_stall_seconds: float = Field(default=400.0, gt=0)
    """Seconds that a partition of the group may make no step before the process ends.

    More than max.poll.interval (300 s): Kafka lets an owner work on one batch for so long.
    """


class ServiceSettings(BaseSettings):
    """Settings that every service has."""

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    log_level: str = "INFO"


def load(cls: type[S]) -> S:
    """Read settings from the environment, or end with every error at once. With `--check-config` on the command line,
    print them (secrets hidden) and end."""
    try:
        settings = cls()
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
        sys.stderr.write(f"{cls.__name__} is not valid; fix these variables:\n" + "\n".join(lines) + "\n")
        raise SystemExit(2) from None
    if "--check-config" in sys.argv:
        sys.stdout.write(settings.model_dump_json(indent=2) + "\n")
        raise SystemExit(0)
    return settings
