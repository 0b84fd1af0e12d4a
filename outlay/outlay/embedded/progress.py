"""How long work tells where it stands."""

from typing import Protocol


class Progress(Protocol):
    """Receives each step and the progress of downloads; the command line shows it. May be called from any thread."""

    def step(self, text: str) -> None:
        """A step begins."""
        ...

    def bytes(self, done: int, total: int) -> None:
        """`done` of `total` bytes of a download are here."""
        ...


class Silent:
    """Shows nothing."""

    def step(self, text: str) -> None:
        """Drop it."""

    def bytes(self, done: int, total: int) -> None:
        """Drop it."""
