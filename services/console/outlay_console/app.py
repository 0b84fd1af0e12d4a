"""The web application: routes, login, forms, and error pages."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from urllib.parse import quote

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
from outlay_console.domain.view import View, ViewError, read_view
from outlay_console.money_metrics import money_metrics
from outlay_console.pages import alerts, budgets, explore, opportunities, overview, prices, quality
from outlay_console.pages.kept import KeptPage, KeptPages
from outlay_console.pages.request import Dependencies, Page, PageRequest
from outlay_console.sessions import Session
from outlay_console.streams import LiveTotals, figures_stream, tail_stream
from outlay_console.templating import STATIC, ago, templates
from outlay_console.web import Guard, Static, Throttle, measured, path_of, read_form, safe_path, who
from outlay_kit.errors import Refused, Retryable
from outlay_kit.problems import presented_key
from outlay_kit.telemetry import get_logger
from outlay_schemas.catalog import Split

log = get_logger(__name__)
_PAGES: dict[str, tuple[str, Page]] = {
    "/": ("overview", overview.overview),
    "/explore": ("explore", explore.explore),
    "/explore.csv": ("csv", explore.csv),
    "/events": ("events", explore.events),
    "/event": ("event", explore.event),
    "/budgets": ("budgets", budgets.budgets),
    "/alerts": ("alerts", alerts.alerts),
    "/alerts/{id}": ("alert", alerts.alert),
    "/prices": ("prices", prices.prices),
    "/opportunities": ("opportunities", opportunities.opportunities),
    "/quality": ("quality", quality.quality),
    "/live": ("live", explore.live),
}
_STATUS_TITLES = {
    400: "Invalid request",
    403: "Permission denied",
    404: "Not found",
    503: "Cost data is temporarily unavailable",
}


class Console:
    """Answers every request."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._env = templates()
        self._live_totals = LiveTotals(deps.clock)
        self._kept = KeptPages()
        self._throttle = Throttle(deps.settings.login_burst, deps.settings.login_seconds)
        self._api = Api(deps.readers, deps.sessions.of_key, self._splits, deps.clock, self._throttle)
        self._cookie = "__Host-outlay" if deps.settings.https else "outlay"

    def routes(self) -> list[BaseRoute]:
        """Return every route: tests ask each as somebody who may not see what is behind it."""
        return [
            *(Route(path, self._page(name, page)) for path, (name, page) in _PAGES.items()),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            *self._api.routes(),
            Route("/alerts/{id}/actions", self._act, methods=["POST"]),
            Route("/opportunities/{id}/dismiss", self._act, methods=["POST"]),
            Route("/metrics/money", self._money_metrics),
            Route("/stream/figures", self._stream_figures),
            Route("/stream/events", self._stream_events),
            Mount("/static", Static(directory=STATIC)),
        ]

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
            session = self._session(request)
            if session is None:
                return self._to_login(request)
            view = View()
            try:
                view = self._view(request)
                asked = self._ask(request, session, view)
                found = await page(asked)
                if isinstance(found, Response):
                    return found
                context = {"view": view, "now": asked.now, **found}
                self._kept.keep(session, path_of(request), KeptPage(asked.now, context))
                return self._html(name, 200, request, session=session, **context)
            except ViewError as error:
                return self._error(request, 400, str(error), session, View())
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
        return PageRequest(
            self._deps, session.tenant, self._rollups(session), view, self._deps.clock.now(), request.query_params,
            request.path_params, self._deps.catalog(), self._deps.actions.may(session),
        )  # fmt: skip

    def _splits(self) -> Sequence[Split]:
        shown = self._deps.catalog()
        return shown.splits if shown else ()

    def _rollups(self, session: Session) -> RollupReader:
        return RollupReader(TenantReader(self._deps.readers, session.tenant))

    def _view(self, request: Request) -> View:
        return read_view(request.query_params.multi_items(), zone=self._deps.settings.timezone)

    def _session(self, request: Request) -> Session | None:
        cookie = request.cookies.get(self._cookie, "")
        return self._deps.sessions.read(cookie, self._deps.clock.now()) if cookie else None

    def _to_login(self, request: Request) -> Response:
        """Redirect to the login. A link on another site sends no SameSite=Strict cookie, so reload from here."""
        if request.headers.get("sec-fetch-site") == "cross-site":
            return self._html("again", 200, request, path=path_of(request))
        where = path_of(request)
        return RedirectResponse("/login" if where == "/" else f"/login?next={quote(where)}", 303)

    async def _login(self, request: Request) -> Response:
        if request.method == "GET":
            where = safe_path(request.query_params.get("next", "/"))
            return self._html("login", 200, request, next=where, problem="")
        form = await read_form(request)
        where = safe_path(form.get("next", "/"))
        if wait := self._throttle.wait(who(request), self._deps.clock.monotonic()):
            metrics.LOGINS.labels("throttled").inc()
            problem = "Too many attempts. Wait a few seconds and try again."
            response = self._html("login", 429, request, next=where, problem=problem)
            response.headers["Retry-After"] = str(int(wait) + 1)
            return response
        cookie = self._deps.sessions.open(form.get("key", "").strip(), self._deps.clock.now())
        if cookie is None:
            metrics.LOGINS.labels("refused").inc()
            problem = "This key is unknown, revoked, or lacks the scope read."
            return self._html("login", 401, request, next=where, problem=problem)
        metrics.LOGINS.labels("accepted").inc()
        return self._with_cookie(where, cookie, int(self._deps.settings.session_hours * 3600))

    async def _logout(self, _: Request) -> Response:
        return self._with_cookie("/login", "", 0)

    def _with_cookie(self, where: str, cookie: str, seconds: int) -> Response:
        response = RedirectResponse(where, 303)
        response.set_cookie(
            self._cookie,
            cookie,
            max_age=seconds,
            httponly=True,
            samesite="strict",
            secure=self._deps.settings.https,
        )
        return response

    async def _act(self, request: Request) -> Response:
        """Apply a form, then show its page again."""
        session, now = self._session(request), self._deps.clock.now()
        if session is None:
            return RedirectResponse("/login", 303)
        kind, target = request.url.path.split("/")[1], request.path_params["id"]
        act = self._deps.actions.act if kind == "alerts" else self._deps.actions.dismiss
        form = await read_form(request)
        try:
            await act(session, self._rollups(session), target, form, now)
        except HTTPException as error:
            return self._error(request, error.status_code, error.detail, session, View())
        except Retryable as error:
            log.warning("user action not saved", path=request.url.path, error=str(error))
            return self._error(request, 503, "The change was not saved: try again.", session, View())
        where = safe_path(form.get("next", "/"))
        return RedirectResponse(where if where != "/" else f"/{kind}", 303)

    async def _money_metrics(self, request: Request) -> Response:
        session = self._deps.sessions.of_key(presented_key(request.headers))
        if session is None:
            return self._api.refused(request)
        try:
            return await money_metrics(self._ask(request, session, self._view(request)))
        except (ViewError, Retryable) as error:
            return PlainTextResponse(f"{error}\n", 400 if isinstance(error, ViewError) else 503)

    async def _stream_figures(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return PlainTextResponse("not logged in\n", 401)
        try:
            view = self._view(request)
        except ViewError as error:
            return PlainTextResponse(f"{error}\n", 400)
        return figures_stream(
            request, self._rollups(session), view, self._live_totals, lambda: self._session(request)
        )

    async def _stream_events(self, request: Request) -> Response:
        if self._session(request) is None:
            return PlainTextResponse("not logged in\n", 401)
        return tail_stream(request, self._deps.tail, lambda: self._session(request))

    def _html(self, name: str, status: int, request: Request, **context: object) -> Response:
        shared: dict[str, object] = {"path": request.url.path, "session": None, "view": View(), "stale": None}
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
        return self._error(request, status, "This page does not exist.", self._session(request), View())

    async def _bug(self, request: Request, error: Exception) -> Response:
        log.error("page failed", path=request.url.path, exc_info=error)
        return self._error(request, 500, "The console failed. The cause is in its log.", None, View())
