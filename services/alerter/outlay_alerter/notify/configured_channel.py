"""A channel of the catalog: reads its secrets at each attempt, hides values, and applies templates."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from outlay_alerter.notify.channel import Channel
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_alerter.notify.redaction import redacted
from outlay_alerter.notify.templates import TemplateProblem, fill
from outlay_kit.telemetry import get_logger
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog import channels as schema

log = get_logger(__name__)

MAX_SECRET = 16 * 1024
"""Bytes."""


class SecretError(Exception):
    """A secret is not where the catalog says. Its text never shows one."""


@dataclass(frozen=True)
class Secrets:
    """Reads `OUTLAY_CHANNEL_...` variables, and files in a few folders.

    Whoever writes the catalog can have no other secrets sent anywhere.
    """

    folders: tuple[Path, ...] = (Path("/run/secrets"),)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def read(self, reference: str) -> str:
        """Return the secret of `${env:NAME}` or `${file:/path}`, or the text itself. Raises SecretError.

        If a variable is not set, this reads the file that `NAME_FILE` names, wherever it is.
        """
        found = schema.read_reference(reference)
        if found is None:
            return reference
        kind, name = found
        if kind == "file":
            path = Path(name).resolve()
            if not any(path.is_relative_to(folder.resolve()) for folder in self.folders):
                raise SecretError(f"{name} is outside the folders of OUTLAY_ALERTER_SECRET_FOLDERS")
            return _text(path, name)
        if value := self.environment.get(name):
            return value
        if file := self.environment.get(f"{name}_FILE"):
            return _text(Path(file), f"the file of {name}_FILE")
        raise SecretError(f"neither {name} nor {name}_FILE is set in the alerter's environment")


@dataclass
class ConfiguredChannel:
    """Builds the channel when it is needed, so that a changed secret is used without a restart."""

    spec: schema.Channel
    build: Callable[[schema.Channel], Channel]
    """Builds a channel from a spec with the secrets filled in."""
    secrets: Secrets
    pause: float = 1.0
    _built: tuple[schema.Channel, Channel] | None = None

    @property
    def name(self) -> str:
        """Its id in the catalog."""
        return self.spec.id

    @property
    def target(self) -> str:
        """Its endpoint; empty while its secrets cannot be read."""
        try:
            return self._channel()[0].target
        except (SecretError, ValueError):
            return ""

    @property
    def updates(self) -> bool:
        """Whether it can change a message that it sent."""
        try:
            return self._channel()[0].updates
        except (SecretError, ValueError):  # sending reports it
            return True

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        try:
            channel, key = self._channel()
        except SecretError as error:
            return DeliveryResult("retry", str(error))
        except ValueError as error:  # a malformed secret: its text never shows one
            return DeliveryResult("retry", f"the channel cannot be used: {error}")
        alerts, before = (
            tuple(self._prepared(alert, key) for alert in some)
            for some in (notification.alerts, notification.before)
        )
        return channel.send(replace(notification, alerts=alerts, before=before))

    def _channel(self) -> tuple[Channel, bytes]:
        """Return the channel and its hash key. Raises SecretError, and ValueError for a malformed secret."""
        known = with_secrets(self.spec, self.secrets)
        if self._built is None or self._built[0] != known:
            self._built = (known, self.build(known))
            self.pause = self._built[1].pause
        return self._built[1], (known.hash_key or "").encode()

    def _prepared(self, alert: Alert, key: bytes) -> Alert:
        visible = redacted(alert, self.spec.hide, self.spec.hash, key)
        texts = {}
        for name, template in (("title", self.spec.title), ("summary", self.spec.text)):
            if template:
                try:
                    texts[name] = fill(template, visible)
                except TemplateProblem as error:  # then the usual text is sent
                    log.warning("a template does not fit this alert", channel=self.name, error=str(error))
        return msgspec.structs.replace(visible, **texts) if texts else visible


def with_secrets(spec: schema.Channel, secrets: Secrets) -> schema.Channel:
    """Return a channel with its secrets filled in. Raises SecretError."""
    given = ((name, getattr(spec, name)) for name in schema.secret_fields(type(spec)))
    return spec.model_copy(update={name: secrets.read(value) for name, value in given if value})


def _text(path: Path, name: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_SECRET).strip()
    except (OSError, UnicodeDecodeError):
        raise SecretError(f"{name} cannot be read") from None
    if not text:
        raise SecretError(f"{name} is empty")
    return text
