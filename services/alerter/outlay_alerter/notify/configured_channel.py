"""A channel of the catalog: what it may see and how it says it; its secrets are read anew at every try."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from outlay_alerter.notify.delivery_worker import Channel
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_alerter.notify.redaction import redacted
from outlay_alerter.notify.secrets import SecretError, Secrets
from outlay_alerter.notify.templates import TemplateProblem, fill
from outlay_kit.telemetry import get_logger
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog import channels as schema

log = get_logger(__name__)

Make = Callable[[schema.Channel], Channel]
"""Builds a channel whose secrets stand in it."""


@dataclass
class ConfiguredChannel:
    """Tells through a channel that is made when it is needed: a secret that changed is taken without a restart."""

    spec: schema.Channel
    make: Make
    secrets: Secrets
    pause: float = 1.0
    _made: tuple[schema.Channel, Channel] | None = None

    @property
    def name(self) -> str:
        """Its id in the catalog."""
        return self.spec.id

    @property
    def target(self) -> str:
        """Where it leads; empty while its secrets are not to be had."""
        try:
            return self._channel().target
        except SecretError:
            return ""

    @property
    def updates(self) -> bool:
        """Whether it can change what it shows already."""
        try:
            return self._channel().updates
        except (SecretError, ValueError):  # whoever sends says so
            return True

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        try:
            channel, key = self._channel(), self.secrets.read(self.spec.hash_key or "").encode()
        except SecretError as error:
            return DeliveryResult("retry", str(error))
        except ValueError as error:  # a secret that is none: its text never shows one
            return DeliveryResult("retry", f"the channel cannot be used: {error}")
        alerts, before = (
            tuple(self._dressed(alert, key) for alert in some)
            for some in (notification.alerts, notification.before)
        )
        return channel.send(replace(notification, alerts=alerts, before=before))

    def _channel(self) -> Channel:
        known = with_secrets(self.spec, self.secrets)
        if self._made is None or self._made[0] != known:
            self._made = (known, self.make(known))
            self.pause = self._made[1].pause
        return self._made[1]

    def _dressed(self, alert: Alert, key: bytes) -> Alert:
        seen = redacted(alert, self.spec.hide, self.spec.hash, key)
        words = {}
        for field, template in (("title", self.spec.title), ("summary", self.spec.text)):
            if template:
                try:
                    words[field] = fill(template, seen)
                except TemplateProblem as error:  # the usual words are better than none
                    log.warning("a template does not fit this alert", channel=self.name, error=str(error))
        return msgspec.structs.replace(seen, **words) if words else seen


def with_secrets(spec: schema.Channel, secrets: Secrets) -> schema.Channel:
    """Return a channel with its secrets in it. Raises SecretError."""
    found = {
        name: secrets.read(value)
        for name in ("url", "secret", "token", "routing_key", "password")
        if isinstance(value := getattr(spec, name, None), str)
    }
    return spec.model_copy(update=found)
