"""What Slack sends when somebody presses a button: the documented payload, signed as Slack signs."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
CHANNEL = "C0123ABC"
ACKNOWLEDGE, HOUR, DAY = "outlay_acknowledge", "outlay_snooze_1h", "outlay_snooze_24h"


def payload(
    action: str, value: str, response_url: str = "https://hooks.slack.com/actions/T1/2/x"
) -> dict[str, Any]:
    """Return the fields that https://docs.slack.dev/reference/interaction-payloads/block_actions-payload documents."""
    return {
        "type": "block_actions",
        "user": {"id": "U0456DEF", "username": "kim", "name": "kim", "team_id": "T0123ABC"},
        "api_app_id": "A0123ABC",
        "token": "unused",
        "container": {
            "type": "message", "message_ts": "1764000000.000000", "channel_id": CHANNEL, "is_ephemeral": False,
        },
        "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "team": {"id": "T0123ABC", "domain": "acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": CHANNEL, "name": "oncall"},
        "message": {"type": "message", "bot_id": "B1", "ts": "1764000000.000000", "text": "…", "blocks": []},
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [
            {
                "action_id": action, "block_id": "Qr1", "value": value, "type": "button",
                "text": {"type": "plain_text", "text": "Press", "emoji": True}, "action_ts": "1764000001.840180",
            }
        ],
    }  # fmt: skip


def target(incident: str, tenant: str = "acme") -> str:
    """Return the value of a button."""
    return json.dumps({"tenant": tenant, "incident": incident})


def body_of(sent: Mapping[str, Any]) -> bytes:
    """Return the form that carries a payload."""
    return urlencode({"payload": json.dumps(sent)}).encode()


def signed(body: bytes, at: datetime, secret: str = SIGNING_SECRET) -> dict[str, str]:
    """Return the headers of a request: HMAC-SHA256 of `v0:{timestamp}:{body}`, by the standard library."""
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), b"v0:%s:%s" % (stamp.encode(), body), hashlib.sha256).hexdigest()
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={digest}",
    }
