"""One page of a list that is longer than a page shows: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ListPage(Generic[T]):
    """Some entries of a list, and where the pages before and after them begin."""

    entries: Sequence[T]
    after: int
    """How many entries come before these."""
    count: int
    """How many entries the list has."""
    size: int
    """Most entries of a page."""
    order: str
    """By what it is sorted, for people."""

    @property
    def previous(self) -> int | None:
        """How many entries come before the page before; None: this is the first."""
        return max(0, self.after - self.size) if self.after else None

    @property
    def next(self) -> int | None:
        """How many entries come before the next page; None: this is the last."""
        end = self.after + len(self.entries)
        return end if end < self.count else None


def page_of(every: Sequence[T], after: int, size: int, order: str) -> ListPage[T]:
    """Return the `size` entries after the first `after`; the first page where the list is not that long."""
    after = after if after < len(every) else 0
    return ListPage(every[after : after + size], after, len(every), size, order)


def after_in(params: Mapping[str, str], name: str = "after") -> int:
    """Return how many entries of a list come before the page that an address asks for."""
    text = params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
