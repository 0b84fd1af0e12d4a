"""What can go wrong with the stack on this machine, and what to do about it."""


class StackError(Exception):
    """The stack cannot start, run or stop. `message` says what is wrong, `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PortTakenError(StackError):
    """Another process listens where the stack should."""


class AlreadyRunningError(StackError):
    """A stack of this folder runs already."""


class NotRunningError(StackError):
    """No stack of this folder runs."""


class StateError(StackError):
    """The file that says how to reach the stack cannot be read."""


class ChildDiedError(StackError):
    """A process of the stack ended, or was not ready in time, while it was starting."""


class MissingError(StackError):
    """Java, Kafka's jars or the ClickHouse engine are not here and cannot be had."""


class ChecksumError(StackError):
    """A download is not the file that it should be."""


class DiskError(StackError):
    """The folder cannot be written, or its disk is full."""
