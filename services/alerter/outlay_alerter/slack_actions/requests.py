"""What Slack sends when somebody presses a button: the signature is checked, then the payload is read.

https://docs.slack.dev/authentication/verifying-requests-from-slack and
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct, field

from outlay_alerter.slack_actions.buttons import BUTTONS, Button, Target
from outlay_kit.clock import Clock

if TYPE_CHECKING:
    from slack_sdk.signature import SignatureVerifier

WINDOW_SECONDS = 300
"""How far the time of a request may be from the clock here: slack_sdk's rule."""
_NAME = 80
"""Characters of a person's name that are kept."""
_ID = re.compile(r"[A-Z0-9]{2,40}")
_FIELDS = 8
"""Fields that the form of a request may have: Slack sends one."""
_MOST = 5
"""Actions of one request that are looked at: Slack sends one."""


class _User(Struct):
    id: str
    username: str = ""
    name: str = ""


class _Channel(Struct):
    id: str = ""


class _Action(Struct):
    action_id: str = ""
    value: Any = None


class _Payload(Struct):
    type: str
    user: _User
    channel: _Channel = field(default_factory=_Channel)
    actions: list[_Action] = []
    response_url: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """One press of one of our buttons."""

    button: Button
    target: Target
    user: str
    """Slack's id of who pressed it."""
    name: str
    """What this person is called; empty: Slack did not say."""
    channel: str
    """Slack's id of the channel of the message."""
    response_url: str
    at: datetime
    """When Slack signed the request."""

    @property
    def actor(self) -> str:
        """Who acts, as in the audit log."""
        return f"{self.name} (slack:{self.user})" if self.name else f"slack:{self.user}"


class SignatureError(Exception):
    """A request that Slack did not sign, that is too old, or that came before."""


class Verifier:
    """Checks signatures, and remembers them for as long as they would be valid. Use it on one thread."""

    def __init__(self, secrets: Sequence[str], clock: Clock) -> None:
        """`secrets`: the signing secrets of the Slack apps whose requests are accepted."""
        from slack_sdk import signature  # here, as it takes 8 MB that an alerter without Slack does not need

        class Now(signature.Clock):
            def now(self) -> float:
                return clock.now().timestamp()

        self._verifiers = [signature.SignatureVerifier(secret, Now()) for secret in secrets]
        self._clock = clock
        self._seen: dict[str, float] = {}
        """The signatures of accepted requests, oldest first, and when each was signed."""

    def check(self, body: bytes, signed_at: str, signature: str) -> datetime:
        """Return when Slack signed a request. Raises SignatureError."""
        if not any(_valid(one, body, signed_at, signature) for one in self._verifiers):
            raise SignatureError(
                "not signed by Slack with the secret of OUTLAY_ALERTER_SLACK_SIGNING_SECRET, or more than 5 minutes"
                " from the clock here; check both"
            )
        self._forget()
        if signature in self._seen:
            raise SignatureError("this request came before; press the button again")
        self._seen[signature] = float(signed_at)
        return datetime.fromtimestamp(int(signed_at), UTC)

    def _forget(self) -> None:
        oldest = self._clock.now().timestamp() - 2 * WINDOW_SECONDS
        self._seen = {one: at for one, at in self._seen.items() if at >= oldest}


def _valid(verifier: "SignatureVerifier", body: bytes, signed_at: str, signature: str) -> bool:
    if not (signed_at.isascii() and signed_at.isdigit() and len(signed_at) < 12 and signature.isascii()):
        return False  # slack_sdk raises for these
    try:
        return verifier.is_valid(body, signed_at, signature)
    except UnicodeDecodeError:
        return False


def read_presses(body: bytes, at: datetime) -> list[Press]:
    """Return the presses of our buttons in a signed request; none: it is about something else, such as a link.

    Raises ValueError for what is not a payload of Slack.
    """
    try:
        (text,) = parse_qs(body.decode(), max_num_fields=_FIELDS)["payload"]
        payload = msgspec.json.decode(text, type=_Payload)
        if payload.type != "block_actions":
            return []
        return [
            _press(payload, action, at) for action in payload.actions[:_MOST] if action.action_id in BUTTONS
        ]
    except (KeyError, msgspec.MsgspecError) as error:
        raise ValueError(f"not a payload of Slack: {error}") from error


def _press(payload: _Payload, action: _Action, at: datetime) -> Press:
    if not isinstance(action.value, str) or not _ID.fullmatch(payload.user.id):
        raise ValueError("not a payload of Slack: the button has no value, or its user no id")
    target = msgspec.json.decode(action.value, type=Target)
    called = payload.user.username or payload.user.name
    name = "".join(c for c in called if c.isprintable()).strip()[:_NAME]
    return Press(
        BUTTONS[action.action_id], target, payload.user.id, name, payload.channel.id, payload.response_url, at
    )
