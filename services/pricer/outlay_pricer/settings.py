"""Settings of the pricer, from the environment, validated together."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from outlay_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """`OUTLAY_PRICER_...`, and those of Kafka and health."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_PRICER_", frozen=True)

    group: str = "outlay-pricer"
    default_tenant: str = Field(default="", max_length=256)
    """Whose an event is that was put on Kafka directly and names no tenant; empty: a dead letter."""
    in_flight: int = Field(default=16, ge=1, le=1000)
    """Records whose results may wait for Kafka's acknowledgement at the same time."""
    deliver_seconds: float = Field(default=30, gt=0)
    """How long one try to deliver may take before the next."""
