"""Notification channels, routes and scheduled reviews. A channel names where its secrets are, never the secret."""

import re
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from outlay_schemas.catalog.base import CatalogModel, OneOrMany, Text, one_or_many
from outlay_schemas.catalog.watch import Level, Scope, ScopeKey, Timezone

ENVIRONMENT = "OUTLAY_CHANNEL_"
"""Prefix of the environment variables that a channel may read, so that it cannot read Kafka's password."""
_SECRET = re.compile(r"\$\{(?:env:(?P<env>\w+)|file:(?P<file>/[^{}]+))\}")
_RESERVED = ("bus", "console")
_PLAIN_URL = re.compile(r"https?://[^\s/@?#]+(/[^\s@?#]*)?")


def read_reference(text: str) -> tuple[str, str] | None:
    """Return what `${env:NAME}` or `${file:/path}` names, as (env or file, name); None if it is not a reference."""
    found = _SECRET.fullmatch(text.strip())
    return None if found is None else ("env", found["env"]) if found["env"] else ("file", found["file"])


def _secret(value: str) -> str:
    reference = read_reference(value)
    if reference is None:
        raise ValueError(
            "a secret must not stand in the catalog; write where it is:"
            f" ${{env:{ENVIRONMENT}NAME}} or ${{file:/run/secrets/name}}"
        )
    if reference[0] == "env" and not reference[1].startswith(ENVIRONMENT):
        raise ValueError(f"the name of a variable that a channel reads begins with {ENVIRONMENT}")
    return value.strip()


def _place(value: str) -> str:
    if _SECRET.fullmatch(value.strip()):
        return _secret(value)
    if not _PLAIN_URL.fullmatch(value):
        raise ValueError(
            "a URL here is https://host/path without user, password or query; where it has one it is a secret:"
            f" write ${{env:{ENVIRONMENT}NAME}} or ${{file:/run/secrets/name}}"
        )
    return value


def _named(value: str) -> str:
    if value in _RESERVED:
        raise ValueError(f"{value} is a channel that is always there; choose another name")
    return value


def _clock(value: Any) -> Any:
    # YAML 1.1 reads 10:30 as a number in base 60: the minutes of the day, as was meant.
    return f"{value // 60:02d}:{value % 60:02d}" if isinstance(value, int) and value >= 0 else value


_IS_SECRET = object()
"""Marks the types of fields that hold a secret, or the reference to one."""
Secret = Annotated[str, AfterValidator(_secret), _IS_SECRET]
"""Where a secret is: `${env:OUTLAY_CHANNEL_...}` (or that name with `_FILE`), `${file:/run/secrets/...}`."""
Place = Annotated[str, AfterValidator(_place), _IS_SECRET]
"""A URL without secrets, or where one is."""
ChannelId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$"), AfterValidator(_named)]
Clock = Annotated[str, BeforeValidator(_clock), Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""A time of the day, such as 09:00."""
Address = Annotated[str, Field(pattern=r"^[^@\s,;<>\"\r\n]+@[^@\s,;<>\"\r\n]+$", max_length=254)]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Digest(CatalogModel):
    """Alerts that can wait are sent together: every so many minutes, or once a day."""

    minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    """Interval in minutes, counted from midnight."""
    at: Clock | None = None
    """Time of day, for one digest a day."""
    timezone: Timezone = "UTC"
    severities: Annotated[tuple[Level, ...], Field(min_length=1)] = ("info",)
    """Severities that wait for the digest. Others are sent at once."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.minutes is None) == (self.at is None):
            raise ValueError("give minutes (every so many) or at (once a day), one of them")
        return self


class ChannelBase(CatalogModel):
    """Fields of every channel."""

    supports_digest: ClassVar[bool] = True
    supports_review: ClassVar[bool] = True
    id: ChannelId
    severity: Level = "info"
    """Minimum severity."""
    resolved: bool = True
    """Whether the channel also gets resolved alerts."""
    digest: Digest | None = None
    title: Text = ""
    """A template for the title, in place of the usual; see docs/notifications.md for what it may say."""
    text: Text = ""
    """Template for the text under the title."""
    hide: tuple[ScopeKey, ...] = ()
    """Dimensions whose values are left out."""
    hash: tuple[ScopeKey, ...] = ()
    """Dimensions whose values are sent as a keyed hash: the same for the same value."""
    hash_key: Secret | None = None
    note: Text = ""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.hash and self.hash_key is None:
            raise ValueError("hash needs hash_key, the reference of a key: without one names can be guessed")
        if self.digest is not None and not self.supports_digest:
            raise ValueError("a pager notifies at once: it cannot have a digest")
        return self


class WebhookChannel(ChannelBase):
    """Standard Webhooks 1.0."""

    type: Literal["webhook"]
    url: Place
    secret: Secret


class SlackChannel(ChannelBase):
    """An incoming webhook of Slack, or of a service that takes its format."""

    type: Literal["slack"]
    url: Secret


class SlackBotChannel(ChannelBase):
    """A Slack app with a bot token: updates in threads, the first message kept up to date, a chart."""

    type: Literal["slack_bot"]
    token: Secret
    """`xoxb-`: scopes chat:write, and files:write for pictures."""
    channel: Annotated[str, Field(pattern=r"^[CDG][A-Z0-9]{2,}$")]
    """The channel's id (not its name): in Slack, View channel details, at the bottom."""
    picture: bool = True
    """Whether to post a chart of the spend into the thread."""


class TeamsChannel(ChannelBase):
    """A workflow of Microsoft Teams: "Post to a channel when a webhook request is received"."""

    type: Literal["teams"]
    url: Secret


class EmailChannel(ChannelBase):
    """Mail by SMTP."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    type: Literal["email"]
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]+$", max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: Secret | None = None
    sender: Annotated[Address, Field(alias="from")]
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50), BeforeValidator(one_or_many)]
    picture: bool = True
    """Whether the mail has a chart of the spend."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password go together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent without encryption: use starttls or tls")
        return self


