"""How long work tells where it stands."""

from typing import Protocol


class Progress(Protocol):
    """Told of each step; the command line draws it."""

    def step(self, text: str) -> None:
        """A step begins."""
        ...


class Silent:
    """Tells nobody."""

    def step(self, text: str) -> None:
        """Drop it."""
