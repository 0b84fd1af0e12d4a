"""How a report says that it cannot answer."""


class QueryError(Exception):
    """The question cannot be answered as it was put. `hint` says how to put it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
