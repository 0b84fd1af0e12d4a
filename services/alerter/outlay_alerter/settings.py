"""The settings of the alerter, from the environment, validated whole."""

from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from outlay_alerter.notify.channels.webhook import read_secrets
from outlay_alerter.notify.http_post import read_networks
from outlay_kit.settings import ClickHouseSettings, ServiceSettings
from outlay_schemas.alerts import Severity


class Settings(ServiceSettings):
    """`OUTLAY_ALERTER_...`, and those of Kafka, ClickHouse and health."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_ALERTER_", frozen=True, hide_input_in_errors=True)

    clickhouse: ClickHouseSettings = Field(default_factory=ClickHouseSettings)
    group: str = "outlay-alerter"
    """Consumer group; of several alerters one works and the others stand by."""
    linger_seconds: float = Field(default=0.5, gt=0, le=60)
    """A tenant is evaluated at most once in this time."""
    tick_seconds: float = Field(default=30.0, ge=1, le=3600)
    """How often everything is evaluated though nothing arrives: burn rates fall, producers fall silent."""
    renotify_hours: float = Field(default=24.0, ge=0, le=744)
    """How long an alert fires before it is notified again, unless it is acknowledged; 0: once only."""
    most_scopes: int = Field(default=2000, ge=1, le=100_000)
    """Scopes that one anomaly rule of one tenant watches, those that cost most: each takes some 180 KB."""
    console_url: str = ""
    """Where the console is, for links in messages; empty: no links."""
    host: str = "127.0.0.1"
    port: int = Field(default=8089, ge=1, le=65535)
    """Where programs ask how a budget stands, and where Slack sends the presses of buttons."""
    keys_file: Path | None = None
    """API keys, made by `outlay keys create`; None: no program may ask."""
    status_seconds: float = Field(default=2.0, gt=0, le=30)
    """How long ClickHouse may take before the status of a budget is unknown."""
    webhook_url: SecretStr = SecretStr("")
    """Where every alert is posted, by Standard Webhooks; empty: no_route."""
    webhook_secret: SecretStr = SecretStr("")
    """`whsec_` and base64 of 24 to 64 bytes; several, with spaces between them, while one replaces another."""
    slack_url: SecretStr = SecretStr("")
    """An incoming webhook of Slack (or of what takes its format); empty: none."""
    pagerduty_key: SecretStr = SecretStr("")
    """Routing key (integration key) of a service with Events API v2; empty: none."""
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"
    pagerduty_severity: Severity = "warning"
    """What is less bad does not wake anybody."""
    alertmanager_url: SecretStr = SecretStr("")
    """A webhook receiver that takes what Alertmanager sends; empty: none."""
    allow_networks: str = ""
    """CIDRs, with commas between them, that channels may connect to though they are not on the internet."""
    secret_folders: str = "/run/secrets"  # noqa: S105 (where secrets are, and none)
    """Folders, with commas between them, whose files channels of the catalog may name as secrets."""
    slack_signing_secret: SecretStr = SecretStr("")
    """The Signing Secret of the Slack app, which turns on the buttons that act; several, with spaces between them."""
    slack_api: str = "https://slack.com/api"
    """Where Slack's Web API is, for channels of the type slack_bot."""
    channel_seconds: float = Field(default=20.0, gt=0, le=60)
    """How long a receiver may take to answer."""

    @property
    def renotify(self) -> timedelta | None:
        """How long an alert fires before it is notified again; None: never."""
        return timedelta(hours=self.renotify_hours) if self.renotify_hours else None

    @property
    def slack_signing_secrets(self) -> tuple[str, ...]:
        """The signing secrets of Slack apps; none: messages in Slack have only links."""
        return tuple(self.slack_signing_secret.get_secret_value().split())

    @property
    def secret_paths(self) -> tuple[Path, ...]:
        """The folders whose files channels may name as secrets."""
        return tuple(Path(part.strip()) for part in self.secret_folders.split(",") if part.strip())

    @field_validator("webhook_url", "slack_url", "alertmanager_url")
    @classmethod
    def _is_url(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("a channel's URL begins with https:// (or http:// inside a network of yours)")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr) -> SecretStr:
        read_secrets(value.get_secret_value())
        return value

    @field_validator("allow_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        read_networks(value)
        return value

    @model_validator(mode="after")
    def _is_signed(self) -> Self:
        if self.webhook_url.get_secret_value() and not self.webhook_secret.get_secret_value():
            raise ValueError(
                "OUTLAY_ALERTER_WEBHOOK_URL needs OUTLAY_ALERTER_WEBHOOK_SECRET: make one with"
                " python -c \"import base64,os; print('whsec_'+base64.b64encode(os.urandom(32)).decode())\""
            )
        return self
