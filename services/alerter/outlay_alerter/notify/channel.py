"""A notification channel, and what its module says about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from outlay_alerter.notify.chart import Picture
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult, Notification, Outcome
from outlay_alerter.notify.outbox import Outbox
from outlay_kit.clock import Clock
from outlay_schemas.catalog import channels as schema
from outlay_schemas.events import encoder

if TYPE_CHECKING:
    from outlay_alerter.settings import Settings


class Channel(Protocol):
    """Sends notifications to people or programs."""

    @property
    def name(self) -> str:
        """Its name, which never changes: the outbox finds its messages by it."""
        ...

    @property
    def target(self) -> str:
        """Its endpoint; a secret if that is a URL."""
        ...

    @property
    def pause(self) -> float:
        """Minimum seconds between two messages."""
        ...

    @property
    def updates(self) -> bool:
        """Whether it can change a message that it sent: then it also gets updates of incidents."""
        ...

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once. Raises nothing that a retry could fix."""
        ...


@dataclass(frozen=True)
class ChannelContext:
    """What channels are built with."""

    settings: "Settings"
    poster: HttpPoster
    clock: Clock
    threads: Outbox | None = None
    """None: for samples, each of which is a first message."""
    picture: Picture | None = None


@dataclass(frozen=True)
class ChannelKind:
    """The `KIND` of a channel's module; the registry collects them."""

    spec: type[schema.Channel]
    """Its class in the catalog."""
    build: Callable[[Any, ChannelContext], Channel]
    """Builds it from the catalog, with the secrets filled in. Raises ValueError, which never shows a secret."""
    from_settings: Callable[[ChannelContext], Channel | None] = lambda _: None
    """Builds it from the settings; None: they do not name one."""


class HttpChannel:
    """A channel that posts one JSON document for each notification to one URL."""

    pause = 0.0
    updates = True
    results: ClassVar[Mapping[int, Outcome]] = {}
    """What an HTTP status means here, apart from the usual: failed or disabled."""

    def __init__(self, name: str, url: str, poster: HttpPoster) -> None:
        """Raises ValueError for a URL that is not HTTP."""
        if not url.startswith(("https://", "http://")):
            raise ValueError("its URL must begin with https:// or http://")
        self.name, self.target = name, url
        self._poster = poster

    def render(self, notification: Notification) -> object:
        """Return the JSON document of a notification."""
        raise NotImplementedError

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        return self.post(self.target, self.render(notification))

    def post(self, url: str, document: object) -> DeliveryResult:
        """Post a document, and judge the answer's status."""
        headers = {"content-type": "application/json; charset=utf-8"}
        result = self._poster.post(url, encoder.encode(document), headers)
        outcome = self.results.get(result.status)
        return DeliveryResult(outcome, result.reason, status=result.status) if outcome else result
