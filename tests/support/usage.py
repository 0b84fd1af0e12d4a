"""Usage events as a sender writes them."""

import json
from datetime import UTC, datetime


def usage(event_id: str, tenant: str = "", **changes: object) -> str:
    """Return a line with an LLM call of $0.003."""
    event = {
        "id": event_id,
        "source": "accounting",
        "time": datetime.now(UTC).isoformat(),  # noqa: TID251 (a sender's own clock)
        "kind": "llm",
        "provider": "anthropic",
        "sku": "claude-sonnet-4-5",
        "usage": {"input_tokens": 1000},
    }
    return json.dumps({**event, **({"tenant": tenant} if tenant else {}), **changes})
