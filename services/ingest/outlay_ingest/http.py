"""The HTTP door: who asks, what they send, and what is answered. RFC 9457 problems for whole requests."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from outlay_ingest import metrics
from outlay_ingest.domain.reading import FORMATS, Reading, Rules, read
from outlay_ingest.settings import Settings
from outlay_ingest.writer import Writer
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.health import Health
from outlay_kit.keys import ApiKey, KeyRing
from outlay_schemas.errors import Invalid


class Problem(Exception):
    """A request that is refused as a whole: RFC 9457."""

    def __init__(self, status: HTTPStatus, code: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


class Door:
    """`POST /v1/events`."""

    def __init__(
        self, settings: Settings, keys: KeyRing, writer: Writer, clock: Clock, health: Health
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._writer = writer
        self._clock = clock
        self._health = health
        self._future = timedelta(hours=settings.future_hours)
        self._age = timedelta(days=settings.age_days)

    def app(self, lifespan: Callable[[Starlette], object]) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/events", self._guarded, methods=["POST"]),
                Route("/livez", self._livez),
                Route("/readyz", self._readyz),
            ],
            lifespan=lifespan,  # type: ignore[arg-type]
        )

    async def _guarded(self, request: Request) -> Response:
        started = self._clock.monotonic()
        try:
            response = await self._events(request)
        except Problem as problem:
            response = _problem(problem)
        except ClientDisconnect:
            response = Response(status_code=499)
        metrics.REQUESTS.labels(response.status_code).inc()
        metrics.SECONDS.observe(self._clock.monotonic() - started)
        return response

    async def _events(self, request: Request) -> Response:
        key = self._key(request)
        if not self._health.ready:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "Kafka is not reached yet", 2)
        media = request.headers.get("content-type", "application/json").split(";", 1)[0].strip().lower()
        if media not in FORMATS:
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media_type", f"{media} is not one of {', '.join(FORMATS)}"
            )
        body = await self._body(request)
        now = self._clock.now()
        try:
            reading = read(body, FORMATS[media], Rules(key.tenant, now, self._future, self._age))
        except Invalid as error:
            raise Problem(HTTPStatus.BAD_REQUEST, error.code, error.message) from None
        await self._keep(key, reading)
        return _answer(reading)

    async def _keep(self, key: ApiKey, reading: Reading) -> None:
        """Make all of it durable: the events, and what was refused."""
        work: list[Awaitable[None]] = []
        if reading.events:
            work.append(self._writer.write(key.tenant, reading.events))
        if reading.refusals:
            work.append(self._writer.refuse(key.tenant, reading.refusals, self._clock.now()))
        try:
            await asyncio.gather(*work)
        except Retryable as error:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "bus_away",
                f"{error}; send the same events again, with their ids: none will count twice",
                error.retry_after or 2,
            ) from error
        metrics.EVENTS.labels("accepted").inc(len(reading.events))
        metrics.EVENTS.labels("refused").inc(len(reading.refusals))

    def _key(self, request: Request) -> ApiKey:
        presented = request.headers.get("x-api-key", "")
        if not presented:
            scheme, _, presented = request.headers.get("authorization", "").partition(" ")
            presented = presented.strip() if scheme.lower() == "bearer" else ""
        key = self._keys.authenticate(presented)
        if key is None:
            detail = "give a key: Authorization: Bearer out_live_…; make one: outlay keys create"
            raise Problem(HTTPStatus.UNAUTHORIZED, "key_unknown" if presented else "key_missing", detail)
        if "ingest" not in key.scopes:
            raise Problem(
                HTTPStatus.FORBIDDEN, "scope", f"key {key.id} may not send events: its scopes lack ingest"
            )
        return key

    async def _body(self, request: Request) -> bytes:
        limit = self._settings.max_body_bytes
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoding", f"{encoding} is not one of identity, gzip"
            )
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                async for piece in request.stream():
                    body += piece
                    if len(body) > limit:
                        raise _too_large(limit)
        except TimeoutError:
            raise Problem(
                HTTPStatus.REQUEST_TIMEOUT, "slow_body", "the body took too long to arrive"
            ) from None
        return bytes(body) if encoding == "identity" else _gunzip(bytes(body), limit)

    async def _livez(self, _: Request) -> Response:
        return Response(
            "not ok\n" if self._health.stalled() else "ok\n", 503 if self._health.stalled() else 200
        )

    async def _readyz(self, _: Request) -> Response:
        return Response("ok\n" if self._health.ready else "not ok\n", 200 if self._health.ready else 503)


def _gunzip(body: bytes, limit: int) -> bytes:
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(body, limit + 1)
    except zlib.error as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "gzip", f"the body is not gzip: {error}") from None
    if len(plain) > limit:
        raise _too_large(limit)
    if not unpack.eof:
        raise Problem(HTTPStatus.BAD_REQUEST, "gzip", "the gzip body ends too early")
    return plain


def _too_large(limit: int) -> Problem:
    detail = f"a body may have {limit} bytes; send fewer events at once"
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)


def _answer(reading: Reading) -> Response:
    """202 if anything was accepted, 422 if every event was refused; each refusal is named."""
    accepted, rejected = len(reading.events), len(reading.refusals)
    answer: dict[str, object] = {"accepted": accepted, "rejected": rejected}
    if rejected:
        answer["errors"] = [
            {"index": r.index, "id": r.id, "code": r.code, "path": r.path, "message": r.message}
            for r in reading.refusals
        ]
    if accepted:
        return Response(msgspec.json.encode(answer), 202, media_type="application/json")
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    problem = {
        "title": status.phrase,
        "status": status.value,
        "code": "all_refused",
        "detail": "no event is valid",
    }
    return Response(msgspec.json.encode(problem | answer), status, media_type="application/problem+json")


def _problem(problem: Problem) -> Response:
    body = {
        "title": problem.status.phrase,
        "status": problem.status.value,
        "code": problem.code,
        "detail": problem.detail,
    }
    headers = {"Retry-After": f"{problem.retry_after:.0f}"} if problem.retry_after else {}
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(body), problem.status, headers, media_type="application/problem+json")
