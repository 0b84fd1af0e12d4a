"""ClickHouse's HTTP interface as an ASGI application over the engine."""

import asyncio
import json
import secrets
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import IO

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from outlay.embedded.chdb_server.codecs import EncodingError, Packer, choose
from outlay.embedded.chdb_server.engine import Engine, EngineError, Running, Statement, refused
from outlay.embedded.chdb_server.requests import SPOOL_BYTES, guard, read, receive
from outlay.embedded.chdb_server.users import User, Users, credentials

_STATUS = {
    46: 404, 47: 404, 50: 404, 56: 404, 60: 404, 78: 404, 79: 404, 81: 404, 115: 404,
    194: 401, 192: 403, 193: 403, 497: 403, 511: 403, 512: 403, 516: 403,
    6: 400, 25: 400, 26: 400, 27: 400, 36: 400, 38: 400, 41: 400, 42: 400, 43: 400, 53: 400, 62: 400, 69: 400,
    70: 400, 72: 400, 73: 400, 89: 400, 117: 400, 130: 400, 131: 400, 386: 400, 427: 400, 456: 400, 457: 400,
    48: 501, 159: 408, 202: 503, 209: 503, 439: 503, 223: 413,
}  # fmt: skip
_QUEUE_SECONDS = 30
"""A reader's query waits this long for a slot before it is refused, so that a dashboard of many queries works."""
_FAILURE_SECONDS = 0.25
"""A reader's query that fails keeps its slot this much longer, so that a flood of failures takes little CPU."""
_MEDIA = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Pretty": "text/plain; charset=UTF-8",
}


