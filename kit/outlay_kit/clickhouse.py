"""ClickHouse as the services see it, on clickhouse-connect."""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from urllib3.exceptions import HTTPError

from outlay_kit.errors import Refused, Retryable
from outlay_kit.failpoints import failpoint
from outlay_kit.settings import ClickHouseSettings
from outlay_schemas.currency import NoRateError

logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
"""Without it the library prints on stderr where a program configured no log, as the command line."""
_NO_ENGINE = re.compile(r"received HTTP status 5\d\d")
"""What answered is a proxy, or an engine too ill to say a code."""
_NO_RATE = re.compile(r"no exchange rate for .+?(?=: while executing)")
"""A sum in a currency that met money without a rate (range_sums.py)."""

Settings = Mapping[str, object] | None
"""ClickHouse settings of one statement."""

_SETTINGS = {"async_insert": 0, "date_time_input_format": "best_effort", "date_time_output_format": "iso"}
_RETRYABLE_CODES = {
    3,  # UNEXPECTED_END_OF_FILE: the body was cut
    159,  # TIMEOUT_EXCEEDED
    160,  # TOO_SLOW
    202,  # TOO_MANY_SIMULTANEOUS_QUERIES
    203,  # NO_FREE_CONNECTION
    209,  # SOCKET_TIMEOUT
    210,  # NETWORK_ERROR
    236,  # ABORTED
    241,  # MEMORY_LIMIT_EXCEEDED
    242,  # TABLE_IS_READ_ONLY
    243,  # NOT_ENOUGH_SPACE
    252,  # TOO_MANY_PARTS
    285,  # TOO_FEW_LIVE_REPLICAS
    319,  # UNKNOWN_STATUS_OF_INSERT: our inserts are idempotent
    394,  # QUERY_WAS_CANCELLED
    439,  # CANNOT_SCHEDULE_TASK
    999,  # KEEPER_EXCEPTION
}
_REFUSED_CODES = {
    81,  # UNKNOWN_DATABASE
    192,  # UNKNOWN_USER
    193,  # WRONG_PASSWORD
    194,  # REQUIRED_PASSWORD
    516,  # AUTHENTICATION_FAILED
}
_UNKNOWN_TABLE = 60


