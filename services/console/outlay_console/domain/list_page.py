"""One page of a list that is longer than a page shows: pure."""

from collections.abc import Sequence
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
    order: str
    """By what it is sorted, for people."""
    previous: int | None
    """How many entries come before the page before; None: this is the first."""
    next: int | None
    """How many entries come before the next page; None: this is the last."""


def page_of(every: Sequence[T], after: int, size: int, order: str) -> ListPage[T]:
    """Return the `size` entries after the first `after`; the first page where the list is not that long."""
    after = after if after < len(every) else 0
    end = after + size
    return ListPage(
        every[after:end], after, len(every), order,
        max(0, after - size) if after else None, end if end < len(every) else None,
    )  # fmt: skip
