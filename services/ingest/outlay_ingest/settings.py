"""Settings of ingest from the environment, validated together."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from outlay_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """`OUTLAY_INGEST_...`, and those of Kafka and health."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_INGEST_", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    keys_file: Path = Path("keys.json")
    """Who may send: made by `outlay keys create`."""
    max_body_bytes: int = Field(default=10 * 2**20, ge=1024, le=11 * 2**20)
    """Bytes of a body, unpacked. A refused one must still fit a record, as a dead letter in base64."""
    max_events: int = Field(default=50_000, ge=1)
    """Events of one request."""
    max_bytes_in_flight: int = Field(default=128 * 2**20, ge=2**25)
    """Bytes of bodies being read and of records that wait for Kafka; past it, senders are asked to come back."""
    max_connections: int = Field(default=20_000, ge=1)
    header_seconds: float = Field(default=10, gt=0)
    """How long a sender may take for the head of a request."""
    keep_alive_seconds: int = Field(default=65, ge=1)
    """How long a connection may rest between requests."""
    body_seconds: float = Field(default=30, gt=0)
    """How long a sender may take for one body."""
    deliver_seconds: float = Field(default=8, gt=0)
    """How long Kafka may take before the sender is asked to come back."""
    stuck_seconds: float = Field(default=2, gt=0)
    """When Kafka acknowledged nothing for so long, senders are asked at once to come back."""
    linger_ms: float = Field(default=3, ge=0, le=100)
    """How long a small request waits for others to share its record."""
    future_hours: float = Field(default=24, gt=0)
    age_days: int = Field(default=1100, gt=0)
    """How old an event may be: as long as the ledger keeps rows."""
    fair_seconds: float = Field(default=2.5, ge=0)
    """Seconds in which what was accepted should be counted: when it takes longer, a tenant with much of it is asked to
    come back, if other tenants have keys too. 0: never."""
    pricer_group: str = "outlay-pricer"
    aggregator_group: str = "outlay-aggregator"
    """Consumer groups whose offsets say what is counted."""
