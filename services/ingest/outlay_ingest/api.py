"""The HTTP endpoint: who asks, what they send, and what is answered."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
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
from outlay_ingest.domain.endpoints import ENDPOINTS
from outlay_ingest.domain.nested_spans import RequestSpans, SpanMemory
from outlay_ingest.domain.rate_limits import LimitStatus, RateLimiter, nearest
from outlay_ingest.domain.reading import CHUNK_BYTES, Rules, TooManyEventsError
from outlay_ingest.progress import Fairness
from outlay_ingest.quotas import Quotas
from outlay_ingest.requests import HEADER, FastPath, FastRequest, RefusalLog, RequestIds, names
from outlay_ingest.settings import Settings
from outlay_ingest.writer import Writer
from outlay_kit.api_reference import reference_routes
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


@dataclass
class IngestApi:
    """Every path that takes usage: see domain/endpoints.py."""

    settings: Settings
    keys: KeyRing
    writer: Writer
    budget: MemoryBudget
    clock: Clock
    health: Health
    quotas: Quotas
    fairness: Fairness
    tracing: "Tracing | None" = None

    def __post_init__(self) -> None:
        self._future = timedelta(hours=self.settings.future_hours)
        self._age = timedelta(days=self.settings.age_days)
        self._rate_limiter = RateLimiter()
        self._spans: defaultdict[str, SpanMemory] = defaultdict(SpanMemory)
        self._request_ids = RequestIds()
        self._refusal_log = RefusalLog(self.clock.monotonic)

    def app(self, lifespan: Callable[[Starlette], Any] | None = None) -> ASGIApp:
        """Return the ASGI application."""

        async def alive(_: Request) -> Response:
            return _probe(not self.health.stalled())

        async def ready(_: Request) -> Response:
            return _probe(self.health.ready)

        # So that GET is a 405.
        routes = [Route(endpoint.path, _never, methods=["POST"]) for endpoint in ENDPOINTS]
        routes += [Route("/v1/metrics", _metrics, methods=["POST"]), *reference_routes(openapi.document)]
        routes += [Route("/livez", alive), Route("/readyz", ready)]
        handlers = {HTTPException: http_error, Exception: bug}
        rest = Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)
        return FastPath(self._answer, rest)

    async def _answer(self, request: FastRequest) -> Response:
        started = self.clock.monotonic()
        request.request_id = self._request_ids.name(request.head.headers)
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
        metrics.SECONDS.observe(self.clock.monotonic() - started)
        response.raw_headers.append((_REQUEST_ID, request.request_id.encode()))
        if request.span is not None:
            status = response.status_code
            request.span.end({"http.response.status_code": status}, failed=status >= 500)
        return response

    async def _take(self, request: FastRequest) -> Response:
        endpoint, head = request.endpoint, request.head
        key = require_key(self.keys, head.headers, ["ingest"], "send events", close=True)
        self._admit(key)
        if self.tracing is not None:  # not before: who has no key begins no trace
            request.span = _span(self.tracing, request, key)
        if head.media not in endpoint.media:
            detail = f"{head.media} is not one of {', '.join(endpoint.media)}"
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media_type", detail, close=True)
        self.writer.check()
        body = Body(self.budget, self.settings.max_body_bytes)
        try:
            plain = await body.read(head.headers, request.receive)
            kept = await self._keep_traced(request, key.tenant, plain)
        finally:
            body.release()
        metrics.ACCEPTED.inc(kept.accepted)
        metrics.REFUSED.inc(len(kept.rejections))
        metrics.IGNORED.inc(kept.ignored)
        if kept.rejections:
            self._refusal_log.events(request, kept.rejections)
        response = success(kept, endpoint.otlp, head.media) if endpoint.otlp else outcome(kept)
        taken, now = kept.accepted + len(kept.rejections), self.clock.monotonic()
        rate = self._rate_limiter.charge(key.id, key.requests_per_minute, key.events_per_minute, taken, now)
        self.quotas.charge(key, taken)
        standing = nearest([one for one in (rate, self.quotas.standing(key)) if one is not None])
        if standing is not None:
            response.headers.update(standing.headers())
        return response

    def _admit(self, key: ApiKey) -> None:
        quota = self.quotas.standing(key)
        if quota is not None and quota.wait:
            detail = f"the quota of key {key.id}, {quota.limit} events, is used up until Retry-After seconds from now"
            raise _come_later("quota_exceeded", detail, quota)
        now = self.clock.monotonic()
        rate = self._rate_limiter.admit(key.id, key.requests_per_minute, key.events_per_minute, now)
        if rate is not None and rate.wait:
            detail = (
                f"key {key.id} may send {rate.limit} a minute; send the same again after Retry-After seconds"
            )
            raise _come_later("rate_limited", detail, rate)
        self.fairness.check(key.tenant)

    async def _keep_traced(self, request: FastRequest, tenant: str, body: bytes) -> Kept:
        if request.span is None:
            return await self._keep(request, tenant, body)
        publishing = request.span.child(f"publish {USAGE_EVENTS.name}")
        failed = True
        try:
            kept = await self._keep(request, tenant, body, publishing.header)
            failed = False
        finally:
            publishing.end(failed=failed)
        return kept

    async def _keep(
        self, request: FastRequest, tenant: str, body: bytes, trace: Header | None = None
    ) -> Kept:
        now = self.clock.now()
        if request.endpoint.otlp:
            request.head.spans = RequestSpans(self._spans[tenant])
        rules = Rules(tenant, now, self._future, self._age, self.settings.max_events)
        work: list[Coroutine[None, None, None]] = []
        kept, size = Kept(), 0
        try:
            for chunk in request.endpoint.read(body, request.head, rules):
                if chunk.events:
                    work.append(self.writer.write(tenant, chunk.lines, chunk.events, trace))
                if chunk.rejections:
                    work.append(self.writer.refuse(tenant, chunk.rejections, now))
                kept.accepted += chunk.events
                kept.ignored += chunk.ignored
                kept.rejections += chunk.rejections
                size += len(chunk.lines) + sum(len(each.raw) for each in chunk.rejections)
                metrics.measured(rules.skews)
                if len(body) > CHUNK_BYTES:
                    await asyncio.sleep(0)  # let others go on between the chunks of a large body
            self.fairness.check(tenant)  # others of this tenant may have come in meanwhile
        except (Invalid, TooManyEventsError, Problem) as error:
            for one in work:  # a request is taken or refused whole: what was read is not begun
                one.close()
            raise _problem(error) from None
        self.fairness.take(tenant, size)
        await (work[0] if len(work) == 1 else asyncio.gather(*work))
        if request.head.spans is not None:
            request.head.spans.commit()
        return kept

    def _rejection(self, request: FastRequest, problem: Problem) -> Response:
        self._refusal_log.request(request, problem.status, problem.code)
        return failure(problem, request.head.media) if request.endpoint.otlp else problem.response()


def _probe(fine: bool) -> Response:
    return Response("ok\n" if fine else "not ok\n", 200 if fine else 503)


def _problem(error: Exception) -> Problem:
    """Return what a whole request is refused with."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Invalid):
        return Problem(HTTPStatus.BAD_REQUEST, error.code, error.message)
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_events", str(error))


def _come_later(code: str, detail: str, standing: LimitStatus) -> Problem:
    problem = Problem(HTTPStatus.TOO_MANY_REQUESTS, code, detail, retry_after=standing.wait, close=True)
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
    about: dict[str, str | int] = {"http.request.method": "POST", "http.route": request.endpoint.path}
    about |= {"outlay.request_id": request.request_id, "outlay.tenant": key.tenant}
    return tracing.request(f"POST {request.endpoint.path}", request.head.headers.get("traceparent"), about)


def _come_back(error: Retryable) -> Problem:
    detail = f"{error}; send the same events again, with their ids: none will count twice"
    wait = error.retry_after or 2
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "kafka_unavailable", detail, retry_after=wait, close=True)
