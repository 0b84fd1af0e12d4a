"""Where people are told: channels, and which alert goes to which of them. No secret stands here, only where it is."""

import re
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from outlay_schemas.catalog.base import CatalogModel, OneOrMany, Text
from outlay_schemas.catalog.watch import Level, Scope, ScopeKey, Timezone

ENVIRONMENT = "OUTLAY_CHANNEL_"
"""How the names of variables begin that a channel may read: not Kafka's password, not the database's."""
_SECRET = re.compile(r"\$\{(?:env:(?P<env>\w+)|file:(?P<file>/[^{}]+))\}")
_RESERVED = ("bus", "console")
_PLAIN_URL = re.compile(r"https?://[^\s/@?#]+(/[^\s@?#]*)?")


def read_reference(text: str) -> tuple[str, str] | None:
    """Return what `${env:NAME}` or `${file:/path}` names, as (env or file, name); None: it is no reference."""
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
    """What can wait is told together: every so many minutes, or once a day."""

    minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    """Every so many, counted from midnight."""
    at: Clock | None = None
    """Once a day, then."""
    timezone: Timezone = "UTC"
    severities: Annotated[tuple[Level, ...], Field(min_length=1)] = ("info",)
    """What can wait; the rest is told at once."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.minutes is None) == (self.at is None):
            raise ValueError("give minutes (every so many) or at (once a day), one of them")
        return self


class ChannelBase(CatalogModel):
    """What every channel has."""

    supports_digest: ClassVar[bool] = True
    supports_review: ClassVar[bool] = True
    id: ChannelId
    severity: Level = "info"
    """What is less bad is not told here."""
    resolved: bool = True
    """Whether ends are told, too."""
    digest: Digest | None = None
    title: Text = ""
    """A template for the title, in place of the usual; see docs/notifications.md for what it may say."""
    text: Text = ""
    """A template for the sentences under it."""
    hide: tuple[ScopeKey, ...] = ()
    """Dimensions whose values are left out of what is told here."""
    hash: tuple[ScopeKey, ...] = ()
    """Dimensions whose values are told as a keyed hash: the same for the same value."""
    hash_key: Secret | None = None
    note: Text = ""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.hash and self.hash_key is None:
            raise ValueError("hash needs hash_key, where a key is: without one names can be guessed")
        if self.digest is not None and not self.supports_digest:
            raise ValueError("a pager wakes people at once: it has no digest")
        return self


class WebhookChannel(ChannelBase):
    """Standard Webhooks 1.0."""

    type: Literal["webhook"]
    url: Place
    secret: Secret


class SlackChannel(ChannelBase):
    """An incoming webhook of Slack, or of what takes its format."""

    type: Literal["slack"]
    url: Secret


class SlackBotChannel(ChannelBase):
    """A Slack app with a bot token: updates in threads, the first message kept up to date, a picture."""

    type: Literal["slack_bot"]
    token: Secret
    """`xoxb-`: scopes chat:write, and files:write for pictures."""
    channel: Annotated[str, Field(pattern=r"^[CDG][A-Z0-9]{2,}$")]
    """The channel's id (not its name): in Slack, View channel details, at the bottom."""
    picture: bool = True
    """Draw the spending into the thread."""


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
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50), BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else value
    )]  # fmt: skip
    picture: bool = True
    """Put a picture of the spending into the mail."""

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
    """An Alertmanager (`api: v2`), or a receiver of what Alertmanager sends (`api: webhook`)."""

    supports_digest: ClassVar[bool] = False
    supports_review: ClassVar[bool] = False
    type: Literal["alertmanager"]
    url: Place
    """Of an Alertmanager: where it is, such as http://alertmanager:9093."""
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
    """Which alerts: those that every field given here fits."""

    rule: OneOrMany = ()
    """Ids of rules and budgets."""
    rule_type: OneOrMany = ()
    severity: Annotated[tuple[Level, ...], BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else value
    )] = ()  # fmt: skip
    tenant: OneOrMany = ()
    scope: Scope = Field(default_factory=dict)
    """Dimension to values, one of which the alert's scope must have."""


class Route(CatalogModel):
    """Where some alerts go. Routes are tried in order, and the first that fits decides, unless it says `continue`."""

    match: RouteMatch = RouteMatch()
    """Nothing given: every alert."""
    channels: OneOrMany
    """Ids of channels; none: these alerts are told nobody."""
    continues: bool = Field(default=False, alias="continue")
    """Try the routes after this one too."""
    note: Text = ""


class Review(CatalogModel):
    """The spending of the last day or week, to a channel, on schedule."""

    id: ChannelId
    every: Literal["day", "week"] = "week"
    day: Weekday = "monday"
    """On which day, of every week."""
    at: Clock = "09:00"
    timezone: Timezone = "UTC"
    tenants: OneOrMany = ()
    """Whose spending; none: everybody's, as one."""
    channels: Annotated[OneOrMany, Field(min_length=1)]
    """Ids of channels for people: slack, slack_bot, teams, email, webhook."""
    note: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _on(cls, data: Any) -> Any:
        # YAML 1.1 reads the key `on` as true; who writes `on: monday` means the day.
        return {"day" if k is True else k: v for k, v in data.items()} if isinstance(data, dict) else data
