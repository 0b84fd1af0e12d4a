"""What became of messages, for people who ask. No body, no address and no secret is in it."""

from collections.abc import Sequence
from datetime import datetime

from outlay_kit.clickhouse import ClickHouseClient

MOST = 1000
_MESSAGES = (
    "SELECT toString(created_at, 'UTC') AS decided, channel, tenant, message_id AS message, attempt AS tries,"
    " toString(due_at, 'UTC') AS due, reason FROM alert_outbox FINAL WHERE state = {state:String}"
    " AND created_at >= toDateTime64({since:Float64}, 3, 'UTC')"
    " AND ({channel:String} = '' OR channel = {channel:String})"
    " ORDER BY created_at DESC, channel, message_id LIMIT {n:UInt32}"
)
_TRIES = (
    "SELECT toString(at, 'UTC') AS at, channel, tenant, message_id AS message, messages, attempt, outcome,"
    " status, took_ms, reason"
    " FROM alert_deliveries AS d WHERE d.at >= toDateTime64({since:Float64}, 3, 'UTC')"
    " AND ({channel:String} = '' OR channel = {channel:String})"
    " ORDER BY d.at DESC, channel, message_id LIMIT {n:UInt32}"
)


class DeliveryLog:
    """Reads the outbox and the log of tries."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def tries(self, channel: str, since: datetime) -> Sequence[dict[str, object]]:
        """Return every try since then, the newest first; of one channel, or of all (empty). Raises Retryable."""
        return self._clickhouse.rows(_TRIES, _bound(channel, since))

    def messages(self, state: str, channel: str, since: datetime) -> Sequence[dict[str, object]]:
        """Return messages that wait or were given up, the newest first. Raises Retryable."""
        return self._clickhouse.rows(_MESSAGES, _bound(channel, since) | {"state": state})


def _bound(channel: str, since: datetime) -> dict[str, object]:
    return {"channel": channel, "since": since.timestamp(), "n": MOST}
