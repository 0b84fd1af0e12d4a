"""The read API: reports as JSON or CSV for programs, the same numbers as `outlay report`, by key.

    curl -H "Authorization: Bearer $KEY" "$CONSOLE/api/v1/reports/showback?by=team,model&from=2026-11"

The tenant is the key's, always. Nothing of a request says whose costs are read.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outlay_console import metrics
from outlay_console.adapters.readers import Readers
from outlay_console.sessions import Session
from outlay_console.web import Throttle
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.problems import presented_key
from outlay_reports import report_api
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import active
from outlay_reports.cost_query import CostQuery
from outlay_reports.errors import QueryError
from outlay_reports.periods import Unit
from outlay_reports.renderers import to_csv, to_json
from outlay_reports.report_table import ReportTable
from outlay_reports.showback import allocated_table
from outlay_reports.statements import (
    allocate_query,
    month_table,
    parse_chargeback_query,
    read_month,
)
from outlay_schemas.catalog import Split

_LIMIT = 10_000


@dataclass(frozen=True)
class Wanted:
    """What was asked: by whom, in which words, when, and which splits the catalog has."""

    tenant: str
    params: QueryParams
    now: datetime
    splits: Sequence[Split]

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a word of the address."""
        found: str | None = self.params.get(name, default)
        return found

    def question(self, by: str | None, unit: Unit | None = None) -> CostQuery:
        """Return the question, of the tenant alone. Raises QueryError."""
        return report_api.parse_query(
            self.now, by=self.get("by", by), start=self.get("from"), end=self.get("to"),
            tz=self.params.get("tz", "UTC"), where=self.params.getlist("where"), tenants=(self.tenant,), unit=unit,
            amount=self.params.get("amount", "cost"),
        )  # fmt: skip


def _showback(costs: CostReader, wanted: Wanted) -> ReportTable:
    question = wanted.question("team")
    if _yes(wanted, "allocate"):
        return allocated_table(
            question, allocate_query(costs, question, active(wanted.splits, question.span.start))
        )
    return report_api.showback(costs, question, units=_yes(wanted, "units"))


def _top(costs: CostReader, wanted: Wanted) -> ReportTable:
    return report_api.top(costs, wanted.question("model"), _number(wanted, "limit", 10))


def _trend(costs: CostReader, wanted: Wanted) -> ReportTable:
    unit = next((one for one in get_args(Unit) if one == wanted.get("unit", "day")), None)
    if unit is None:
        raise QueryError(
            f"{wanted.get('unit')!r} is not a unit of time", f"give one of {', '.join(get_args(Unit))}"
        )
    return report_api.trends(costs, wanted.question(None, unit), wanted.now)


def _compare(costs: CostReader, wanted: Wanted) -> ReportTable:
    return report_api.comparison(costs, wanted.question("team"), wanted.get("against"), wanted.now)


def _chargeback(costs: CostReader, wanted: Wanted) -> ReportTable:
    names = {"month": "month", "unit": "by", "lines": "lines", "tz": "tz"}
    words = {name: wanted.params[word] for name, word in names.items() if word in wanted.params}
    question = parse_chargeback_query(wanted.tenant, wanted.now, **words)
    month = read_month(costs, question, active(wanted.splits, question.span.start))
    return month_table(costs, month, wanted.now)


@dataclass(frozen=True)
class Report:
    """A report: what it is made by, and what it may be asked."""

    make: Callable[[CostReader, Wanted], ReportTable]
    words: frozenset[str]


_COMMON = frozenset({"by", "from", "to", "tz", "where", "amount", "format"})
REPORTS = {
    "showback": Report(_showback, _COMMON | {"units", "allocate"}),
    "top": Report(_top, _COMMON | {"limit"}),
    "trend": Report(_trend, _COMMON | {"unit"}),
    "compare": Report(_compare, _COMMON | {"against"}),
    "chargeback": Report(_chargeback, frozenset({"month", "by", "lines", "tz", "format"})),
}


class Api:
    """Answers programs."""

    def __init__(
        self,
        readers: Readers,
        authenticate: Callable[[str], Session | None],
        splits: Callable[[], Sequence[Split]],
        clock: Clock,
        throttle: Throttle,
    ) -> None:
        """`authenticate`: the session of a key that may read. `throttle`: tries of wrong keys."""
        self._readers = readers
        self._splits = splits
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
        session = self._authenticate(presented_key(request.headers))
        if session is None:
            return self.refused(request)
        report = REPORTS.get(request.path_params["report"])
        if report is None:
            return _problem(404, "there is no such report", f"ask for one of {', '.join(REPORTS)}")
        wanted = Wanted(session.tenant, request.query_params, self._clock.now(), self._splits())
        try:
            _known(wanted.params, report)
            sheet = await self._readers.call(lambda clickhouse: report.make(CostReader(clickhouse), wanted))
        except QueryError as error:
            return _problem(400, str(error), error.hint)
        except Retryable as error:
            return _problem(503, str(error), "ask again", {"Retry-After": "5"})
        if wanted.get("format") == "csv":
            return Response(to_csv(sheet), media_type="text/csv")
        return Response(to_json(sheet), media_type="application/json")

    def refused(self, request: Request) -> Response:
        """Return the problem of a key that may not read; a slow one after too many tries."""
        who = request.client.host if request.client else "unknown"
        wait = self._throttle.wait(who, self._clock.monotonic())
        if wait:
            return _problem(429, "too many tries", "wait a little", {"Retry-After": str(int(wait) + 1)})
        hint = "give Authorization: Bearer KEY, a key made by: outlay keys create --scope read"
        return _problem(401, "this key may not read", hint, {"WWW-Authenticate": "Bearer"})


def _known(params: QueryParams, report: Report) -> None:
    """Refuse a word that a report does not know: it would be left out in silence. Raises QueryError."""
    if unknown := set(params) - report.words:
        raise QueryError(
            f"{', '.join(sorted(unknown))} cannot be asked of this report",
            f"use {', '.join(sorted(report.words))}",
        )
    if params.get("format", "json") not in ("json", "csv"):
        raise QueryError(f"{params['format']!r} is not a format", "give json or csv")


def _yes(wanted: Wanted, name: str) -> bool:
    value = wanted.get(name, "false")
    if value not in ("true", "false"):
        raise QueryError(f"{name} is {value!r}", "give true or false")
    return value == "true"


def _number(wanted: Wanted, name: str, default: int) -> int:
    text = wanted.params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= _LIMIT:
        raise QueryError(f"{name} is {text!r}", f"give a number from 1 to {_LIMIT}")
    return int(text)


def _problem(status: int, what: str, hint: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": what, "hint": hint}, status, headers)
