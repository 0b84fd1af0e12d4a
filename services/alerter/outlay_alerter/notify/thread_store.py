"""The first message of each incident, for channels that answer in its thread."""

from collections.abc import Sequence
from dataclasses import dataclass

from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.events import encoder


@dataclass(frozen=True, slots=True)
class Thread:
    """A message that others answer to."""

    place: str
    """The channel's own name for where it is."""
    ts: str
    """Its id there."""
    alone: bool
    """Whether it is about one incident only, so that it can be updated."""


class ThreadStore:
    """Remembers the first message of each incident, in ClickHouse."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def of(self, channel: str, incident: str) -> Thread | None:
        """Return the first message of an incident; None: it has none. Raises Retryable."""
        rows = self._clickhouse.rows(
            "SELECT place, ts, alone FROM alert_threads FINAL WHERE channel = {c:String} AND alert = {a:String}",
            {"c": channel, "a": incident},
        )
        return Thread(rows[0]["place"], rows[0]["ts"], bool(rows[0]["alone"])) if rows else None

    def remember(self, channel: str, incidents: Sequence[str], thread: Thread) -> None:
        """Note the first message of incidents. Raises Retryable."""
        row = {"channel": channel, "place": thread.place, "ts": thread.ts, "alone": thread.alone}
        lines = encoder.encode_lines([{**row, "alert": incident} for incident in incidents])
        self._clickhouse.insert_json_lines("alert_threads", lines)
