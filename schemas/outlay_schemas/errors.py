"""Errors of the contracts."""

from typing import Any, Final

import msgspec

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457. The codes are in docs/errors.md.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
"""JSON Schema of the answer of every endpoint that refuses a whole request."""

UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Everything that a decoder raises for bytes that it cannot read."""


class Invalid(Exception):
    """Input that no retry can make right: it becomes a dead letter. `code` is stable (docs/errors.md lists them),
    `path` is the place in the input (`$.usage.input_tokens`), the message says what is wrong and how to fix it."""

    def __init__(self, code: str, message: str, path: str = "$") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.message} [{self.code}]"
