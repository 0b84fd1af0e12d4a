"""Settings of the repricer, from the environment, validated together."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from outlay_kit.settings import ClickHouseSettings, ServiceSettings


class Settings(ServiceSettings):
    """`OUTLAY_REPRICER_...`, and those of Kafka, ClickHouse and health."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_REPRICER_", frozen=True)

    clickhouse: ClickHouseSettings = Field(default_factory=ClickHouseSettings)
    every_seconds: float = Field(default=5.0, gt=0)
    """How often to see whether a catalog came, and whether it left events unpriced."""
    settle_seconds: float = Field(default=120.0, ge=0)
    """How long after a catalog came unpriced events of an older one may still arrive."""
    opportunities_seconds: float = Field(default=900.0, gt=0)
    """How often to look at what each tenant could have saved."""
    opportunities_events: int = Field(default=50_000, ge=0)
    """Events of one tenant that a look prices as they might have been, the newest. 0: it never looks."""
