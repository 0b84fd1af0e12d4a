"""The read API: reports as JSON or CSV for programs, the same numbers as `outlay report`, by key.

    curl -H "Authorization: Bearer $KEY" "$CONSOLE/api/v1/reports/showback?by=team,model&from=2026-11"

The tenant is the key's, always. Nothing of a request says whose costs are read.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outlay_console import metrics
from outlay_console.adapters.readers import Readers
from outlay_console.domain.throttle import Throttle
from outlay_console.sessions import Session
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_reports import answers
from outlay_reports.adapters.books import Books
from outlay_reports.errors import AskError
from outlay_reports.periods import Unit
from outlay_reports.question import Question
from outlay_reports.sheet import Sheet
from outlay_reports.write import to_csv, to_json

_COMMON = {"by", "from", "to", "tz", "where", "format"}
_LIMIT = 10_000


@dataclass(frozen=True)
class Report:
    """A report: what it is made by, what it is grouped by if nobody says, and what else it may be asked."""

    make: Callable[[Books, Question, Mapping[str, str], datetime], Sheet]
    by: str | None
    more: frozenset[str] = frozenset()


REPORTS = {
    "showback": Report(
        lambda books, asked, more, _: answers.showback(books, asked, units=_yes(more, "units")),
        "team",
        frozenset({"units"}),
    ),
    "top": Report(
        lambda books, asked, more, _: answers.top(books, asked, _number(more, "limit", 10)),
        "model",
        frozenset({"limit"}),
    ),
    "trend": Report(
        lambda books, asked, _, now: answers.trends(books, asked, now), None, frozenset({"unit"})
    ),
    "compare": Report(
        lambda books, asked, more, now: answers.comparison(books, asked, more.get("against"), now),
        "team",
        frozenset({"against"}),
    ),
}


class Api:
    """Answers programs."""

    def __init__(
        self,
        readers: Readers,
        authenticate: Callable[[str], Session | None],
        clock: Clock,
        throttle: Throttle,
    ) -> None:
        """`authenticate`: the session of a key that may read. `throttle`: tries of wrong keys."""
        self._readers = readers
        self._authenticate = authenticate
        self._clock = clock
        self._throttle = throttle

    def routes(self) -> list[Route]:
        """Return where it answers."""
        return [Route("/api/v1/reports/{report}", self._counted(self._report), methods=["GET"])]

    def _counted(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def counted(request: Request) -> Response:
            started = self._clock.monotonic()
            response = await answer(request)
            metrics.REQUESTS.labels("api", response.status_code).inc()
            metrics.SECONDS.labels("api").observe(self._clock.monotonic() - started)
            return response

        return counted

    async def _report(self, request: Request) -> Response:
        session = self._authenticate(_bearer(request))
        if session is None:
            return self._refused(request)
        report = REPORTS.get(request.path_params["report"])
        if report is None:
            return _problem(404, "there is no such report", f"ask for one of {', '.join(REPORTS)}")
        now = self._clock.now()
        try:
            asked, more = _read(request, report, session.tenant, now)
            sheet = await self._readers.call(
                lambda warehouse: report.make(Books(warehouse), asked, more, now)
            )
        except AskError as error:
            return _problem(400, str(error), error.hint)
        except Retryable as error:
            return _problem(503, str(error), "ask again", {"Retry-After": "5"})
        if more.get("format") == "csv":
            return Response(to_csv(sheet), media_type="text/csv")
        return Response(to_json(sheet), media_type="application/json")

    def _refused(self, request: Request) -> Response:
        who = request.client.host if request.client else "unknown"
        wait = self._throttle.wait(who, self._clock.monotonic())
        if wait:
            return _problem(429, "too many tries", "wait a little", {"Retry-After": str(int(wait) + 1)})
        hint = "give Authorization: Bearer KEY, a key made by: outlay keys create --scope read"
        return _problem(401, "this key may not read", hint, {"WWW-Authenticate": "Bearer"})


def _bearer(request: Request) -> str:
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def _read(request: Request, report: Report, tenant: str, now: datetime) -> tuple[Question, Mapping[str, str]]:
    """Return the question that an address asks, of one tenant. Raises AskError, also for a word that is not known."""
    params = request.query_params
    if unknown := set(params) - _COMMON - report.more:
        known = ", ".join(sorted(_COMMON | report.more))
        raise AskError(f"{', '.join(sorted(unknown))} cannot be asked of this report", f"use {known}")
    more = {name: params[name] for name in params if name != "where"}
    if more.get("format", "json") not in ("json", "csv"):
        raise AskError(f"{more['format']!r} is no format", "give json or csv")
    unit: Unit | None = None
    if "unit" in report.more:
        unit = next((one for one in get_args(Unit) if one == more.get("unit", "day")), None)
        if unit is None:
            raise AskError(f"{more['unit']!r} is no unit of time", f"give one of {', '.join(get_args(Unit))}")
    words = answers.Words(
        by=more.get("by", report.by), start=more.get("from"), end=more.get("to"), tz=more.get("tz", "UTC"),
        where=params.getlist("where"), tenants=(tenant,), unit=unit,
    )  # fmt: skip
    return answers.read_question(words, now), more


def _yes(more: Mapping[str, str], name: str) -> bool:
    value = more.get(name, "false")
    if value not in ("true", "false"):
        raise AskError(f"{name} is {value!r}", "give true or false")
    return value == "true"


def _number(more: Mapping[str, str], name: str, default: int) -> int:
    text = more.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= _LIMIT:
        raise AskError(f"{name} is {text!r}", f"give a number from 1 to {_LIMIT}")
    return int(text)


def _problem(status: int, what: str, hint: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": what, "hint": hint}, status, headers)
