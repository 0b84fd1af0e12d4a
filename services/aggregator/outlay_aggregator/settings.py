"""Everything the aggregator is told, by the environment, validated whole."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from outlay_kit.settings import ClickHouseSettings, HealthSettings, KafkaSettings
from outlay_schemas.retention import RETENTION_DAYS


class Settings(BaseSettings):
    """`OUTLAY_AGGREGATOR_...`, and those of Kafka, ClickHouse and health."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_AGGREGATOR_", frozen=True)

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    clickhouse: ClickHouseSettings = Field(default_factory=ClickHouseSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    group: str = "outlay-aggregator"
    """Consumer group; two services of one group share the work."""
    pricer_group: str = "outlay-pricer"
    """The pricer's group, asked how far it is to know what is complete; nothing else is shared with it."""
    retention_days: int = Field(default=RETENTION_DAYS, ge=32, le=RETENTION_DAYS)
    """Events older than that become dead letters: their windows' neighbours may be gone (sql/0022)."""
    watermark_seconds: float = Field(default=1.0, gt=0)
    """How often to look whether all that was accepted is in the books."""
    linger_seconds: float = Field(default=0.2, gt=0, le=60)
    """How long a batch gathers at least: the smaller, the fresher and the dearer."""
    max_linger_seconds: float = Field(default=8.0, gt=0, le=60)
    """How long it may gather to keep recomputing a small share of the time."""
    rollup_share: float = Field(default=0.1, gt=0, le=1)
    """The share of time that recomputing may take before batches grow."""
    throttle_above_events: int = Field(default=350_000, ge=0)
    """Where the minutes that a batch touches have no more, it gathers for a second at most, whatever the share."""
    max_batch_bytes: int = Field(default=128 * 2**20, ge=2**20)
    """What a batch may hold in memory, several times over while it is written."""
    window_chunk: int = Field(default=200, ge=1, le=5000)
    """Windows recomputed by one statement."""
    backfill_minutes_per_batch: int = Field(default=1000, ge=1)
    """Minutes older than two hours that are recomputed before the live ones have their turn again."""
    identity_filter_bits: int = Field(default=29, ge=20, le=32)
    """Size of the filter of identities: 2^29 bits are 64 MiB. With more, fewer new events are looked for in vain."""
    user_cells: int = Field(default=1000, ge=0)
    """Cells with a user's name that a window may have; past it, (other). All writers must agree."""
    log_level: str = "INFO"
