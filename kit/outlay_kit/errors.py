"""Three ways to fail. `outlay_schemas.errors.Invalid`: the input can never work and becomes a dead letter.
`Retryable`: back off and try again. Anything else is a bug: the process ends, its successor repeats the work."""


class Retryable(Exception):
    """Kafka, ClickHouse or a receiver is unavailable or overloaded; the same call may work later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the other side asked us to wait, if it said so."""


class Refused(Retryable):
    """A store refuses the user, the password, the database or a table. A service keeps trying, since an operator may
    be creating the user right now; a command ends at once. The message names the settings to check."""
