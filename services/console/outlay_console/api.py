"""The read API: reports as JSON or CSV, and prices, for programs, by key. Reports have the numbers of `outlay report`.

    curl -H "Authorization: Bearer $KEY" "$CONSOLE/api/v1/reports/showback?by=team,model&from=2026-11"

The tenant is the key's, always. Nothing of a request says whose costs are read.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from outlay_console.adapters.readers import Readers
from outlay_console.api_request import check, number, refusing
from outlay_console.openapi import document
from outlay_console.price_api import PriceApi
from outlay_console.sessions import Session
from outlay_console.web import Throttle, measured, who
from outlay_kit.api_reference import reference_routes
from outlay_kit.clock import Clock
from outlay_kit.problems import Problem
from outlay_reports import report_api
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import active
from outlay_reports.cost_query import CostQuery, parse_currency
from outlay_reports.errors import QueryError
from outlay_reports.periods import UNITS, Unit
from outlay_reports.renderers import to_csv, to_json
from outlay_reports.report_table import ReportTable
from outlay_reports.savings import NO_ANALYSIS, savings_table
from outlay_reports.showback import allocated_table
from outlay_reports.statements import allocate_query, month_table, parse_chargeback_query, read_month
from outlay_schemas.catalog import FxRate, Split
from outlay_schemas.currency import Currency

_LIMIT = 10_000
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True)
class Wanted:
    """What was asked: by whom, in which words, when, and which splits and exchange rates the catalog has."""

    tenant: str
    params: QueryParams
    now: datetime
    splits: Sequence[Split]
    fx: Sequence[FxRate]

    @property
    def currency(self) -> Currency:
        """The currency of the answer. Raises QueryError."""
        return parse_currency(self.params.get("currency", "USD"), self.fx)

    def question(self, by: str | None, unit: Unit | None = None) -> CostQuery:
        """Return the question, of the tenant alone. Raises QueryError."""
        return report_api.parse_query(
            self.now, by=self.params.get("by", by), start=self.params.get("from"), end=self.params.get("to"),
            tz=self.params.get("tz", "UTC"), where=self.params.getlist("where"), tenants=(self.tenant,), unit=unit,
            amount=self.params.get("amount", "cost"), currency=self.currency,
        )  # fmt: skip


def _showback(costs: CostReader, wanted: Wanted) -> ReportTable:
    question = wanted.question("team")
    if _yes(wanted, "allocate"):
        splits = active(wanted.splits, question.span.start)
        return allocated_table(question, allocate_query(costs, question, splits))
    return report_api.showback(costs, question, units=_yes(wanted, "units"))


def _top(costs: CostReader, wanted: Wanted) -> ReportTable:
    return report_api.top(costs, wanted.question("model"), number(wanted.params, "limit", 10, _LIMIT))


def _trend(costs: CostReader, wanted: Wanted) -> ReportTable:
    text = wanted.params.get("unit", "day")
    unit = next((one for one in UNITS if one == text), None)
    if unit is None:
        raise QueryError(f"{text!r} is not a unit of time", f"give one of {', '.join(UNITS)}")
    return report_api.trends(costs, wanted.question(None, unit), wanted.now)


def _compare(costs: CostReader, wanted: Wanted) -> ReportTable:
    return report_api.comparison(costs, wanted.question("team"), wanted.params.get("against"), wanted.now)


def _chargeback(costs: CostReader, wanted: Wanted) -> ReportTable:
    names = {"month": "month", "unit": "by", "lines": "lines", "tz": "tz"}
    words = {name: wanted.params[word] for name, word in names.items() if word in wanted.params}
    question = replace(parse_chargeback_query(wanted.tenant, wanted.now, **words), currency=wanted.currency)
    month = read_month(costs, question, active(wanted.splits, question.span.start))
    return month_table(costs, month, wanted.now)


def _opportunities(costs: CostReader, wanted: Wanted) -> ReportTable:
    found = costs.savings(wanted.tenant)
    limit, least = number(wanted.params, "limit", 10, _LIMIT), wanted.params.get("least", "1")
    if not _AMOUNT.fullmatch(least):
        raise QueryError(f"least is {least!r}", "give an amount, as in 100 or 0.5")
    if found is None:
        return NO_ANALYSIS
    return savings_table(
        found, limit, float(least), closed=_yes(wanted, "dismissed"), currency=wanted.currency
    )


_COMMON = frozenset({"by", "from", "to", "tz", "where", "amount", "currency", "format"})
REPORTS: dict[str, tuple[Callable[[CostReader, Wanted], ReportTable], frozenset[str]]] = {
    "showback": (_showback, _COMMON | {"units", "allocate"}),
    "top": (_top, _COMMON | {"limit"}),
    "trend": (_trend, _COMMON | {"unit"}),
    "compare": (_compare, _COMMON | {"against"}),
    "chargeback": (_chargeback, frozenset({"month", "by", "lines", "tz", "currency", "format"})),
    "opportunities": (_opportunities, frozenset({"limit", "least", "dismissed", "currency", "format"})),
}
"""What makes each report, and what it may be asked."""


@dataclass(frozen=True)
class Api:
    """Answers programs."""

    readers: Readers
    terms: Callable[[str], tuple[Sequence[Split], Sequence[FxRate]]]
    """Of a tenant: the splits and exchange rates of the catalog."""
    clock: Clock
    throttle: Throttle
    """Counts tries of wrong keys."""
    prices: PriceApi

    def routes(self) -> list[Route]:
        """Return where it answers."""
        reports = tuple((name, known) for name, (_, known) in REPORTS.items())
        return [
            *(Route(path, _to_reference) for path in ("/api", "/api/v1", "/api/v1/reports")),
            Route(
                "/api/v1/reports/{report}",
                measured("api", self.clock, refusing(self._report)),
                methods=["GET"],
            ),
            *self.prices.routes(),
            *reference_routes(lambda: document(reports)),
        ]

    async def _report(self, request: Request) -> Response:
        session: Session = request.state.session  # the guard of the route found it
        make, known = REPORTS.get(request.path_params["report"], (None, frozenset()))
        if make is None:
            what = f"there is no such report; ask for one of {', '.join(REPORTS)}"
            raise Problem(HTTPStatus.NOT_FOUND, "not_found", what)
        wanted = Wanted(session.tenant, request.query_params, self.clock.now(), *self.terms(session.tenant))
        check(wanted.params, known)
        if wanted.params.get("format", "json") not in ("json", "csv"):
            raise QueryError(f"{wanted.params['format']!r} is not a format", "give json or csv")
        sheet = await self.readers.call(lambda clickhouse: make(CostReader(clickhouse), wanted))
        if wanted.params.get("format") == "csv":
            return Response(to_csv(sheet), media_type="text/csv")
        return Response(to_json(sheet), media_type="application/json")

    def refused(self, request: Request) -> Response:
        """Return the problem of a key that may not read; a slow one after too many tries."""
        if wait := self.throttle.wait(who(request), self.clock.monotonic()):
            what = "too many requests with a wrong key; wait a little"
            return Problem(HTTPStatus.TOO_MANY_REQUESTS, "wrong_keys", what, retry_after=wait).response()
        what = "this key may not read; send Authorization: Bearer KEY, of: outlay keys create --scope read"
        return Problem(HTTPStatus.UNAUTHORIZED, "key_unknown", what).response()


async def _to_reference(_: Request) -> Response:
    return RedirectResponse("/docs", 303)


def _yes(wanted: Wanted, name: str) -> bool:
    value = wanted.params.get(name, "false")
    if value not in ("true", "false"):
        raise QueryError(f"{name} is {value!r}", "give true or false")
    return value == "true"
