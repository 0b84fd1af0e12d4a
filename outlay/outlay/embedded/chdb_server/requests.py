"""Reads a request: its body, uncompressed, and the statement that it makes; refuses what a user may not do."""

import os
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import IO

from anyio.to_thread import run_sync
from starlette.requests import Request

from outlay.embedded.chdb_server.codecs import EncodingError, Unpacker
from outlay.embedded.chdb_server.engine import Engine, Statement, refused
from outlay.embedded.chdb_server.sql import (
    HEAD_BYTES,
    answer_format,
    find_insert,
    names_file_function,
    names_local_file,
)
from outlay.embedded.chdb_server.users import User

NOT_SETTINGS = {
    "query", "database", "default_format", "user", "password", "session_id", "session_timeout", "session_check",
    "session_timezone_override", "query_id", "quota_key", "role", "compress", "decompress", "stacktrace",
    "buffer_size", "wait_end_of_query", "close_session", "client_protocol_version", "enable_http_compression",
    "http_zlib_compression_level", "send_progress_in_http_headers", "http_headers_progress_interval_ms",
    "http_response_buffer_size", "http_wait_end_of_query", "cancel_http_readonly_queries_on_client_close",
    "send_receive_timeout", "connect_timeout", "log_comment", "log_queries",
}  # fmt: skip
"""Parameters for the server itself. It marks statements with log_comment, and keeps no query log."""
SPOOL_BYTES = 16 * 2**20  # a body up to this size is kept in memory, a larger one on disk
_WRITE_BYTES = 1 << 18
_DESCRIPTORS = "/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd"
_MOVE_BYTES = 1 << 22
_PYTHON_FORMATS = {"dataframe", "datastore", "arrowtable"}  # formats that chDB returns as Python objects


async def receive(request: Request, body: IO[bytes], limit: int) -> None:
    """Write the request's text to `body`, whole: the parameter `query`, then the body, uncompressed.
    Raises EncodingError, EngineError if there is more than `limit` bytes, ClientDisconnect."""
    query = request.query_params.get("query", "").rstrip()
    if query:
        body.write(query.encode("utf-8", "surrogateescape") + b"\n")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if request.query_params.get("decompress") == "1":
        raise EncodingError("ClickHouse's own block compression is not taken here; use Content-Encoding")
    unpacker = Unpacker(encoding) if encoding not in ("", "identity") else None
    size = 0
    async for arrived in request.stream():
        for piece in unpacker.feed(arrived) if unpacker else (arrived,):
            size += len(piece)
            if size > limit:
                message = f"the body is larger than {limit} bytes; send less at once"
                raise refused(223, "QUERY_IS_TOO_LARGE", message)
            if len(piece) > _WRITE_BYTES or size > SPOOL_BYTES:
                await run_sync(body.write, piece)
            else:
                body.write(piece)
    if unpacker:
        unpacker.end()


