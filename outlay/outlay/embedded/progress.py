"""How long work tells where it stands."""

from typing import Protocol


class Progress(Protocol):
    """Told of each step and of downloads; the command line draws it. May be called from any thread."""

    def step(self, text: str) -> None:
        """A step begins."""
        ...

    def bytes(self, done: int, total: int) -> None:
        """`done` of `total` bytes of a download are here."""
        ...


class Silent:
    """Tells nobody."""

    def step(self, text: str) -> None:
        """Drop it."""

    def bytes(self, done: int, total: int) -> None:
        """Drop it."""
