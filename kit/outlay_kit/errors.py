"""The three ways to fail.

`Invalid`: the input can never work: it becomes a dead letter. `Retryable`: the world is away:
back off and try again. Anything else is a bug or an unknown: the process ends, and the work,
not yet committed, is done again by its successor.
"""


class OutlayError(Exception):
    """Base of every error that Outlay raises on purpose."""


class Invalid(OutlayError):
    """Input that no retry can make right. `code` is stable and documented; `path` is its place."""

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path


class Retryable(OutlayError):
    """The broker, the warehouse or a receiver is away or overloaded; the same call may work later."""
