"""Prices in the read API: what matches a text, and one model or SKU, from the functions of the pages."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlay_console.adapters.catalog import CatalogHistory, CatalogView
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.api_request import check, number, refusing
from outlay_console.domain.model_prices import Price, PriceList, PricesAt, PriceSet, WhatIf
from outlay_console.domain.price_lookup import LONGEST_SEARCH, search_prices
from outlay_console.domain.view import View
from outlay_console.model_detail import RANGE, ModelDetail, read_model
from outlay_console.sessions import Session
from outlay_console.web import measured
from outlay_kit.clock import Clock
from outlay_kit.problems import Problem
from outlay_kit.time_ranges import TimeRange
from outlay_reports.errors import QueryError
from outlay_reports.periods import parse_zone
from outlay_schemas.money import to_pico, to_usd

SEARCH = frozenset({"q", "limit", "page"})
MODEL = frozenset({"provider", "sku", "as", "book", "tz"})
"""What each path may be asked."""
MOST = 100
"""Most results of one answer."""
_PAGES = 10_000

Json = dict[str, object]


@dataclass(frozen=True)
class PriceApi:
    """Answers programs that ask for prices."""

    price_list: PriceList | None
    catalog: Callable[[], CatalogView | None]
    history: CatalogHistory
    rollups: Callable[[Session], RollupReader]
    clock: Clock

    def routes(self) -> list[Route]:
        """Return where it answers."""
        return [
            Route(path, measured("api", self.clock, refusing(ask)), methods=["GET"])
            for path, ask in (("/api/v1/prices", self._search), ("/api/v1/prices/model", self._model))
        ]

    async def _search(self, request: Request) -> Response:
        params, session = request.query_params, request.state.session
        check(params, SEARCH)
        text, count = params.get("q", "").strip(), number(params, "limit", 20, MOST)
        if not 0 < len(text) <= LONGEST_SEARCH:
            what = "too long" if text else "empty"
            raise QueryError(f"q is {what}", f"give a part of a name, of at most {LONGEST_SEARCH} characters")
        start = (number(params, "page", 1, _PAGES) - 1) * count
        price_list, _ = self._known(session.tenant)
        matches, found = await asyncio.to_thread(
            search_prices, price_list, session.tenant, text, self.clock.now(), start=start, count=count
        )
        rows = [
            {"provider": one.provider, "sku": one.sku, "prices": [_price(price) for price in one.prices]}
            for one in found
        ]
        return _answer({"q": text, "matches": matches, "rows": rows})

    async def _model(self, request: Request) -> Response:
        params, session, now = request.query_params, request.state.session, self.clock.now()
        check(params, MODEL)
        provider, sku, book = (params.get(name, "").strip() for name in ("provider", "sku", "book"))
        if not sku:
            raise QueryError("sku is empty", "give the name of a model or SKU; /api/v1/prices finds it")
        span = View(RANGE, zone=parse_zone(params.get("tz", "UTC"))).span(now)
        other, _, other_sku = params.get("as", "").strip().partition("/")
        if bool(other) != bool(other_sku):
            raise QueryError(f"as is {params['as']!r}", "give PROVIDER/MODEL")
        price_list, catalog = self._known(session.tenant)
        known = [one.name for one in catalog.price_books]
        if book and book not in known:
            raise QueryError(f"{book!r} is not a price book", f"use one of {', '.join(known) or 'none'}")
        rollups = self.rollups(session)
        found = await read_model(
            price_list,
            self.history,
            rollups,
            (provider, sku),
            span=span,
            chosen=(other, other_sku, book),
            now=now,
        )
        return _answer({"provider": provider, "sku": sku, **_detail(found, span)})

    def _known(self, tenant: str) -> tuple[PriceList, CatalogView]:
        """Return the prices, and what a tenant may see of the catalog. Raises Problem without them."""
        if self.price_list is None:
            raise Problem(HTTPStatus.NOT_FOUND, "not_found", "this console was started without prices")
        catalog = self.catalog()
        if catalog is None:
            what = "the console has not read the catalog yet"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "catalog_unavailable", what, retry_after=5)
        return self.price_list, catalog.of_tenant(tenant)


def _detail(found: ModelDetail, span: TimeRange) -> Json:
    prices, spent = found.prices, found.spent
    return {
        "prices": [_set(one) for one in prices.sets],
        "by_date": [_given({"from": _time(one.at)}) | _then(one) for one in prices.by_date],
        "by_revision": [
            _given({"revision": revision.revision, "at": _time(revision.at), "note": revision.note}) | _then(one)
            for revision, one in prices.by_revision
        ],
        "older_revisions": prices.older,
        "spent": {
            "from": _time(span.start), "to": _time(span.end), "cost_usd": _usd(spent.cost),
            "charged_usd": _usd(spent.charged), "events": spent.events, "unpriced_events": spent.unpriced,
            "estimated_events": spent.estimated,
        },
        "what_if": [_case(one) for one in found.cases],
    }  # fmt: skip


def _then(one: PricesAt) -> Json:
    return {"prices": [_set(each) for each in one.sets]}


def _set(one: PriceSet) -> Json:
    origin = {"source": one.source, "checked": one.checked, "since": one.since, "until": one.until}
    return {
        "book": one.book,
        "version": one.version,
        "prices": [_price(price) for price in one.prices],
        **_given({"when": one.when, **origin, "guesses": one.guesses, "reason": one.reason}),
    }


def _price(one: Price) -> Json:
    exact = asdict(one.exact) if one.exact else {}
    return exact | {"label": one.label, "text": f"{one.amount} {one.unit}"} | _given({"note": one.note})


def _case(one: WhatIf) -> Json:
    return {
        "provider": one.provider,
        "sku": one.sku,
        "before_usd": _usd(one.before),
        "after_usd": _usd(one.after),
        "events": one.events,
        "left_out_events": one.left_out,
        **_given({"book": one.book, "check": one.check}),
    }


def _given(values: Mapping[str, object]) -> Json:
    """Leave out what is not known."""
    return {name: value for name, value in values.items() if value}


def _usd(amount: Decimal) -> str:
    return to_usd(to_pico(str(amount)))


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else ""


def _answer(value: Json) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
