"""The HTTP interface as an ASGI application: reads a request, asks the engine, answers as ClickHouse does."""

import os
import re
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from starlette.applications import Starlette
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from outlay.embedded.front.codecs import EncodingError, choose, compress, decompressor
from outlay.embedded.front.engine import Engine, EngineError
from outlay.embedded.front.sql import Insert, RefusedError, check, find_insert
from outlay.embedded.front.users import User, Users, credentials

_NOT_SETTINGS = {
    "query", "database", "default_format", "user", "password", "session_id", "session_timeout", "session_check",
    "query_id", "quota_key", "role", "compress", "decompress", "stacktrace", "buffer_size", "wait_end_of_query",
    "enable_http_compression", "client_protocol_version", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "http_response_buffer_size", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*(?:SETTINGS\s.*)?\Z", re.IGNORECASE | re.DOTALL)
_STATUS = {
    60: 404, 81: 404, 46: 404, 47: 404, 78: 404, 115: 404, 79: 404,
    194: 401, 192: 403, 193: 403, 516: 403, 511: 403, 497: 403,
    62: 400, 27: 400, 6: 400, 26: 400, 36: 400, 38: 400, 41: 400, 42: 400, 43: 400, 53: 400, 70: 400, 72: 400,
    117: 400, 457: 400, 386: 400,
    48: 501, 159: 408, 202: 503, 209: 503, 439: 503, 223: 413,
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One request, read: who asks, what, and with which settings. `rows` is a file descriptor, or -1."""

    user: User
    sql: str
    insert: Insert | None
    rows: int
    fmt: str
    database: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]


def make_app(engine: Engine, users: Users, max_body: int) -> Starlette:
    """Return the application. `max_body`: bytes of an uncompressed body that are taken at most."""

    async def ping(_: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    async def ask(request: Request) -> Response:
        parameters = dict(request.query_params)
        query_id = parameters.get("query_id") or str(uuid.uuid4())
        name, password = credentials(request.headers, parameters)
        user = users.authenticate(name, password)
        if user is None:
            message = (
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name."
            )
            return _failed(516, f"Code: 516. DB::Exception: {message} (AUTHENTICATION_FAILED)", query_id)
        if request.method in ("GET", "HEAD") and not parameters.get("query"):
            return PlainTextResponse("Ok.\n")
        rows = os.memfd_create("body")
        try:
            await _spool(request, rows, max_body)
            question = _read(request, parameters, user, rows)
            return await _answer(engine, question, request, query_id)
        except (EngineError, RefusedError) as error:
            return _failed(error.code, str(error), query_id)
        except EncodingError as error:
            return _failed(89, f"Code: 89. DB::Exception: {error} (UNKNOWN_COMPRESSION_METHOD)", query_id)
        except ClientDisconnect:
            return Response(status_code=499)
        finally:
            os.close(rows)

    return Starlette(
        routes=[
            Route("/ping", ping, methods=["GET", "HEAD"]),
            Route("/replicas_status", ping, methods=["GET", "HEAD"]),
            Route("/", ask, methods=["GET", "HEAD", "POST"]),
        ]
    )


async def _spool(request: Request, rows: int, max_body: int) -> None:
    """Write the body, uncompressed, to the memory file. Nothing runs before the whole body is here."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if request.query_params.get("decompress") == "1":
        raise EncodingError("ClickHouse's own block compression is not taken here; use Content-Encoding")
    unpack = decompressor(encoding) if encoding and encoding != "identity" else None
    size = 0
    async for piece in request.stream():
        try:
            data = unpack.decompress(piece) if unpack and piece else piece
        except Exception as error:  # noqa: BLE001 (each codec has an error class of its own)
            raise EncodingError(f"the body is not {encoding}: {error}") from None
        size += len(data)
        if size > max_body:
            raise RefusedError(
                223, "QUERY_IS_TOO_LARGE", f"the body is larger than {max_body} bytes; send less at once"
            )
        await run_in_threadpool(os.write, rows, data) if len(data) > 1 << 20 else os.write(rows, data)
    if unpack is not None and size and not getattr(unpack, "eof", True):
        raise EncodingError(f"the body ends in the middle of its {encoding} stream")


def _read(request: Request, url: Mapping[str, str], user: User, rows: int) -> Question:
    query = url.get("query", "")
    size = os.lseek(rows, 0, os.SEEK_END)
    if query:
        insert = find_insert(query.encode()) if size else None
        if insert is None and size:
            query = query + "\n" + os.pread(rows, size, 0).decode("utf-8", "surrogateescape")
    else:
        insert = find_insert(os.pread(rows, 64 * 1024, 0))
        if insert is None:
            query = os.pread(rows, size, 0).decode("utf-8", "surrogateescape")
        else:
            _drop_head(rows, insert.data_at, size)
    check(insert.into if insert else query, user.readonly or request.method in ("GET", "HEAD"))
    default = request.headers.get("x-clickhouse-format") or url.get("default_format") or "TabSeparated"
    explicit = _FORMAT.search(query) if insert is None else None
    return Question(
        user=user,
        sql=query,
        insert=insert,
        rows=rows,
        fmt=explicit[1] if explicit else default,
        database=request.headers.get("x-clickhouse-database") or url.get("database", ""),
        settings={k: v for k, v in url.items() if k not in _NOT_SETTINGS and not k.startswith("param_")},
        parameters={k.removeprefix("param_"): v for k, v in url.items() if k.startswith("param_")},
    )


def _drop_head(rows: int, head: int, size: int) -> None:
    """Move the rows to the start of the memory file, over the query that stood before them."""
    step = 1 << 22
    for at in range(head, size, step):
        os.pwrite(rows, os.pread(rows, step, at), at - head)
    os.ftruncate(rows, size - head)


async def _answer(engine: Engine, question: Question, request: Request, query_id: str) -> Response:
    headers = {
        "X-ClickHouse-Query-Id": query_id,
        "X-ClickHouse-Server-Display-Name": "outlay-embedded",
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Summary": '{"read_rows":"0","read_bytes":"0","written_rows":"0","written_bytes":"0"}',
    }
    pieces = _run(engine, question)
    first = await run_in_threadpool(next, pieces, b"")
    if question.insert is None:
        headers["X-ClickHouse-Format"] = question.fmt
    body: Iterator[bytes] = chain((first,), pieces)
    wants = request.query_params.get("enable_http_compression") == "1"
    encoding = choose(request.headers.get("accept-encoding", "")) if wants else ""
    if encoding and first:
        headers["Content-Encoding"] = encoding
        body = compress(body, encoding)
    rest = iterate_in_threadpool(body)
    return StreamingResponse(
        _until_closed(rest, pieces), headers=headers, media_type="application/octet-stream"
    )


async def _until_closed(body: AsyncIterator[bytes], pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Send the body; if the client goes away, end the query."""
    try:
        async for piece in body:
            yield piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            await run_in_threadpool(close)


def _run(engine: Engine, question: Question) -> Iterator[bytes]:
    """Ask the engine. The first piece decides between an answer and an error."""
    with engine.connection(question.user, question.database, question.settings) as connection:
        if question.insert is not None:
            engine.insert(connection, question.insert, question.rows, question.parameters)
            return
        yield from engine.query(connection, question.sql, question.fmt, question.parameters)


def _failed(code: int, message: str, query_id: str) -> Response:
    return PlainTextResponse(
        message + "\n",
        status_code=_STATUS.get(code, 500),
        headers={"X-ClickHouse-Exception-Code": str(code), "X-ClickHouse-Query-Id": query_id},
    )