def read(request: Request, user: User, tag: str, body: IO[bytes]) -> Statement:
    """Return the statement of a request. `body` as `receive` wrote it; an INSERT reads its rows from it.
    Raises EngineError for a statement that is not text, or asks for a file of this machine."""
    url = dict(request.query_params)
    body.seek(0)
    content_type = request.headers.get("content-type", "")
    if content_type.lower().startswith("multipart/form-data"):
        form = _form_fields(content_type, body.read())
        url |= {name: value for name, value in form.items() if name.startswith("param_")}
        body.seek(0)
        body.truncate()
        body.write((form.get("query") or url.get("query", "")).encode())
        body.seek(0)
    head = body.read(HEAD_BYTES)
    insert = find_insert(head)
    sql = insert.into if insert else (head + body.read()).decode("utf-8", "surrogateescape")
    if "\udc80" <= max(sql, default="") <= "\udcff":
        raise refused(62, "SYNTAX_ERROR", "The query is not UTF-8")
    if names_local_file(sql):
        raise refused(358, "INTO_OUTFILE_NOT_ALLOWED", "INTO OUTFILE and INFILE are not allowed over HTTP")
    default = request.headers.get("x-clickhouse-format") or url.get("default_format") or "TabSeparated"
    fmt, in_pieces = answer_format("" if insert else sql, default)
    if fmt.lower() in _PYTHON_FORMATS:
        raise refused(73, "UNKNOWN_FORMAT", f"Unknown format {fmt}")
    if insert:
        # Not by chDB's send_insert: it answers with success, whatever the engine says when it comes to write.
        sql = insert.reading(f"{_DESCRIPTORS}/{_only_rows(body, insert.data_at)}")
    return Statement(
        user=user,
        sql=sql,
        tag=tag,
        fmt=fmt,
        in_pieces=in_pieces and insert is None,
        database=request.headers.get("x-clickhouse-database") or url.get("database", ""),
        keep_settings=request.method != "POST",
        settings={k: v for k, v in url.items() if k not in NOT_SETTINGS and not k.startswith("param_")},
        parameters={k.removeprefix("param_"): v for k, v in url.items() if k.startswith("param_")},
    )


def _only_rows(body: IO[bytes], begin: int) -> int:
    """Move the rows to the start of the file, over the query that stood before them; return its descriptor."""
    body.flush()
    file = body.fileno()
    size = os.fstat(file).st_size
    for at in range(begin, size, _MOVE_BYTES):
        os.pwrite(file, os.pread(file, _MOVE_BYTES, at), at - begin)
    os.ftruncate(file, size - begin)
    return file


def _form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """Read a form: how the stock client sends a statement whose bound values are too long for a URL.
    Raises EngineError for a form that is cut, not text, or holds a file (an external table)."""
    form = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body
    )
    if not form.is_multipart() or form.defects:
        raise refused(36, "BAD_ARGUMENTS", "The form cannot be read: its boundary or its end is missing")
    found: dict[str, str] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None or not isinstance(name, str):
            raise refused(48, "NOT_IMPLEMENTED", "External tables are not supported; run a ClickHouse server")
        value = part.get_payload(decode=True)
        try:
            found[name] = value.decode() if isinstance(value, bytes) else ""
        except UnicodeDecodeError:
            raise refused(62, "SYNTAX_ERROR", f"The field {name} is not UTF-8") from None
    return found


def guard(engine: Engine, statement: Statement) -> None:
    """Refuse several statements in one request, and all but reading from a read-only user, by the engine's own parser.
    The function `file` reads any file of this machine and needs no grant, so a reader's statement may not name it, and
    no parameter may. Raises EngineError."""
    sql, user = statement.sql, statement.user
    only_reading = user.readonly or statement.keep_settings
    if not sql.strip():
        raise refused(62, "SYNTAX_ERROR", "Empty query")
    kind, statements = engine.classify(sql)
    if statements > 1:
        raise refused(62, "SYNTAX_ERROR", "Multi-statements are not allowed")
    if kind == "READ_ONLY":
        if user.readonly:
            _refuse_file_function(engine, statement)
        return
    if not only_reading:
        return
    if kind == "UNKNOWN":
        engine.parse(sql)  # its error names the mistake
    hint = "" if user.readonly else " For queries over HTTP, method GET implies readonly: use POST."
    raise refused(164, "READONLY", f"Cannot execute query in readonly mode.{hint}")


def _refuse_file_function(engine: Engine, statement: Statement) -> None:
    """Refuse a statement that names the function `file`, be it quoted, escaped, after APPLY, or by a parameter."""
    sql, parameters = statement.sql, statement.parameters or {}
    if not any("file" in text.lower() or "\\" in text for text in (sql, *parameters.values())):
        return
    if names_file_function(engine.canonical(sql), parameters):
        message = f"{statement.user.name}: Not enough privileges to use the function file"
        raise refused(497, "ACCESS_DENIED", message)
