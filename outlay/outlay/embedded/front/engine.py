"""chDB behind a small door: one engine a process, one short connection a request.

A connection is cheap (about a millisecond) and carries its own settings, so nothing of one request,
neither a setting nor a database, reaches another.
"""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chdb

from outlay.embedded.front.sql import Insert
from outlay.embedded.front.users import User

_STREAMABLE = {"Native", "JSONEachRow", "RowBinary", "TabSeparated", "TSV", "CSV", "JSONCompactEachRow"}
_CODE = re.compile(r"Code: (\d+)\. (DB::.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class EngineError(Exception):
    """The engine refused or failed; `code` is ClickHouse's."""

    def __init__(self, text: str) -> None:
        match = _CODE.search(text)
        # A failure in a query's settings is wrapped: the innermost code is the cause.
        codes = re.findall(r"Code: (\d+)\. DB::Exception", text)
        self.code = int(codes[-1]) if codes else 1002
        message = match[0] if match else f"Code: 1002. DB::Exception: {text} (UNKNOWN_EXCEPTION)"
        super().__init__(message.strip())


class Engine:
    """The engine over one folder. One process may hold a folder at a time."""

    def __init__(self, folder: Path, max_memory: int, max_threads: int) -> None:
        self._folder = folder
        self._defaults = {
            "max_memory_usage": str(max_memory),
            "max_threads": str(max_threads),
            "async_insert": "0",
        }
        # Held for as long as the process lives: the engine stops when its last connection closes.
        self._anchor = chdb.connect(str(folder))
        self._open_lock = threading.Lock()
        self.version = str(self._anchor.query("SELECT version()", "TSV")).strip()

    def close(self) -> None:
        """Stop the engine; what was inserted is on disk."""
        self._anchor.close()

    @contextmanager
    def connection(self, user: User, database: str, settings: Mapping[str, str]) -> Iterator[Any]:
        """Open a connection with the rights of `user`. Raises EngineError for settings it may not change."""
        with self._open_lock:
            connection = chdb.connect(str(self._folder))
        try:
            for name, value in self._defaults.items():
                _run(connection, f"SET {name} = {_quote(value)}")
            if database and database != "default":
                _run(connection, f"USE `{database.replace('`', '``')}`")
            if user.readonly:
                _run(connection, "SET readonly = 1")
            for name, value in settings.items():
                if not _NAME.match(name):
                    raise EngineError(f"Code: 115. DB::Exception: Unknown setting '{name}' (UNKNOWN_SETTING)")
                _run(connection, f"SET {name} = {_quote(value)}")
            yield connection
        finally:
            connection.close()

    @staticmethod
    def query(connection: Any, sql: str, fmt: str, parameters: Mapping[str, str]) -> Iterator[bytes]:
        """Yield a query's answer, in pieces where the format allows. Raises EngineError."""
        try:
            if fmt in _STREAMABLE and not parameters and _is_select(sql):
                for piece in connection.send_query(sql, fmt):
                    yield bytes(piece.bytes())
                return
            yield bytes(connection.query(sql, fmt, params=dict(parameters)).bytes())
        except RuntimeError as error:
            raise EngineError(str(error)) from None

    @staticmethod
    def insert(connection: Any, insert: Insert, rows: int, parameters: Mapping[str, str]) -> None:
        """Insert the rows in the file descriptor `rows`. Raises EngineError."""
        os.lseek(rows, 0, os.SEEK_SET)
        sql = f"{insert.into} FROM INFILE '/proc/self/fd/{rows}' FORMAT {insert.format}"
        try:
            connection.query(sql, "TSV", params=dict(parameters))
        except RuntimeError as error:
            raise EngineError(str(error)) from None


def _run(connection: Any, sql: str) -> None:
    try:
        connection.query(sql, "TSV")
    except RuntimeError as error:
        raise EngineError(str(error)) from None


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _is_select(sql: str) -> bool:
    return sql.lstrip(" \t\r\n(").upper().startswith(("SELECT", "WITH"))
