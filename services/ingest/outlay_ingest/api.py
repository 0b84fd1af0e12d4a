"""The HTTP endpoint: who asks, what they send, and what is answered."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from outlay_ingest import metrics, openapi
from outlay_ingest.answers import Kept, bug, failure, http_error, outcome, success
from outlay_ingest.body import Body, MemoryBudget
from outlay_ingest.domain.decoded_items import Head, Reader
from outlay_ingest.domain.endpoints import ENDPOINTS
from outlay_ingest.domain.nested_spans import RequestSpans, SpanMemory
from outlay_ingest.domain.rate_limits import LimitStatus, RateLimiter, nearest
from outlay_ingest.domain.reading import CHUNK_BYTES, Rules, TooManyEventsError
from outlay_ingest.fast_path import FastPath, FastRequest
from outlay_ingest.quotas import Quotas
from outlay_ingest.refusal_log import HEADER, RefusalLog, RequestIds, names
from outlay_ingest.settings import Settings
from outlay_ingest.writer import Writer
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.health import Health
from outlay_kit.keys import ApiKey, KeyRing
from outlay_kit.problems import Problem, require_key
from outlay_kit.tracing import Header
from outlay_schemas.errors import Invalid
from outlay_schemas.topics import USAGE_EVENTS

if TYPE_CHECKING:
    from outlay_kit.otel import Span, Tracing

_REQUEST_ID = HEADER.encode()


class IngestApi:
    """Every path that takes usage: see domain/endpoints.py."""

    def __init__(
        self,
        *,
        settings: Settings,
        keys: KeyRing,
        writer: Writer,
        budget: MemoryBudget,
        clock: Clock,
        health: Health,
        quotas: Quotas,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._writer = writer
        self._budget = budget
        self._clock = clock
        self._health = health
        self._future = timedelta(hours=settings.future_hours)
        self._age = timedelta(days=settings.age_days)
        self._rate_limiter = RateLimiter()
        self._quotas = quotas
        self._spans: defaultdict[str, SpanMemory] = defaultdict(SpanMemory)
        self._tracing = tracing
        self._request_ids = RequestIds()
        self._refusal_log = RefusalLog(clock.monotonic)

    def app(self, lifespan: Callable[[Starlette], Any] | None = None) -> ASGIApp:
        """Return the ASGI application."""
        rest = Starlette(
            routes=[
                *(
                    Route(endpoint.path, _never, methods=["POST"]) for endpoint in ENDPOINTS
                ),  # so that GET is a 405
                Route("/v1/metrics", _metrics, methods=["POST"]),
                Route("/openapi.json", _openapi),
                Route("/livez", self._livez),
                Route("/readyz", self._readyz),
            ],
            exception_handlers={HTTPException: http_error, Exception: bug},
            lifespan=lifespan,
        )
        return FastPath(self._answer, rest)

    async def _answer(self, request: FastRequest) -> Response:
        started = self._clock.monotonic()
        request.request_id = self._request_ids.name(request.headers)
        try:
            response = await self._take(request)
        except Problem as problem:
            response = self._rejection(request, problem)
        except Retryable as error:
            response = self._rejection(request, _come_back(error))
        except ClientDisconnect:
            response = Response(status_code=499)
        except Exception as error:  # noqa: BLE001 (the log has it, and the sender is answered)
            response = await bug(None, error, **names(request))
        metrics.answered(response.status_code)
        metrics.SECONDS.observe(self._clock.monotonic() - started)
        response.raw_headers.append((_REQUEST_ID, request.request_id.encode()))
        if request.span is not None:
            status = response.status_code
            request.span.end({"http.response.status_code": status}, failed=status >= 500)
        return response

    async def _take(self, request: FastRequest) -> Response:
        endpoint, media = request.endpoint, request.media
        key = require_key(self._keys, request.headers, ["ingest"], "send events", close=True)
        self._admit(key)
        if self._tracing is not None:  # not before: who has no key begins no trace
            request.span = _span(self._tracing, request, key)
        if media not in endpoint.media:
            detail = f"{media} is not one of {', '.join(endpoint.media)}"
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media_type", detail, close=True)
        head = Head(media, request.headers, request.query, request.provider)
        self._writer.check()
        body = Body(self._budget, self._settings.max_body_bytes)
        try:
            plain = await body.read(request.headers, request.receive)
            kept = await self._keep_traced(request, key.tenant, plain, endpoint.reader(head))
        finally:
            body.release()
        metrics.ACCEPTED.inc(kept.accepted)
        metrics.REFUSED.inc(len(kept.rejections))
        metrics.IGNORED.inc(kept.ignored)
        if kept.rejections:
            self._refusal_log.events(request, kept.rejections)
        response = success(kept, endpoint.otlp, media) if endpoint.otlp else outcome(kept)
        taken = kept.accepted + len(kept.rejections)
        standing = self._charge(key, taken)
        if standing is not None:
            response.headers.update(standing.headers())
        return response

    def _admit(self, key: ApiKey) -> None:
        """Count a request against the key's limits. Raises Problem."""
        quota = self._quotas.standing(key)
        if quota is not None and quota.wait:
            raise _used_up(key, quota)
        limits = key.requests_per_minute, key.events_per_minute
        rate = self._rate_limiter.admit(key.id, *limits, self._clock.monotonic())
        if rate is not None and rate.wait:
            raise _slow_down(key, rate)

    def _charge(self, key: ApiKey, taken: int) -> LimitStatus | None:
        """Count the events of a request, and say how the key stands then; None if it has no limit."""
        limits = key.requests_per_minute, key.events_per_minute
        rate = self._rate_limiter.charge(key.id, *limits, taken, self._clock.monotonic())
        self._quotas.charge(key, taken)
        quota = self._quotas.standing(key)
        return nearest([one for one in (rate, quota) if one is not None])

    async def _keep_traced(self, request: FastRequest, tenant: str, body: bytes, reader: Reader) -> Kept:
        if request.span is None:
            return await self._keep(request, tenant, body, reader)
        publishing = request.span.child(f"publish {USAGE_EVENTS.name}")
        failed = True
        try:
            kept = await self._keep(request, tenant, body, reader, publishing.header)
            failed = False
        finally:
            publishing.end(failed=failed)
        return kept

    async def _keep(
        self, request: FastRequest, tenant: str, body: bytes, reader: Reader, trace: Header | None = None
    ) -> Kept:
        """Make all of a body durable: its events, and as dead letters what is refused."""
        now = self._clock.now()
        spans = RequestSpans(self._spans[tenant]) if request.endpoint.otlp else None
        rules = Rules(tenant, now, self._future, self._age, self._settings.max_events, spans)
        work: list[Coroutine[None, None, None]] = []
        kept = Kept()
        try:
            for chunk in reader(body, rules):
                if chunk.events:
                    work.append(self._writer.write(tenant, chunk.lines, chunk.events, trace))
                if chunk.rejections:
                    work.append(self._writer.refuse(tenant, chunk.rejections, now))
                kept.add(chunk)
                metrics.measured(rules.skews)
                if len(body) > CHUNK_BYTES:
                    await asyncio.sleep(0)  # let others go on between the chunks of a large body
        except Invalid as error:
            _drop(work)
            raise Problem(HTTPStatus.BAD_REQUEST, error.code, error.message) from None
        except TooManyEventsError as error:
            _drop(work)
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_events", str(error)) from None
        if len(work) == 1:
            await work[0]
        else:
            await asyncio.gather(*work)
        if spans is not None:
            spans.commit()
        return kept

    def _rejection(self, request: FastRequest, problem: Problem) -> Response:
        self._refusal_log.request(request, problem.status, problem.code)
        return failure(problem, request.media) if request.endpoint.otlp else problem.response()

    async def _livez(self, _: Request) -> Response:
        stalled = self._health.stalled()
        return Response("not ok\n" if stalled else "ok\n", 503 if stalled else 200)

    async def _readyz(self, _: Request) -> Response:
        return Response("ok\n" if self._health.ready else "not ok\n", 200 if self._health.ready else 503)


