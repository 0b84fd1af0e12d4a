"""What is appended to an audit file is stored once, whatever ends in between."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from outlay_kit.audit import AuditLog
from outlay_kit.audit_store import AuditShipper
from outlay_kit.errors import Retryable

NOW = datetime(2026, 11, 25, 14, 42, tzinfo=UTC)


class Table:
    """Keeps one row for each id, as the engine's table does."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, object]] = {}
        self.away = False

    def insert_json_lines(self, table: str, lines: bytes, settings: object = None) -> None:
        assert table == "audit_log"
        if self.away:
            raise Retryable("away")
        self.rows |= {row["id"]: row for row in map(json.loads, lines.splitlines())}

    def subjects(self) -> Sequence[object]:
        return [row["subject"] for row in self.rows.values()]


def shipper(log: AuditLog, table: Table) -> AuditShipper:
    return AuditShipper(log, table)  # type: ignore[arg-type]


def test_each_entry_is_stored_once_also_after_a_restart(tmp_path: Path) -> None:
    log, table = AuditLog(tmp_path / "audit.ndjson"), Table()
    first = shipper(log, table)
    assert first.ship() == 0, "the file does not exist yet"
    log.append("kim", "alerts.act", "a-1", {"tenant": "acme", "note": "x"}, NOW)
    assert first.ship() == 1
    assert first.ship() == 0
    log.append("kim", "alerts.act", "a-2", {"tenant": "acme"}, NOW)
    assert first.ship() == 1
    assert shipper(log, table).ship() == 2, "from the beginning"
    assert table.subjects() == ["a-1", "a-2"]
    row = next(iter(table.rows.values()))
    assert (row["tenant"], row["actor"], row["details"]) == ("acme", "kim", '{"note":"x"}')


def test_entries_wait_while_clickhouse_is_away(tmp_path: Path) -> None:
    log, table = AuditLog(tmp_path / "audit.ndjson"), Table()
    ship = shipper(log, table)
    log.append("kim", "console.login", "kim", {}, NOW)
    table.away = True
    with pytest.raises(Retryable):
        ship.ship()
    table.away = False
    assert ship.ship() == 1
    assert table.subjects() == ["kim"]


def test_a_line_that_is_being_written_waits_and_a_new_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    log, table = AuditLog(tmp_path / "audit.ndjson"), Table()
    ship = shipper(log, table)
    log.append("kim", "keys.create", "k-1", {"tenant": "acme"}, NOW)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + whole[:20])
    assert ship.ship() == 1
    assert ship.ship() == 0
    log.path.write_bytes(whole + whole.replace(b"k-1", b"k-2"))
    assert ship.ship() == 1
    log.path.unlink()
    log.append("kim", "keys.create", "k-3", {}, NOW)
    assert ship.ship() == 1
    assert table.subjects() == ["k-1", "k-2", "k-3"]


def test_the_chain_of_the_file_holds_however_long_its_lines_are(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.ndjson")
    for size in (1, 65_000, 70_000, 200_000, 1):
        log.append("kim", "test", "x" * size, {}, NOW)
    assert [len(entry.subject) for entry in log.read()] == [1, 65_000, 70_000, 200_000, 1]
