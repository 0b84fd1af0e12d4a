"""An `Outlay` whose batches stay in the test's hands."""

import json
import threading
from collections.abc import Sequence
from typing import Any

from outlay_ingest.domain.decoded_items import Head
from outlay_ingest.domain.responses import read_responses
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, usage_event_decoder
from outlay_sdk import Outlay, Rejected, Unavailable

NOW_NS = 1_795_600_000_123_456_789


class Held:
    """A way out that takes all, or does what the next of `failures` says."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.attempts: list[list[bytes]] = []
        self.failures: list[Exception] = []
        self.refused: list[str] = []
        self.open = threading.Event()
        self.open.set()
        self.closed = False

    def send(self, path: str, lines: Sequence[bytes]) -> Sequence[str]:
        self.open.wait(10)
        self.attempts.append(list(lines))
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append(list(lines))
        return self.refused

    def close(self) -> None:
        self.closed = True

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for batch in self.batches for line in batch]

    def usage(self) -> list[UsageEvent]:
        """What ingest makes of everything that was sent."""
        events: list[UsageEvent] = []
        for batch in self.batches:
            for line in batch:
                if b'"response":' not in line:
                    events.append(usage_event_decoder.decode(line))
                    continue
                for item in read_responses(line, Head("application/json", provider="auto")):
                    assert item is not None
                    if isinstance(item.event, Invalid):
                        raise item.event
                    events.append(item.event)
        return events


AWAY = Unavailable("unavailable", 0.01)
NEVER = Rejected("wrong key")


def make(**settings: Any) -> tuple[Outlay, Held]:
    held = Held()
    given = {"linger": 0.02, "flush_at_exit": 0, "clock": lambda: NOW_NS, "source": "t", **settings}
    return Outlay(transport=held, **given), held
