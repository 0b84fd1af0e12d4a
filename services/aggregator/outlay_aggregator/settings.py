"""Settings of the aggregator, validated whole."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from outlay_kit.settings import ClickHouseSettings, ServiceSettings
from outlay_schemas.retention import RETENTION_DAYS


class Settings(ServiceSettings):
    """`OUTLAY_AGGREGATOR_...`, and those of Kafka, ClickHouse and health."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_AGGREGATOR_", frozen=True)

    clickhouse: ClickHouseSettings = Field(default_factory=ClickHouseSettings)
    group: str = "outlay-aggregator"
    """Consumer group; services of one group share the work."""
    pricer_group: str = "outlay-pricer"
    """Consumer group of the pricer: its offsets say up to when everything is priced."""
    retention_days: int = Field(default=RETENTION_DAYS, ge=32, le=RETENTION_DAYS)
    """Older events become dead letters: other events of their windows may be deleted (sql/0022)."""
    watermark_seconds: float = Field(default=1.0, gt=0)
    """Seconds between two looks whether everything accepted is counted."""
    linger_seconds: float = Field(default=0.2, gt=0, le=60)
    """Seconds that a batch gathers at least: the fewer, the fresher and the more expensive."""
    max_linger_seconds: float = Field(default=8.0, gt=0, le=60)
    """Seconds that a batch gathers at most to keep recomputation a small share of the time."""
    rollup_share: float = Field(default=0.1, gt=0, le=1)
    """Share of the time that recomputation may take before batches gather longer."""
    throttle_above_events: int = Field(default=350_000, ge=0)
    """With at most so many events in its minutes a batch gathers for a second at most, whatever the share."""
    max_batch_bytes: int = Field(default=128 * 2**20, ge=2**20)
    """Size of a batch; memory holds it several times while it is written."""
    window_chunk: int = Field(default=200, ge=1, le=5000)
    """Windows recomputed by one statement."""
    backfill_minutes_per_batch: int = Field(default=1000, ge=1)
    """Minutes older than two hours that are recomputed at a time."""
    most_backfill_minutes: int = Field(default=250_000, ge=1)
    """Older minutes that may wait; above it, as many more are recomputed."""
    identity_filter_bits: int = Field(default=29, ge=20, le=32)
    """Size of the identity filter: 2^29 bits are 64 MiB. With more, fewer new events are looked up in vain."""
    user_cells: int = Field(default=1000, ge=0)
    """Cells with a user's name in a window; the other users are (other). All aggregators must agree."""
