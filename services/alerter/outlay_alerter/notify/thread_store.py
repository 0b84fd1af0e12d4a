"""Where each alert was told first, for channels that say what follows in the same place."""

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
    """Whether it tells one alert only, so that it may be written anew."""


class ClickHouseThreads:
    """Remembers them, in ClickHouse."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def of(self, channel: str, alert: str) -> Thread | None:
        """Return where an alert was told; None: it was not. Raises Retryable."""
        rows = self._clickhouse.rows(
            "SELECT place, ts, alone FROM alert_threads FINAL WHERE channel = {c:String} AND alert = {a:String}",
            {"c": channel, "a": alert},
        )
        return Thread(rows[0]["place"], rows[0]["ts"], bool(rows[0]["alone"])) if rows else None

    def remember(self, channel: str, alerts: Sequence[str], thread: Thread) -> None:
        """Note where alerts were told. Raises Retryable."""
        row = {"channel": channel, "place": thread.place, "ts": thread.ts, "alone": thread.alone}
        lines = (encoder.encode({**row, "alert": alert}) for alert in alerts)
        self._clickhouse.insert_json_lines("alert_threads", b"\n".join(lines))


class NullThreadStore:
    """Remembers nothing: for samples, each of which is a first message."""

    def of(self, channel: str, alert: str) -> Thread | None:
        """Return None."""

    def remember(self, channel: str, alerts: Sequence[str], thread: Thread) -> None:
        """Do nothing."""
