"""Everything the alerter is told, by the environment, validated whole."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from outlay_kit.settings import HealthSettings, KafkaSettings, WarehouseSettings


class Settings(BaseSettings):
    """`OUTLAY_ALERTER_...`, and those of Kafka, ClickHouse and health."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_ALERTER_", frozen=True)

    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    warehouse: WarehouseSettings = Field(default_factory=WarehouseSettings)
    health: HealthSettings = Field(default_factory=HealthSettings)
    group: str = "outlay-alerter"
    """Consumer group; of several alerters one works and the others stand by."""
    linger_seconds: float = Field(default=0.5, gt=0, le=60)
    """A tenant is evaluated at most once in this time."""
    log_level: str = "INFO"
