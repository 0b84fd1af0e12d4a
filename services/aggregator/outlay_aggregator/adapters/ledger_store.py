"""The ledger and the rollups in ClickHouse."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cached_property

import msgspec
from clickhouse_connect.driver.exceptions import DatabaseError

from outlay_aggregator.adapters.identities import Index
from outlay_aggregator.adapters.scratch import scratch_tables
from outlay_aggregator.domain import checksums, rollup_sql
from outlay_aggregator.domain.windows import GRAINS, Range, Window, end_of, is_span
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.cluster_schema import changed, cluster_of
from outlay_kit.errors import Retryable
from outlay_schemas.dimensions import OTHER_USERS
from outlay_schemas.events import Grain

_INSERT = {
    "async_insert": 0,
    "input_format_parallel_parsing": 0,  # threads cost a sixth more than they save; aggregators scale instead
    "optimize_on_insert": 0,  # half of the cost of an insert; FINAL and merges do it anyway
    "insert_deduplicate": 0,
    "input_format_skip_unknown_fields": 0,
    "date_time_input_format": "best_effort",
}
_FINAL = {"do_not_merge_across_partitions_select_final": 1}  # no identity is in two months
_FOLDED = f'"user":"{OTHER_USERS}"'.encode()
"""In an answer: users are past the limit."""
_MOST_WIDE = 10_000
_MALFORMED = {
    6,  # CANNOT_PARSE_TEXT
    15,  # DUPLICATE_COLUMN
    25,  # CANNOT_PARSE_ESCAPE_SEQUENCE
    26,  # CANNOT_PARSE_QUOTED_STRING
    27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
    33,  # CANNOT_READ_ALL_DATA
    38,  # CANNOT_PARSE_DATE
    41,  # CANNOT_PARSE_DATETIME
    53,  # TYPE_MISMATCH
    69,  # ARGUMENT_OUT_OF_BOUND
    72,  # CANNOT_PARSE_NUMBER
    117,  # INCORRECT_DATA
    130,  # CANNOT_READ_ARRAY_FROM_TEXT
    131,  # TOO_LARGE_STRING_SIZE
    349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    407,  # DECIMAL_OVERFLOW
    469,  # VIOLATED_CONSTRAINT
}


class MalformedError(Exception):
    """The engine cannot read some of the lines. Some of the good ones may have been written."""


class Difference(msgspec.Struct, frozen=True):
    """A window whose stored state differs from a recomputation. USD; `start` is Unix seconds."""

    tenant: str
    start: int
    right_version: int
    stored_version: int
    right_cost: Decimal
    stored_cost: Decimal
    right_events: int
    stored_events: int


class LedgerStore(Index):
    """Writes events and computes windows. Every method is safe to repeat."""

    def __init__(self, clickhouse: ClickHouseClient, cells: int) -> None:
        super().__init__(clickhouse)
        self._cells = cells
        self._wide: dict[Grain, set[Window]] = {grain: set() for grain in GRAINS}
        """Windows with users past the limit when last recomputed: decides only how to compute them."""

    def append(self, table: str, lines: bytes) -> None:
        """Write NDJSON rows. Raises Retryable; MalformedError if the engine cannot read a line."""
        try:
            self._clickhouse.insert_json_lines(table, lines, _INSERT)
        except DatabaseError as error:
            if error.code in _MALFORMED:
                raise MalformedError(str(error)) from error
            raise

    def recompute(self, grain: Grain, windows: Sequence[Window]) -> list[bytes]:
        """Recompute and store `windows`; return one `RollupWindow` per line.

        Raises Retryable, also if a window is missing from the answer: each has at least one event.
        """
        answer = self.compute(grain, windows)
        lines = answer.splitlines()
        if len(lines) != len(windows):
            raise Retryable(f"asked for {len(windows)} windows of a {grain}, got {len(lines)}")
        self.store(grain, answer)
        return lines

    def compute(self, grain: Grain, windows: Sequence[Window]) -> bytes:
        """Compute `windows` from the ledger (minutes) or from the finer grain, without writing."""
        span, wide = is_span(windows, grain), self._wide[grain]
        if wide.isdisjoint(windows):
            try:
                return self._ask(rollup_sql.recompute(grain, span, narrow=True), grain, windows)
            except DatabaseError as error:
                if error.code != rollup_sql.PAST_LIMIT:
                    raise
            if len(wide) > _MOST_WIDE:
                wide.clear()
            wide.update(windows)
        answer = self._ask(rollup_sql.recompute(grain, span), grain, windows)
        if _FOLDED not in answer:
            wide.difference_update(windows)
        return answer

    def store(self, grain: Grain, answer: bytes) -> None:
        """Write computed windows; of each window the highest version counts."""
        self._clickhouse.insert_json_lines(
            rollup_sql.TABLES[grain], answer, {**_INSERT, "input_format_skip_unknown_fields": 1}
        )

    def stored(self, grain: Grain, windows: Sequence[Window]) -> bytes:
        """Return `windows` as they are stored."""
        return self._ask(rollup_sql.stored(grain), grain, windows)

    def differences(self, grain: Grain, asked: Sequence[Window] | Range) -> list[Difference]:
        """Return the windows, of those asked for, whose stored state differs from a recomputation.

        A range must begin and end with a window of `grain`.
        """
        sql = rollup_sql.difference(grain, span=isinstance(asked, Range))
        answer = self._ask(sql, grain, asked)
        return msgspec.json.Decoder(Difference).decode_lines(answer)

    def suspects(self, asked: Range) -> dict[Grain, list[Window]]:
        """Return the windows whose checksums differ from the ledger's, in a range of whole days.

        They include all wrong windows and those with a user `(other)`. Writes a scratch table.
        """
        table = f"audit_{uuid.uuid4().hex[:12]}_sums"
        with scratch_tables(self._clickhouse, {table: checksums.scratch(table)}):
            self._clickhouse.command(checksums.fill(table), asked.bound, _FINAL)
            return {grain: self._windows(checksums.suspects(table, grain), asked, _FINAL) for grain in GRAINS}

    def repeated(self, counted: Mapping[Window, int]) -> list[Window]:
        """Return the minutes that have more rows than the events `counted`: some came twice."""
        windows = list(counted)
        sql = rollup_sql.rows_of_minutes(is_span(windows, "minute"))
        found = self._clickhouse.rows(sql, self._asked("minute", windows))
        rows = {Window(row["start"], row["tenant"]): row["n"] for row in found}
        return [window for window in windows if rows.get(window, 0) > counted[window]]

    def keep_conflicts(self, minutes: Sequence[Window]) -> int:
        """Store events of `minutes` with one identity that differ and are not merged yet; return how many rows."""
        return self._keep("conflicts", rollup_sql.CONFLICTS_OF_MINUTES, minutes).count(b"\n")

    def keep_high_cardinality(self, minutes: Sequence[Window]) -> list[rollup_sql.HighCardinalitySource]:
        """Store and return the producer with most cells of each minute."""
        answer = self._keep("high_cardinality_sources", rollup_sql.HIGH_CARDINALITY_SOURCES, minutes)
        return msgspec.json.Decoder(rollup_sql.HighCardinalitySource).decode_lines(answer)

    def _keep(self, table: str, sql: str, minutes: Sequence[Window]) -> bytes:
        if answer := self._ask(sql, "minute", minutes):
            self.append(table, answer)
        return answer

    def minutes(self, asked: Range) -> list[Window]:
        """Return the minutes with events."""
        return self._windows(rollup_sql.MINUTES_OF_LEDGER, asked)

    def stored_windows(self, grain: Grain, asked: Range) -> list[Window]:
        """Return the stored windows."""
        return self._windows(rollup_sql.stored_windows(grain), asked)

    def _windows(self, sql: str, asked: Range, settings: Mapping[str, object] | None = None) -> list[Window]:
        rows = self._clickhouse.rows(sql, asked.bound, settings)
        return [Window(row["start"], row["tenant"]) for row in rows]

    def remove(self, grain: Grain, versions: Mapping[Window, int]) -> None:
        """Remove windows, each of at most its version; they must be recomputed after."""
        bound = {
            "tenants": [window.tenant for window in versions],
            "windows": [window.start for window in versions],
            "versions": list(versions.values()),
        }
        table = changed(rollup_sql.TABLES[grain], self._cluster)
        self._clickhouse.command(rollup_sql.removal(table), bound, {"mutations_sync": 2})

    def refill(self, grain: Grain, asked: Range) -> None:
        """Recompute and store all windows of a range, inside the engine."""
        settings = {**_INSERT, **rollup_sql.SETTINGS}
        self._clickhouse.command(rollup_sql.refill(grain), self._asked(grain, asked), settings)

    def complete(self, at: datetime) -> None:
        """Store that everything accepted before `at` is counted."""
        row = {"name": "ledger", "at": at.isoformat(timespec="milliseconds")}
        self.append("watermark", msgspec.json.encode(row))

    @cached_property
    def _cluster(self) -> str | None:
        return cluster_of(self._clickhouse)

    def _ask(self, sql: str, grain: Grain, windows: Sequence[Window] | Range) -> bytes:
        return self._clickhouse.raw(sql, self._asked(grain, windows), settings=rollup_sql.SETTINGS)

    def _asked(self, grain: Grain, windows: Sequence[Window] | Range) -> dict[str, object]:
        if isinstance(windows, Range):
            return {**windows.bound, "cells": self._cells}
        return {
            "tenants": [window.tenant for window in windows],  # side by side with the windows
            "windows": [window.start for window in windows],
            "low": min(window.start for window in windows),
            "high": max(end_of(window, grain) for window in windows),
            "cells": self._cells,
        }
