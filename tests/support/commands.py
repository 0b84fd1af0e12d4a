"""The command line as a shell sees it, and two events for it."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from outlay.main import app

CALL = {
    "id": "c1",
    "source": "api",
    "time": "2026-11-24T01:02:03Z",
    "kind": "llm",
    "provider": "anthropic",
    "sku": "claude-sonnet-4-5",
    "team": "growth",
    "usage": {"input_tokens": 4808, "cache_read_tokens": 4096, "output_tokens": 110},
}
GPU = {
    "id": "g1",
    "source": "k8s",
    "time": "2026-11-24T01:02:03Z",
    "kind": "compute",
    "provider": "aws",
    "sku": "p5.48xlarge",
    "usage": {"compute_seconds": 3600},
}


def ndjson(*events: Any) -> bytes:
    """Return events, or lines as they are, one a line."""
    return b"".join(
        event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n" for event in events
    )


def run(*words: object, stdin: bytes | None = None) -> Result:
    """Run a command; a traceback that it does not turn into words is raised."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def answer(result: Result) -> Any:
    """Return the JSON that a command printed."""
    return json.loads(result.stdout)