def make_app(engine: Engine, users: Users, max_body: int) -> Starlette:
    """Return the application, which takes at most `max_body` bytes of an uncompressed body."""

    async def ping(_: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    return Starlette(
        routes=[
            Route("/ping", ping, methods=["GET", "HEAD"]),
            Route("/replicas_status", ping, methods=["GET", "HEAD"]),
            Route("/", _Statements(engine, users, max_body), methods=["GET", "HEAD", "POST"]),
        ]
    )


class _Statements:
    def __init__(self, engine: Engine, users: Users, max_body: int) -> None:
        self._engine = engine
        self._users = users
        self._max_body = max_body
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._threads = CapacityLimiter(64)  # more than the slots of all users
        self._killers = CapacityLimiter(2)  # apart, so that statements that fill every slot can be ended

    async def __call__(self, scope: Scope, receive_: Receive, send: Send) -> None:
        request = Request(scope, receive_, send)
        tag = str(uuid.uuid4())
        try:
            if request.method != "POST" and "query" not in request.query_params:
                response: Response = PlainTextResponse("Ok.\n")
            else:
                user = self._user(request)
                with SpooledTemporaryFile(max_size=SPOOL_BYTES) as body:
                    await receive(request, body, self._max_body)
                    statement = await run_sync(self._read, request, user, tag, body, limiter=self._threads)
                    await self._answer(statement, request, send)
                return
        except EngineError as error:
            response = _failed(error, _query_id(request, tag))
        except EncodingError as error:
            response = _failed(refused(89, "UNKNOWN_COMPRESSION_METHOD", str(error)), _query_id(request, tag))
        except OSError as error:
            message = f"The body cannot be kept: {error.strerror}"
            response = _failed(refused(243, "NOT_ENOUGH_SPACE", message), _query_id(request, tag))
        except ClientDisconnect:
            return
        await response(scope, receive_, send)

    def _user(self, request: Request) -> User:
        name, password = credentials(request.headers, request.query_params)
        user = self._users.authenticate(name, password)
        if user is None:
            # ClickHouse's own sentence, which clients recognise.
            unknown = "password is incorrect, or there is no user with such name."  # words: allowed
            message = f"{name}: Authentication failed: {unknown}"
            raise refused(516, "AUTHENTICATION_FAILED", message)
        return user

    def _read(self, request: Request, user: User, tag: str, body: IO[bytes]) -> Statement:
        statement = read(request, user, tag, body)
        guard(self._engine, statement)
        return statement

    async def _answer(self, statement: Statement, request: Request, send: Send) -> None:
        gone = asyncio.Event()
        watch = asyncio.create_task(self._kill_when_gone(request, statement.tag, gone))
        try:
            async with self._slot(statement.user):
                if not gone.is_set():
                    await self._run(statement, request, send, watch)
        finally:
            watch.cancel()

    @asynccontextmanager
    async def _slot(self, user: User) -> AsyncIterator[None]:
        """Wait until fewer than `at_once` statements of the user run. Raises EngineError if a reader waits too long."""
        slots = self._slots.setdefault(user.name, asyncio.Semaphore(user.at_once))
        try:
            await asyncio.wait_for(slots.acquire(), _QUEUE_SECONDS if user.readonly else None)
        except TimeoutError:
            message = f"Too many simultaneous queries for user {user.name}. Maximum: {user.at_once}"
            raise refused(202, "TOO_MANY_SIMULTANEOUS_QUERIES", message) from None
        try:
            yield
        except EngineError:
            await asyncio.sleep(_FAILURE_SECONDS if user.readonly else 0)
            raise
        finally:
            slots.release()

    async def _run(
        self, statement: Statement, request: Request, send: Send, watch: "asyncio.Task[None]"
    ) -> None:
        running: Running | None = None
        try:
            running = await run_sync(Running, self._engine, statement, limiter=self._threads)
            piece = await run_sync(running.start, limiter=self._threads)
            answer = _Answer(send, _headers(request, statement, running), _encoding(request, piece))
            while piece:
                await answer.piece(piece)
                try:
                    piece = await run_sync(running.next, limiter=self._threads)
                except EngineError as error:
                    await answer.broken(str(error))
                    return
            watch.cancel()  # there is nothing to end any more, and the end of an answer looks like a client that left
            await answer.end()
        finally:
            if running is not None:
                await run_sync(running.close, limiter=self._threads)

    async def _kill_when_gone(self, request: Request, tag: str, gone: asyncio.Event) -> None:
        """End the statement if the client disconnects; repeated, because it may not have begun."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()
        while True:
            await run_sync(self._engine.kill, tag, limiter=self._killers)
            await asyncio.sleep(0.2)


class _Answer:
    """Sends an answer piece by piece, compressed if `encoding` says so."""

    def __init__(self, send: Send, headers: Mapping[str, str], encoding: str) -> None:
        self._send = send
        self._packer = Packer(encoding) if encoding else None
        # Marks an error that comes after the answer has begun; ClickHouse's clients look for it.
        self._tag = secrets.token_hex(8)
        self._headers = {**headers, "X-ClickHouse-Exception-Tag": self._tag}
        if encoding:
            self._headers["Content-Encoding"] = encoding
        self._begun = False

    async def piece(self, data: bytes) -> None:
        await self._body(self._packer.pack(data) if self._packer else data, more=True)

    async def end(self) -> None:
        await self._body(self._packer.end() if self._packer and self._begun else b"", more=False)

    async def broken(self, message: str) -> None:
        """Send the error and leave the answer without an end, so that no client takes it for complete."""
        text = message.encode()
        mark = f"{len(text) + 1} {self._tag}\r\n__exception__\r\n".encode()
        head = f"\r\n__exception__\r\n{self._tag}\r\n".encode()
        await self.piece(head + text + b"\n" + mark)
        if self._packer:
            await self._body(self._packer.end(), more=True)

    async def _body(self, data: bytes, *, more: bool) -> None:
        if not self._begun:
            self._begun = True
            headers = [(name.lower().encode(), value.encode()) for name, value in self._headers.items()]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if data or not more:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _encoding(request: Request, first: bytes) -> str:
    """Return the encoding of the answer; ClickHouse requires a parameter beside the header."""
    wanted = request.query_params.get("enable_http_compression") == "1"
    return choose(request.headers.get("accept-encoding", "")) if wanted and first else ""


def _headers(request: Request, statement: Statement, running: Running) -> dict[str, str]:
    fmt = statement.fmt
    summary = {"read_rows": running.read_rows, "written_rows": running.written_rows}
    return {
        "Content-Type": _MEDIA.get(fmt, "application/octet-stream"),
        "X-ClickHouse-Format": fmt,
        "X-ClickHouse-Query-Id": _query_id(request, statement.tag),
        "X-ClickHouse-Server-Display-Name": "outlay-embedded",
        "X-ClickHouse-Timezone": "UTC",
        "X-ClickHouse-Summary": json.dumps({name: str(rows) for name, rows in summary.items()}),
    }


def _query_id(request: Request, tag: str) -> str:
    asked = request.query_params.get("query_id", "")
    return asked if asked.isascii() and asked.isprintable() and asked else tag


def _failed(error: EngineError, query_id: str) -> Response:
    return PlainTextResponse(
        f"{error}\n",
        status_code=_STATUS.get(error.code, 500),
        headers={"X-ClickHouse-Exception-Code": str(error.code), "X-ClickHouse-Query-Id": query_id},
    )
