"""The web application: routes, login, forms, and error pages."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from outlay_console import metrics
from outlay_console.adapters.readers import TenantReader
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.api import Api
from outlay_console.domain.model_prices import PriceList
from outlay_console.domain.roles import LEAST, OPEN, Role, may_ask
from outlay_console.domain.view import View, ViewError, query_pairs, read_view
from outlay_console.login import Login
from outlay_console.money_metrics import money_metrics
from outlay_console.pages import (
    alerts,
    audit,
    budgets,
    explore,
    models,
    opportunities,
    overview,
    prices,
    quality,
    views,
)
from outlay_console.pages.kept import KeptPage, KeptPages
from outlay_console.pages.request import Dependencies, Page, PageRequest
from outlay_console.price_api import PriceApi
from outlay_console.sessions import Session
from outlay_console.streams import LiveTotals, figures_stream, tail_stream
from outlay_console.templating import PAGES, STATIC, ago, templates
from outlay_console.web import Guard, Static, Throttle, measured, path_of, read_form, safe_path
from outlay_kit.errors import Refused, Retryable
from outlay_kit.problems import Problem, presented_key
from outlay_kit.telemetry import get_logger
from outlay_reports.cost_query import parse_currency
from outlay_reports.errors import QueryError
from outlay_schemas.catalog import FxRate, Split
from outlay_schemas.currency import USD, Currency, NoRateError

log = get_logger(__name__)
_PAGES: dict[str, tuple[str, Page]] = {
    "/": ("overview", overview.overview),
    "/explore": ("explore", explore.explore),
    "/explore.csv": ("csv", explore.csv),
    "/views": ("views", views.views),
    "/dashboard": ("dashboard", views.dashboard),
    "/values": ("values", explore.values),
    "/events": ("events", explore.events),
    "/event": ("event", explore.event),
    "/budgets": ("budgets", budgets.budgets),
    "/budgets/{id}": ("budget", budgets.budget),
    "/alerts": ("alerts", alerts.alerts),
    "/alerts/{id}": ("alert", alerts.alert),
    "/prices": ("prices", prices.prices),
    "/prices/model": ("model", models.model),
    "/opportunities": ("opportunities", opportunities.opportunities),
    "/quality": ("quality", quality.quality),
    "/live": ("live", explore.live),
    "/audit": ("audit", audit.audit),
}
_STATUS_TITLES = {
    400: "Invalid request",
    403: "Permission denied",
    404: "Not found",
    503: "Cost data is temporarily unavailable",
}


_AFTER = {"notes": "/explore"}
"""Where a form leads that does not say where, if not to the page of its name."""
_BY_KEY = ("/api/", "/metrics/")
"""Paths where programs ask, by key."""


def _session(request: Request) -> Session:
    """Return who asks, whom the guard of the route let in."""
    session: Session = request.state.session
    return session


@dataclass(frozen=True)
class Shell:
    """What pages of other packages use of the console: who asks, and how a page looks."""

    session: Callable[[Request], Session]
    """Who asks, whom the guard of the route let in."""
    html: Callable[..., Response]
    """Of the name of a template, the status, the request, and what the template is given."""
    error: Callable[[Request, int, str, Session | None, View], Response]


More = Callable[[Shell], Sequence[Route]]
"""Returns the routes of more pages."""


@dataclass(frozen=True)
class Extension:
    """What other packages add to a console."""

    more: More
    price_list: PriceList


class Console:
    """Answers every request."""

    def __init__(self, deps: Dependencies, more: More | None = None) -> None:
        self._deps = deps
        self._env = templates()
        self._live_totals = LiveTotals(deps.clock)
        self._kept = KeptPages()
        self._throttle = Throttle(deps.settings.login_burst, deps.settings.login_seconds)
        prices = PriceApi(deps.price_list, deps.catalog, deps.history, self._rollups, deps.clock)
        self._api = Api(deps.readers, self._terms, deps.clock, self._throttle, prices)
        self.login = Login(
            deps.settings,
            deps.sessions,
            deps.oidc,
            self._throttle,
            deps.clock,
            self._html,
            deps.actions.audit,
        )
        self._more = more(Shell(_session, self._html, self._error)) if more is not None else ()

    def routes(self) -> list[BaseRoute]:
        """Return every route: tests ask each as somebody who may not see what is behind it."""
        found = [
            *(Route(path, self._page(name, page)) for path, (name, page) in _PAGES.items()),
            *self.login.routes(),
            *self._api.routes(),
            Route("/alerts/{id}/actions", self._act, methods=["POST"]),
            Route("/opportunities/{id}/save", self._act, methods=["POST"]),
            Route("/views/{id}/save", self._act, methods=["POST"]),
            Route("/notes/{id}/save", self._act, methods=["POST"]),
            Route("/metrics/money", self._money_metrics),
            Route("/stream/figures", self._stream_figures),
            Route("/stream/events", self._stream_events),
            *self._more,
        ]
        return [*map(self._guarded, found), Mount("/static", Static(directory=STATIC))]

    def identify(self, request: Request) -> Session | None:
        """Return who asks and what they may do: by the cookie on pages, by the key where programs ask."""
        if request.url.path.startswith(_BY_KEY):
            return self._deps.sessions.of_key(presented_key(request.headers))
        cookie = request.cookies.get(self.login.cookie, "")
        return self._deps.sessions.read(cookie, self._deps.clock.now()) if cookie else None

    def _guarded(self, route: Route) -> Route:
        """Return the route for those whom the table of roles lets in; a route without an entry is a KeyError."""
        least = {m: LEAST[m, route.path] for m in route.methods or () if m != "HEAD"}

        async def answer(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            wanted = least[method]
            if wanted == OPEN:
                return await route.endpoint(request)  # type: ignore[no-any-return]
            session = self.identify(request)
            if session is not None and may_ask(session.role, session.teams, method, route.path):
                request.state.session = session
                return await route.endpoint(request)  # type: ignore[no-any-return]
            refused = self._lacking(request, session, wanted) if session else self._unknown(request)
            metrics.REQUESTS.labels("refused", refused.status_code).inc()
            return refused

        return Route(route.path, answer, methods=list(least))

    def _unknown(self, request: Request) -> Response:
        """Answer somebody without a session."""
        path = request.url.path
        if path.startswith(_BY_KEY):
            return self._api.refused(request)
        if path.startswith("/stream"):
            return PlainTextResponse("not logged in\n", 401)
        return self.login.to_login(request) if request.method == "GET" else RedirectResponse("/login", 303)

    def _lacking(self, request: Request, session: Session, least: Role) -> Response:
        """Answer somebody whose role may not do this."""
        what = f"This needs the role {least}; yours is {session.role}."
        if session.may(least):
            what = f"This is about the whole tenant; you see {', '.join(session.teams)} only."
        if request.url.path.startswith(_BY_KEY):
            return Problem(HTTPStatus.FORBIDDEN, "role", what).response()
        return self._error(request, 403, what, session, View())

    def app(
        self, lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None
    ) -> ASGIApp:
        """Return the ASGI application. The guard is outermost: errors too carry its headers."""
        starlette = Starlette(
            routes=self.routes(),
            middleware=[Middleware(GZipMiddleware, minimum_size=1000)],
            exception_handlers={HTTPException: self._http_error, Exception: self._bug},
            lifespan=lifespan,
        )
        return Guard(starlette)

    def _page(self, name: str, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            session, view = _session(request), View()
            try:
                view = self._view(request.query_params.multi_items(), session)
                asked = self._ask(request, session, view)
                found = await page(asked)
                if isinstance(found, Response):
                    return found
                context = {"view": view, "now": asked.now, **found}
                self._kept.keep(session, path_of(request), KeptPage(asked.now, context))
                return self._html(name, 200, request, session=session, **context)
            except ViewError as error:
                return self._error(request, 400, str(error), session, View())
            except NoRateError as error:
                return self._error(request, 400, f"{error}: {error.hint}.", session, View(chosen="USD"))
            except HTTPException as error:
                return self._error(request, error.status_code, error.detail, session, view)
            except Retryable as error:
                log.warning("page failed: dependency unavailable", page=name, error=str(error))
                return self._unavailable(name, request, session, view, error)

        return measured(name, self._deps.clock, answer)

    def _unavailable(
        self, name: str, request: Request, session: Session, view: View, error: Retryable
    ) -> Response:
        """Return what the page showed last, marked with its age; without that, what is wrong."""
        why = str(error) if isinstance(error, Refused) else "ClickHouse is not responding"
        what = f"{why}. No data is lost: events wait in Kafka meanwhile."
        kept = self._kept.find(session, path_of(request))
        if kept is None:
            return self._error(request, 503, what, session, view)
        age = ago(kept.at, self._deps.clock.now())
        response = self._html(
            name,
            503,
            request,
            session=session,
            stale={"what": what, "at": kept.at, "age": age},
            **kept.context,
        )
        response.headers["Retry-After"] = "5"
        return response

    def _ask(self, request: Request, session: Session, view: View) -> PageRequest:
        known = self._deps.catalog()
        return PageRequest(
            self._deps, session, self._rollups(session), view, self._deps.clock.now(), request.query_params,
            request.path_params, known.of_tenant(session.tenant) if known else None, self._deps.actions.may(session),
            lambda query: self._view(query_pairs(query), session),
        )  # fmt: skip

    def _terms(self, tenant: str) -> tuple[Sequence[Split], Sequence[FxRate]]:
        known = self._deps.catalog()
        return (known.of_tenant(tenant).splits, known.fx) if known else ((), ())

    def _fx(self) -> Sequence[FxRate]:
        known = self._deps.catalog()
        return known.fx if known else ()

    def _rollups(self, session: Session) -> RollupReader:
        return RollupReader(TenantReader(self._deps.readers, session.tenant, session.teams))

    def _view(self, pairs: Iterable[tuple[str, str]], session: Session) -> View:
        """Return the view of an address as a session sees it. Raises ViewError."""
        view = read_view(pairs, zone=self._deps.settings.timezone)
        view = replace(view, currency=self._currency(view.chosen))
        if not session.teams:
            return view
        asked = view.filters.get("team", session.teams)
        seen = tuple(team for team in asked if team in session.teams)
        return replace(view, filters={**view.filters, "team": seen or session.teams})

    def _currency(self, chosen: str) -> Currency:
        """Return the currency that an address names, else the console's own. Raises ViewError without rates."""
        rates = self._fx()
        try:
            return parse_currency(chosen or self._deps.settings.currency, rates)
        except QueryError as error:
            if not chosen:
                return USD
            raise ViewError(f"{error}; {error.hint}") from error

    async def _act(self, request: Request) -> Response:
        """Apply a form, then show its page again."""
        session, now = _session(request), self._deps.clock.now()
        kind, target = request.url.path.split("/")[1], request.path_params["id"]
        actions = self._deps.actions
        act = {
            "alerts": actions.act,
            "opportunities": actions.decide,
            "views": actions.save_view,
            "notes": actions.save_note,
        }[kind]
        form = await read_form(request)
        try:
            await act(session, self._rollups(session), target, form, now)
        except HTTPException as error:
            return self._error(request, error.status_code, error.detail, session, View())
        except Retryable as error:
            log.warning("user action not saved", path=request.url.path, error=str(error))
            return self._error(request, 503, "The change was not saved: try again.", session, View())
        where = safe_path(form.get("next", "/"))
        return RedirectResponse(where if where != "/" else _AFTER.get(kind, f"/{kind}"), 303)

    async def _money_metrics(self, request: Request) -> Response:
        try:
            session = _session(request)
            view = self._view(request.query_params.multi_items(), session)
            view = replace(view, currency=USD, amount="cost")  # as the names of the series say
            return await money_metrics(self._ask(request, session, view))
        except (ViewError, Retryable) as error:
            return PlainTextResponse(f"{error}\n", 400 if isinstance(error, ViewError) else 503)

    async def _stream_figures(self, request: Request) -> Response:
        try:
            view = self._view(request.query_params.multi_items(), _session(request))
        except ViewError as error:
            return PlainTextResponse(f"{error}\n", 400)
        return figures_stream(
            request,
            self._rollups(_session(request)),
            view,
            self._live_totals,
            lambda: self.identify(request),
        )

    async def _stream_events(self, request: Request) -> Response:
        try:
            view = self._view(request.query_params.multi_items(), _session(request))
        except ViewError as error:
            return PlainTextResponse(f"{error}\n", 400)
        return tail_stream(request, self._deps.tail, view, lambda: self.identify(request))

    def _html(self, name: str, status: int, request: Request, **context: object) -> Response:
        shared: dict[str, object] = {
            "path": request.url.path, "session": None, "view": View(), "stale": None, "setup": bool(self._more),
            "currencies": sorted({"USD", *(rate.currency for rate in self._fx())}),
        }  # fmt: skip
        session = context.get("session")
        if isinstance(session, Session):
            shared["pages"] = [one for one in PAGES if may_ask(session.role, session.teams, "GET", one[0])]
        return HTMLResponse(self._env.get_template(f"{name}.html").render({**shared, **context}), status)

    def _error(
        self, request: Request, status: int, what: str, session: Session | None, view: View
    ) -> Response:
        title = _STATUS_TITLES.get(status, HTTPStatus(status).phrase)
        response = self._html(
            "error", status, request, session=session, title=title, what=what, view=view, away=status == 503
        )
        if status == 503:
            response.headers["Retry-After"] = "5"
        return response

    async def _http_error(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._error(request, status, "This page does not exist.", self.identify(request), View())

    async def _bug(self, request: Request, error: Exception) -> Response:
        log.error("page failed", path=request.url.path, exc_info=error)
        return self._error(request, 500, "The console failed. The cause is in its log.", None, View())