class PagerDutyChannel(ChannelBase):
    """PagerDuty, Events API v2."""

    supports_digest: ClassVar[bool] = False
    supports_review: ClassVar[bool] = False
    type: Literal["pagerduty"]
    routing_key: Secret
    region: Literal["us", "eu"] = "us"
    severity: Level = "warning"


class AlertmanagerChannel(ChannelBase):
    """An Alertmanager (`api: v2`), or a receiver of Alertmanager's webhooks (`api: webhook`)."""

    supports_digest: ClassVar[bool] = False
    supports_review: ClassVar[bool] = False
    type: Literal["alertmanager"]
    url: Place
    """Address, such as http://alertmanager:9093."""
    api: Literal["v2", "webhook"] = "v2"


AnyChannel = (
    WebhookChannel
    | SlackChannel
    | SlackBotChannel
    | TeamsChannel
    | EmailChannel
    | PagerDutyChannel
    | AlertmanagerChannel
)
Channel = Annotated[AnyChannel, Field(discriminator="type")]


def secret_fields(kind: type[ChannelBase]) -> tuple[str, ...]:
    """Return the fields of a channel that hold a secret, or the reference to one."""
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if any(_IS_SECRET in getattr(part, "__metadata__", ()) for part in get_args(field.annotation))
        or _IS_SECRET in field.metadata
    )


class RouteMatch(CatalogModel):
    """Conditions on an alert: every field that is given must match."""

    rule: OneOrMany = ()
    """Ids of rules and budgets."""
    rule_type: OneOrMany = ()
    severity: Annotated[tuple[Level, ...], BeforeValidator(one_or_many)] = ()
    tenant: OneOrMany = ()
    scope: Scope = Field(default_factory=dict)
    """Dimension to values; the scope of the alert must have one of them."""


class Route(CatalogModel):
    """Sends matching alerts to channels. The first route that matches decides, unless it has `continue`."""

    match: RouteMatch = RouteMatch()
    """Empty: every alert."""
    channels: OneOrMany
    """Ids of channels; empty: these alerts notify no one."""
    continues: bool = Field(default=False, alias="continue")
    """Whether the routes after this one are tried too."""
    note: Text = ""


class Review(CatalogModel):
    """A report of the last day or week, sent to channels on schedule."""

    id: ChannelId
    every: Literal["day", "week"] = "week"
    day: Weekday = "monday"
    """Day of the week, for weekly reviews."""
    at: Clock = "09:00"
    timezone: Timezone = "UTC"
    tenants: OneOrMany = ()
    """Tenants in the report; empty: all tenants as one."""
    channels: Annotated[OneOrMany, Field(min_length=1)]
    """Ids of channels: slack, slack_bot, teams, email, webhook."""
    note: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _on(cls, data: Any) -> Any:
        # YAML 1.1 reads the key `on` as true; who writes `on: monday` means the day.
        return {"day" if k is True else k: v for k, v in data.items()} if isinstance(data, dict) else data
