"""chDB: one engine per process, one short connection per request (0.3 ms), with its own settings and role, so that
requests cannot affect each other. The engine itself limits a reader: its role has SELECT and SHOW only (no file, URL
or other source), and `readonly = 1` keeps its settings. `requests.guard` closes the two gaps that remain."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import chdb

from outlay.embedded.chdb_server.users import User

_CODE = re.compile(r"Code: (\d+)\. (DB::.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_AS_A_SERVER = {"implicit_select": "0"}  # settings that chDB changes for its own shell, as a server has them


class EngineError(Exception):
    """The engine, or this server, refused or failed; `code` is ClickHouse's."""

    def __init__(self, text: str) -> None:
        match = _CODE.search(text)
        # A failure in a query's settings is wrapped: the innermost code is the cause.
        codes = re.findall(r"Code: (\d+)\. DB::Exception", text)
        self.code = int(codes[-1]) if codes else 1002
        message = match[0] if match else f"Code: 1002. DB::Exception: {text} (UNKNOWN_EXCEPTION)"
        super().__init__(message.strip())


def refused(code: int, name: str, message: str) -> EngineError:
    """Return an error of this server in ClickHouse's format."""
    return EngineError(f"Code: {code}. DB::Exception: {message} ({name})")


@dataclass(frozen=True)
class Limits:
    """`query_memory`: bytes of a query; together they may use 4 GiB. `keep_free`: inserts and merges fail with code 243
    rather than leave fewer bytes on the disk, as the engine (26.9) answers with success although a write failed."""

    query_memory: int
    keep_free: int


@dataclass(frozen=True)
class Statement:
    """One statement of one user; `tag` names it for `Engine.kill`. With `in_pieces` the answer is not held in memory;
    with `keep_settings` the statement cannot change settings."""

    user: User
    sql: str
    tag: str
    fmt: str
    in_pieces: bool = False
    database: str = ""
    keep_settings: bool = False
    settings: Mapping[str, str] | None = None
    parameters: Mapping[str, str] | None = None


class Engine:
    """The engine over one folder, which only one process may hold at a time."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._address = f"{folder}?config-file={_write_config(folder, limits)}"
        # Held for as long as the process lives: the engine stops when its last connection closes.
        self._anchor = chdb.connect(self._address)
        self._lock = threading.Lock()
        self.version = str(self._anchor.query("SELECT version()", "TSV")).strip()

    def connect(self) -> Any:
        """Open a connection."""
        with self._lock:
            return chdb.connect(self._address)

    def kill(self, tag: str) -> None:
        """Ask a statement to end; nothing happens if it has ended or not begun."""
        with self._lock:
            _run(self._anchor, f"KILL QUERY WHERE Settings['log_comment'] = {_quote(tag)} ASYNC")

    def classify(self, sql: str) -> tuple[str, int]:
        """Return the class of a statement by the engine's parser, such as READ_ONLY, and the number of statements."""
        with self._lock:
            found = self._anchor._conn.classify_query(sql)  # noqa: SLF001 (chDB has no public name for it)
        return found["query_class"].name, found["statement_count"]

    def parse(self, sql: str) -> None:
        """Parse a statement without running it. Raises EngineError, which names the mistake."""
        self._read(f"EXPLAIN AST {sql}")

    def canonical(self, sql: str) -> str:
        """Return a statement as the engine writes it: without comments and escapes in names, parameters as they are.
        Raises EngineError."""
        return self._read(f"SELECT formatQuery({_quote(sql)})")

    def _read(self, sql: str) -> str:
        connection = self.connect()
        try:
            _run(connection, "SET implicit_select = 0, max_query_size = 1073741824")
            return str(connection.query(sql, "TSVRaw"))
        except RuntimeError as error:
            raise EngineError(str(error)) from None
        finally:
            connection.close()

    def kill_all(self) -> None:
        """Ask every statement to end."""
        with self._lock:
            _run(self._anchor, "KILL QUERY WHERE Settings['log_comment'] != '' ASYNC")

    def close(self) -> None:
        """End what runs and stop the engine; what was inserted is on disk."""
        self.kill_all()
        with self._lock:
            self._anchor.close()


