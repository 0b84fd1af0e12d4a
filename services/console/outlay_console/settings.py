"""Settings of the console, from the environment."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from outlay_console.domain.roles import Grant
from outlay_kit.settings import ClickHouseSettings, ServiceSettings


class OidcSettings(BaseSettings):
    """Login of people by OpenID Connect. `OUTLAY_CONSOLE_OIDC_...`; off without an issuer."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_CONSOLE_OIDC_", frozen=True)

    issuer: str = ""
    """The identity provider, exactly as it names itself; empty: people log in with keys only."""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    """Empty: a public client, which proves itself by PKCE alone."""
    scopes: str = "openid profile email"
    name: str = "single sign-on"
    """What the button on the login page calls it."""
    console_url: str = ""
    """Where people reach the console: `https://outlay.example.com`. The provider sends them back there."""
    grants: tuple[Grant, ...] = ()
    """JSON: which groups (or other claims) have which role in which tenant."""
    leeway_seconds: int = Field(default=60, ge=0, le=300)
    """How much the clocks of the provider and the console may differ."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.issuer:
            return self
        missing = [name for name in ("client_id", "console_url", "grants") if not getattr(self, name)]
        if missing:
            raise ValueError(
                f"OIDC also needs {', '.join('OUTLAY_CONSOLE_OIDC_' + m.upper() for m in missing)}"
            )
        for url in (self.issuer, self.console_url):
            parts = urlsplit(url)
            local = parts.hostname in ("localhost", "127.0.0.1", "::1")
            if parts.scheme != "https" and not (parts.scheme == "http" and local):
                raise ValueError(f"{url} must begin with https://; http is for this machine only")
        return self

    @property
    def callback(self) -> str:
        """The address that the provider must know as a redirect URI."""
        return self.console_url.rstrip("/") + "/login/oidc/callback"


class Settings(ServiceSettings):
    """`OUTLAY_CONSOLE_...`, and those of Kafka, ClickHouse (use a user that can only read) and health."""

    model_config = SettingsConfigDict(env_prefix="OUTLAY_CONSOLE_", frozen=True)

    clickhouse: ClickHouseSettings = Field(default_factory=ClickHouseSettings)
    oidc: OidcSettings = Field(default_factory=OidcSettings)
    host: str = "127.0.0.1"
    port: int = Field(default=8088, ge=1, le=65535)
    keys_file: Path = Path("keys.json")
    """Who may look: keys with scope `read`, made by `outlay keys create`."""
    secret_file: Path | None = None
    """Signs session cookies; made at the first start. None: a new secret each start, so that all log in again."""
    writer_user: str = ""
    """User of ClickHouse that may insert into `alert_actions` and `dismissals`; empty: pages only show."""
    writer_password: SecretStr = SecretStr("")
    audit_file: Path | None = None
    """Where what people do is logged; None: beside the file of keys, where keys are logged too."""
    https: bool = False
    """Whether people reach the console by HTTPS (through a proxy): cookies are then sent by HTTPS only."""
    session_hours: float = Field(default=12, gt=0)
    login_burst: int = Field(default=10, ge=1)
    """Tries of a key from one address at once; then one every `login_seconds`."""
    login_seconds: float = Field(default=6, gt=0)
    ingest_url: str = "http://127.0.0.1:8080"
    """Where events are sent to, as the page without any says it."""
    operator: str = "default"
    """The tenant whose admins may change what belongs to all tenants: channels, owners, budgets of others."""
    approval: bool = False
    """Whether a change in Set-up waits for an approver who is not its author."""
    timezone: str = "UTC"
    """The time zone of an address that names none."""
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    """The currency of an address that names none; USD where the catalog has no rate for it."""
    readers: int = Field(default=4, ge=1, le=64)
    """Connections to ClickHouse."""
    query_seconds: float = Field(default=20, gt=0)
    """How long a page may wait for a query of ClickHouse."""
    ping_seconds: float = Field(default=1.3, gt=0)
    """How long ClickHouse may be silent beside a query before pages show old figures."""

    @property
    def writer(self) -> ClickHouseSettings | None:
        """How to write what people say; None: not at all."""
        if not self.writer_user:
            return None
        return self.clickhouse.model_copy(update={"user": self.writer_user, "password": self.writer_password})

    @property
    def audit(self) -> Path:
        """Where what people do is logged."""
        return self.audit_file or self.keys_file.with_suffix(".audit.ndjson")