async def _openapi(_: Request) -> Response:
    return Response(openapi.encoded(), media_type="application/json")


def _slow_down(key: ApiKey, standing: LimitStatus) -> Problem:
    detail = f"key {key.id} may send {standing.limit} a minute; send the same again after Retry-After seconds"
    return _come_later("rate_limited", detail, standing)


def _used_up(key: ApiKey, standing: LimitStatus) -> Problem:
    detail = (
        f"the quota of key {key.id}, {standing.limit} events, is used up until Retry-After seconds from now"
    )
    return _come_later("quota_exceeded", detail, standing)


def _come_later(code: str, detail: str, standing: LimitStatus) -> Problem:
    later = HTTPStatus.TOO_MANY_REQUESTS
    problem = Problem(later, code, detail, retry_after=standing.wait, close=True)
    problem.headers |= standing.headers()
    return problem


async def _never(_: Request) -> Response:
    """Stand for an endpoint where only its path matters: endpoints are answered before this."""
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)


async def _metrics(request: Request) -> Response:
    """Refuse OTLP metrics for good: 501 is a status after which exporters do not try again."""
    detail = (
        "token histograms cannot be priced: they have no calls, no exact sums and no times, and would count what "
        "traces count a second time; send POST /v1/traces or /v1/logs, and switch the exporter of metrics off"
    )
    problem = Problem(HTTPStatus.NOT_IMPLEMENTED, "metrics_not_taken", detail, close=True)
    return failure(problem, request.headers.get("content-type", "").split(";", 1)[0].strip().lower())


def _span(tracing: "Tracing", request: FastRequest, key: ApiKey) -> "Span":
    """Begin the span of a request, in the caller's trace if it names one."""
    about: dict[str, str | int] = {
        "http.request.method": "POST",
        "http.route": request.endpoint.path,
        "outlay.request_id": request.request_id,
        "outlay.tenant": key.tenant,
    }
    return tracing.request(f"POST {request.endpoint.path}", request.headers.get("traceparent"), about)


def _drop(work: list[Coroutine[None, None, None]]) -> None:
    """A request is taken or refused whole: what was read of a refused one is not begun."""
    for one in work:
        one.close()


def _come_back(error: Retryable) -> Problem:
    detail = f"{error}; send the same events again, with their ids: none will count twice"
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "kafka_unavailable",
        detail,
        retry_after=error.retry_after or 2,
        close=True,
    )