class Running:
    """A running statement on its own connection, for one thread at a time. Close it, also after an error."""

    def __init__(self, engine: Engine, statement: Statement) -> None:
        self._statement = statement
        self._connection = engine.connect()
        self._pieces: Any = None
        self.read_rows = 0
        self.written_rows = 0

    def start(self) -> bytes:
        """Run to the first piece of the answer, empty if the answer is. Raises EngineError."""
        self._prepare()
        statement = self._statement
        parameters = dict(statement.parameters or {})
        try:
            if statement.in_pieces and self._open(statement, parameters):
                return self.next()
            whole = self._connection.query(statement.sql, statement.fmt, params=parameters)
        except RuntimeError as error:
            raise EngineError(str(error)) from None
        self.read_rows, self.written_rows = whole.storage_rows_read(), whole.rows_written()
        return bytes(whole.bytes())

    def _open(self, statement: Statement, parameters: dict[str, str]) -> bool:
        """Ask for an answer in pieces; return whether the engine supports it: it does for SELECT, not for SHOW."""
        try:
            self._pieces = iter(self._connection.send_query(statement.sql, statement.fmt, params=parameters))
        except RuntimeError as error:
            if "Streaming query is not supported" in str(error):
                return False
            raise
        return True

    def next(self) -> bytes:
        """Return the next piece, empty at the end. Raises EngineError."""
        if self._pieces is None:
            return b""
        try:
            for piece in self._pieces:
                if data := bytes(piece.bytes()):
                    return data
        except RuntimeError as error:
            raise EngineError(str(error)) from None
        return b""

    def close(self) -> None:
        """End the statement, if it has not ended, and its connection."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        self._connection.close()

    def _prepare(self) -> None:
        statement = self._statement
        settings = {"log_comment": statement.tag, **_AS_A_SERVER}
        if statement.user.readonly:
            _run(self._connection, "SET ROLE reading")
            # Settings of Outlay's own client, which a reader may not change later.
            settings |= {"date_time_input_format": "best_effort", "date_time_output_format": "iso"}
        if statement.database and statement.database != "default":
            _run(self._connection, f"USE {_quote(statement.database, '`')}")
        self._set(settings)
        if statement.user.readonly:
            limits = {name: str(limit) for name, limit in statement.user.settings.items()}
            self._set({**limits, "readonly": "1"})
        elif statement.keep_settings:
            self._set({"readonly": "2"})
        self._set(statement.settings or {})

    def _set(self, settings: Mapping[str, str]) -> None:
        for name in settings:
            if not _NAME.match(name):
                raise refused(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
        if settings:
            changes = ", ".join(f"{name} = {_quote(value)}" for name, value in settings.items())
            _run(self._connection, f"SET {changes}")


def _run(connection: Any, sql: str) -> None:
    try:
        connection.query(sql, "TSV")
    except RuntimeError as error:
        raise EngineError(str(error)) from None


def _quote(value: str, mark: str = "'") -> str:
    escaped = value.replace("\\", "\\\\").replace(mark, f"\\{mark}")
    return f"{mark}{escaped}{mark}"


# Merging costs more than inserting, so a row is merged less often than by default (base 5), and in parts of one file as
# long as they are small. Functions are not compiled: that takes 30 ms of each, which queries of this size do not save.
_CONFIG = """<clickhouse>
  <users_config>{users}</users_config>
  <user_directories><users_xml><path>{users}</path></users_xml></user_directories>
  <max_server_memory_usage>4294967296</max_server_memory_usage>
  <mark_cache_size>268435456</mark_cache_size>
  <merge_tree>
    <min_free_disk_bytes_to_perform_insert>{keep_free}</min_free_disk_bytes_to_perform_insert>
    <merge_selector_base>8</merge_selector_base>
    <min_bytes_for_wide_part>268435456</min_bytes_for_wide_part>
  </merge_tree>
  <memory_worker_period_ms>500</memory_worker_period_ms>
  <background_pool_size>2</background_pool_size>
  <storage_configuration><disks><default>
    <keep_free_space_bytes>{keep_free}</keep_free_space_bytes>
  </default></disks></storage_configuration>
  <timezone>UTC</timezone>
</clickhouse>
"""
_USERS = """<clickhouse>
  <profiles>
    <default>
      <async_insert>0</async_insert>
      <max_memory_usage>{query_memory}</max_memory_usage>
      <max_threads>2</max_threads>
      <compile_expressions>0</compile_expressions>
      <compile_aggregate_expressions>0</compile_aggregate_expressions>
      <compile_sort_description>0</compile_sort_description>
      <min_free_disk_bytes_to_perform_insert>{keep_free}</min_free_disk_bytes_to_perform_insert>
    </default>
  </profiles>
  <quotas><default/></quotas>
  <roles>
    <writing><grants><query>GRANT ALL ON *.*</query></grants></writing>
    <reading><grants><query>GRANT SELECT, SHOW ON *.*</query></grants></reading>
  </roles>
  <users>
    <default>
      <password/>
      <networks><ip>::/0</ip></networks>
      <grants><query>GRANT writing</query><query>GRANT reading</query></grants>
    </default>
  </users>
</clickhouse>
"""


def _write_config(folder: Path, limits: Limits) -> Path:
    config, users = folder.parent / "engine.xml", folder.parent / "engine-users.xml"
    users.write_text(_USERS.format(query_memory=limits.query_memory, keep_free=limits.keep_free))
    config.write_text(_CONFIG.format(users=escape(str(users)), keep_free=limits.keep_free))
    return config
