"""Usage events as bytes, as a sender writes them."""

import json
from datetime import UTC, datetime


def usage(event_id: str, **changes: object) -> bytes:
    event = {
        "id": event_id,
        "source": "it",
        "time": datetime.now(UTC).isoformat(),  # noqa: TID251 (a sender's own clock)
        "kind": "llm",
        "provider": "anthropic",
        "sku": "claude-sonnet-4-5",
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }
    return json.dumps({**event, **changes}).encode()
