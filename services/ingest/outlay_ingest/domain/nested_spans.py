"""Finds calls that two instrumentations report, as a usage span inside a usage span with equal counts. The inner span
counts: it is the one at the provider. Google ADK's `call_llm` around `generate_content` is such a pair, and LangChain
around a provider's own SDK. docs/formats.md says which pairs are found and which are not."""

from collections.abc import Mapping
from typing import Any

from outlay_schemas.events import Quantity

NESTED_IN = "nested_in"
"""Attribute of an event: the id of the span around it that reported the same usage and was not counted."""
Span = tuple[str, str]
"""Ids of the trace and the span."""
Counts = tuple[Quantity, Quantity]
"""Tokens of input and of output."""
_MOST = 10_000
_DEEPEST = 64


def counts_of(usage: Mapping[str, Quantity]) -> Counts:
    """Return what two reports of one call must agree on."""
    return usage.get("input_tokens", 0), usage.get("output_tokens", 0)


class SpanMemory:
    """The usage spans of recent requests of one tenant. The oldest are forgotten."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self.counted: dict[Span, Counts] = {}
        self.inner: dict[tuple[str, str, Counts], None] = {}
        """Trace and id of the span around a counted one, with its counts."""
        self.dropped: dict[Span, None] = {}

    def trim(self) -> None:
        """Forget the oldest spans."""
        every: list[dict[Any, Any]] = [self.counted, self.inner, self.dropped]
        for kept in every:
            while len(kept) > self._most:
                del kept[next(iter(kept))]


class RequestSpans:
    """The usage spans of one request. `commit` remembers them once they are durable."""

    def __init__(self, memory: SpanMemory | None = None) -> None:
        self._memory = memory or SpanMemory()
        self._counted: dict[Span, tuple[Counts, str]] = {}
        self._dropped: set[Span] = set()

    def resolve(self, parents: Mapping[Span, str], usage: Mapping[Span, Counts]) -> Mapping[Span, str]:
        """Decide which spans count, given the parents of all spans of the request and the counts of its usage spans.
        Return the id of the span around, by the span inside it that counts instead."""
        nested: dict[Span, str] = {}
        for span, counts in usage.items():
            outer = self._around(span, parents, usage)
            if outer is not None and counts == (usage.get(outer) or self._memory.counted.get(outer)):
                if outer in self._memory.counted:
                    self._dropped.add(span)
                else:
                    self._dropped.add(outer)
                    nested[span] = outer[1]
            if (*span, counts) in self._memory.inner:
                self._dropped.add(span)
        self._counted = {
            span: (counts, parents.get(span, ""))
            for span, counts in usage.items()
            if span not in self._dropped
        }
        return nested

    def counts(self, span: Span) -> bool:
        """Tell whether a span, or a log record of it, is counted."""
        return span not in self._dropped and span not in self._memory.dropped

    def commit(self) -> None:
        """Remember the spans for requests to come."""
        memory = self._memory
        for span, (counts, parent) in self._counted.items():
            memory.counted[span] = counts
            if parent:
                memory.inner[span[0], parent, counts] = None
        memory.dropped |= dict.fromkeys(self._dropped)
        memory.trim()

    def _around(self, span: Span, parents: Mapping[Span, str], usage: Mapping[Span, Counts]) -> Span | None:
        outer = span
        for _ in range(_DEEPEST):
            parent = parents.get(outer)
            if not parent or (outer := (span[0], parent)) == span:
                return None
            if outer in usage or outer in self._memory.counted:
                return outer
        return None
