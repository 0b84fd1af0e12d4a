"""The table of what people did: every entry gets there by `store_entries`, once."""

import hashlib
from collections.abc import Iterable
from datetime import UTC

import msgspec

from outlay_kit.audit import AuditLog, Entry
from outlay_kit.clickhouse import ClickHouseClient

_MOST = 1000
"""Entries that one insert writes."""


def store_entries(clickhouse: ClickHouseClient, entries: Iterable[Entry]) -> int:
    """Write entries; those that are there already stay one row. Return how many were given. Raises Retryable."""
    lines = [msgspec.json.encode(_row(entry)) for entry in entries]
    for n in range(0, len(lines), _MOST):
        clickhouse.insert_json_lines("audit_log", b"\n".join(lines[n : n + _MOST]))
    return len(lines)


def _row(entry: Entry) -> dict[str, object]:
    details = {name: value for name, value in entry.details.items() if name != "tenant"}
    said = msgspec.json.encode(
        [entry.at.astimezone(UTC), entry.actor, entry.action, entry.subject, entry.details]
    )
    return {
        "id": hashlib.sha256(said).hexdigest(),
        "at": entry.at,
        "tenant": str(entry.details.get("tenant", "")),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": msgspec.json.encode(details).decode() if details else "",
    }


class AuditShipper:
    """Stores what is appended to an audit file, from its beginning: after a restart again, which changes nothing."""

    def __init__(self, log: AuditLog, clickhouse: ClickHouseClient) -> None:
        self._log, self._clickhouse = log, clickhouse
        self._read = 0

    def ship(self) -> int:
        """Store the whole lines since the last call; return how many. Raises Retryable, OSError."""
        try:
            size = self._log.path.stat().st_size
        except FileNotFoundError:
            return 0
        if size < self._read:
            self._read = 0  # another file
        if size == self._read:
            return 0
        with self._log.path.open("rb") as file:
            file.seek(self._read)
            whole, _, _ = file.read().rpartition(b"\n")
        stored = store_entries(self._clickhouse, _entries(whole.splitlines()))
        self._read += len(whole) + 1 if whole else 0
        return stored


def _entries(lines: Iterable[bytes]) -> Iterable[Entry]:
    for line in lines:
        try:
            yield msgspec.json.decode(line, type=Entry)
        except msgspec.MsgspecError:
            continue  # `outlay keys audit` reports a line that was changed