class ClickHouseClient:
    """One connection, not for several threads at once. Raises Retryable where the engine is away or overloaded,
    Refused where it refuses user, password or database; other errors of clickhouse-connect are faults of ours."""

    def __init__(self, settings: ClickHouseSettings, database: str | None = None) -> None:
        self._settings = settings
        self._database = settings.database if database is None else database
        self._client: Any = None

    def command(
        self, sql: str, parameters: Mapping[str, object] | None = None, settings: Settings = None
    ) -> object:
        """Run a statement; values are bound (`{name:Type}`), never pasted."""
        return self._call("command", sql, parameters=parameters, settings=settings)

    def rows(
        self, sql: str, parameters: Mapping[str, object] | None = None, settings: Settings = None
    ) -> list[dict[str, Any]]:
        """Return the rows of a query as dicts."""
        return list(self._call("query", sql, parameters=parameters, settings=settings).named_results())

    def columns(
        self, sql: str, parameters: Mapping[str, object] | None = None, settings: Settings = None
    ) -> dict[str, Sequence[Any]]:
        """Return the columns of a query by name; of no rows nothing. Of many it takes half of the time of `rows`."""
        found = self._call("query", sql, parameters=parameters, settings=settings, column_oriented=True)
        names = found.column_names
        return dict(zip(names, found.result_columns or [()] * len(names), strict=True))

    def raw(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        settings: Settings = None,
        fmt: str = "JSONEachRow",
    ) -> bytes:
        """Return a query's answer as the engine wrote it, in format `fmt`."""
        answer: bytes = self._call("raw_query", sql, parameters=parameters, fmt=fmt, settings=settings)
        return answer

    def insert_json_lines(self, table: str, lines: bytes, settings: Settings = None) -> None:
        """Insert NDJSON; unknown columns are an error, missing ones take their default."""
        self.insert_lines(table, lines, "JSONEachRow", settings)

    def insert_lines(self, table: str, lines: bytes, fmt: str, settings: Settings = None) -> None:
        """Insert rows that are written one a line in format `fmt`."""
        # The client copies bytes to put the statement before them; of a view it sends the statement in the address.
        self._call("raw_insert", table, insert_block=memoryview(lines), fmt=fmt, settings=settings)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _call(self, method: str, *args: object, **kwargs: object) -> Any:
        try:
            if self._client is None:
                self._client = self._connect()
            failpoint("store_step")
            answer = getattr(self._client, method)(*args, **kwargs)
        except OperationalError as error:
            raise self._away(error) from error
        except DatabaseError as error:
            if without := _NO_RATE.search(str(error)):
                raise NoRateError(without[0]) from error
            if _code(error) in _REFUSED_CODES:
                raise Refused(self._refused(error)) from error
            if _code(error) == _UNKNOWN_TABLE:
                raise Refused(self._missing(error)) from error
            if _code(error) in _RETRYABLE_CODES or _NO_ENGINE.search(str(error)):
                raise Retryable(f"ClickHouse at {self._settings.url} cannot now: {_said(error)}") from error
            raise
        except (HTTPError, OSError) as error:
            raise self._away(error) from error
        failpoint("store_step")
        return answer

    def _away(self, error: BaseException) -> Retryable:
        """Close the connection, and return an error that says why in the system's words, not in the client's."""
        self.close()
        reason: BaseException = error
        while isinstance(below := reason.__cause__ or getattr(reason, "reason", None), BaseException):
            reason = below
        why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return Retryable(f"ClickHouse does not answer at {self._settings.url}: {' '.join(why.split())[:200]}")

    def _refused(self, error: DatabaseError) -> str:
        return (
            f"ClickHouse at {self._settings.url} refuses user {self._settings.user!r}: {_said(error)}. Check"
            " OUTLAY_CLICKHOUSE_USER, OUTLAY_CLICKHOUSE_PASSWORD and OUTLAY_CLICKHOUSE_DATABASE"
        )

    def _missing(self, error: DatabaseError) -> str:
        named = re.search(r"(?:[Tt]able (?:expression )?(?:identifier )?'?)([\w`.]+)", str(error))
        table = named[1].replace("`", "").removeprefix(f"{self._database}.") if named else "it asks for"
        return (
            f"ClickHouse has no table {table} in database {self._database}. If it was never set up, run: outlay"
            " setup. If the table was dropped, restore it from a backup (docs/operations.md)"
        )

    def _connect(self) -> Any:
        url = urlsplit(self._settings.url)
        if url.scheme == "chdb":  # the engine inside this process: for tests and offline tools
            path = self._settings.url.removeprefix("chdb://") or None
            return clickhouse_connect.get_client(
                interface="chdb", path=path, database=self._database or None, settings=_SETTINGS
            )
        client = clickhouse_connect.get_client(
            interface=url.scheme,
            host=url.hostname or "127.0.0.1",
            port=url.port or (8443 if url.scheme == "https" else 8123),
            username=self._settings.user,
            password=self._settings.password.get_secret_value(),
            database=self._database or "__default__",
            ca_cert=self._settings.ca_file or None,
            autogenerate_session_id=False,
            connect_timeout=5,
            send_receive_timeout=300,
        )
        for name, value in _SETTINGS.items():
            known = client.server_settings.get(name)
            if known is None or not known.readonly:  # a user that can only read may not set any
                client.set_client_setting(name, value)
        return client


def _said(error: DatabaseError) -> str:
    """Return what the engine says, on one line and without its version."""
    return re.sub(r"\s+", " ", str(error)).split("(version", maxsplit=1)[0][:300].strip()


def _code(error: DatabaseError) -> int:
    if error.code is not None:
        return int(error.code)
    found = re.search(r"Code: (\d+)", str(error))
    return int(found[1]) if found else 0
