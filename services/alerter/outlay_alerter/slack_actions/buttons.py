"""The buttons under an alert in Slack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from outlay_schemas.alerts import ActionKind, Alert

if TYPE_CHECKING:
    from outlay_alerter.settings import Settings

PATH = "/slack/actions"
"""Where the alerter takes what people press."""
_MOST_VALUE = 2000
"""Characters that Slack keeps with a button."""


class Target(Struct, frozen=True):
    """The incident that a button acts on; its `value` in Slack, as JSON."""

    tenant: str
    incident: str


@dataclass(frozen=True, slots=True)
class Button:
    """A button that acts."""

    id: str
    """Slack's `action_id`."""
    label: str
    action: ActionKind
    length: timedelta | None = None
    """How long the action lasts; None: as long as the alert."""
    style: str = ""


BUTTONS: Mapping[str, Button] = {
    one.id: one
    for one in (
        Button("outlay_acknowledge", "Acknowledge", "acknowledged", style="primary"),
        Button("outlay_snooze_1h", "Snooze for 1 h", "snoozed", timedelta(hours=1)),
        Button("outlay_snooze_24h", "Snooze for 24 h", "snoozed", timedelta(hours=24)),
    )
}
LABELS = frozenset(one.label for one in BUTTONS.values())


def button_elements(alerts: Sequence[Alert]) -> list[dict[str, object]]:
    """Return the elements of Block Kit that act on the incident of these alerts."""
    value = msgspec.json.encode(Target(alerts[0].tenant, alerts[0].incident_id)).decode()
    if len(value) > _MOST_VALUE:
        return []
    return [
        {
            "type": "button", "action_id": one.id, "text": {"type": "plain_text", "text": one.label},
            "value": value, **({"style": one.style} if one.style else {}),
        }
        for one in BUTTONS.values()
    ]  # fmt: skip


def setup_hint(settings: "Settings") -> str:
    """Return what a Slack app needs for buttons that act, given the settings of the alerter."""
    if not settings.slack_signing_secrets:
        return (
            "Buttons in Slack are links only: for buttons that act, set OUTLAY_ALERTER_SLACK_SIGNING_SECRET"
        )
    where = f"{settings.host}:{settings.port}"
    return f"Buttons in Slack act if the app's Request URL, https://…{PATH}, leads to the alerter at {where}"
