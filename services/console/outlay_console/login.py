"""Login, logout, and the choice of a tenant: by an API key, or through the identity provider."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

import msgspec
from itsdangerous import BadSignature
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from outlay_console import metrics
from outlay_console.login_attempt import ATTEMPT, Attempt, OidcError
from outlay_console.sessions import Sessions
from outlay_console.settings import Settings
from outlay_console.web import Throttle, path_of, read_form, safe_path, who
from outlay_kit.audit import AuditError, AuditLog
from outlay_kit.clock import Clock
from outlay_kit.telemetry import get_logger

if TYPE_CHECKING:
    from outlay_console.adapters.oidc import OidcClient

log = get_logger(__name__)
Render = Callable[..., Response]
"""Renders a template: name, status, request, context."""


@dataclass(frozen=True)
class Login:
    """Answers what has to do with logging in."""

    settings: Settings
    sessions: Sessions
    oidc: "OidcClient | None"
    """None: people log in with keys only."""
    throttle: Throttle
    clock: Clock
    render: Render
    audit: AuditLog

    def routes(self) -> list[Route]:
        """Return where it answers."""
        return [
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/login/oidc", self._begin),
            Route("/login/oidc/callback", self._finish),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/tenant", self._switch, methods=["POST"]),
        ]

    @property
    def cookie(self) -> str:
        """The name of the session's cookie. `__Host-` binds it to this host and to HTTPS."""
        return "__Host-outlay" if self.settings.https else "outlay"

    @property
    def _attempt_cookie(self) -> str:
        return f"{self.cookie}-login"

    def to_login(self, request: Request) -> Response:
        """Redirect to the login. A link on another site sends no SameSite=Strict cookie, so reload from here."""
        if request.headers.get("sec-fetch-site") == "cross-site":
            return self.render("again", 200, request, path=path_of(request))
        where = path_of(request)
        return RedirectResponse("/login" if where == "/" else f"/login?{_next(where)}", 303)

    def _page(
        self, request: Request, status: int = 200, where: str = "/", problem: str = "", **more: str
    ) -> Response:
        name = self.settings.oidc.name if self.oidc else ""
        context = {
            "next": where,
            "problem": problem,
            "sso": name,
            "sso_next": _next(where),
            "ended": "",
            **more,
        }
        return self.render("login", status, request, **context)

    async def _login(self, request: Request) -> Response:
        if request.method == "GET":
            ended = await self.oidc.logout_url() if self.oidc and "ended" in request.query_params else ""
            return self._page(request, where=safe_path(request.query_params.get("next", "/")), ended=ended)
        form = await read_form(request)
        where = safe_path(form.get("next", "/"))
        if wait := self.throttle.wait(who(request), self.clock.monotonic()):
            return self._too_many(request, where, wait)
        cookie = self.sessions.open(form.get("key", "").strip(), self.clock.now())
        if cookie is None:
            metrics.LOGINS.labels("refused").inc()
            return self._page(request, 401, where, "This key is unknown, revoked, or lacks the scope read.")
        await self._accepted(cookie, "key")
        return self._with_session(RedirectResponse(where, 303), cookie)

    def _too_many(self, request: Request, where: str, wait: float) -> Response:
        metrics.LOGINS.labels("throttled").inc()
        response = self._page(request, 429, where, "Too many attempts. Wait a few seconds and try again.")
        response.headers["Retry-After"] = str(int(wait) + 1)
        return response

    async def _begin(self, request: Request) -> Response:
        """Send the browser to the provider, with a cookie that binds the answer to this browser."""
        where = safe_path(request.query_params.get("next", "/"))
        if self.oidc is None:
            return RedirectResponse("/login", 303)
        try:
            url, attempt = await self.oidc.begin(where)
        except OidcError as error:
            return self._failed(
                request, 503, where, error, "The identity provider does not answer. Try again."
            )
        response = RedirectResponse(url, 303)
        # Lax: the provider's redirect comes from another site, and must bring it.
        signed = self.sessions.signer("login").sign(msgspec.json.encode(attempt).hex()).decode()
        self._set(response, self._attempt_cookie, signed, int(ATTEMPT.total_seconds()), "lax")
        return response

    async def _finish(self, request: Request) -> Response:
        """Take what the provider sends back."""
        if self.oidc is None:
            return RedirectResponse("/login", 303)
        attempt = self._attempt(request)
        if attempt is None:
            why = OidcError("no login was begun in this browser, or it took too long")
            return self._failed(
                request, 401, "/", why, "This login was not begun in this browser. Try again."
            )
        if wait := self.throttle.wait(who(request), self.clock.monotonic()):
            return self._too_many(request, attempt.where, wait)
        try:
            claims = await self.oidc.finish(attempt, request.query_params)
        except OidcError as error:
            return self._failed(request, 401, attempt.where, error, "The login failed. Try again.")
        self.throttle.give_back(who(request))  # only failures count: behind a proxy people share one address
        cookie = self.sessions.open_person(claims, self.clock.now())
        if cookie is None:
            what = "Your account has no access to Outlay yet. Ask an administrator to grant it."
            return self._failed(
                request, 403, attempt.where, OidcError(f"no grant is for {claims['sub']!r}"), what
            )
        await self._accepted(cookie, self.settings.oidc.name)
        # The provider's site led here, so that a redirect would not carry the SameSite=Strict cookie: load from here.
        response = self.render("again", 200, request, path=attempt.where)
        self._set(response, self._attempt_cookie, "", 0, "lax")
        return self._with_session(response, cookie)

    def _failed(self, request: Request, status: int, where: str, error: OidcError, what: str) -> Response:
        metrics.LOGINS.labels("refused").inc()
        log.warning("login through the identity provider failed", error=str(error))
        response = self._page(request, status, where, what)
        self._set(response, self._attempt_cookie, "", 0, "lax")
        return response

    async def _accepted(self, cookie: str, means: str) -> None:
        """Note a login. A console that cannot write its log lets people look; it takes no action of theirs."""
        metrics.LOGINS.labels("accepted").inc()
        now = self.clock.now()
        session = self.sessions.read(cookie, now)
        if session is None:
            return
        details = {"tenant": session.tenant, "role": session.role, "by": means}
        try:
            await asyncio.to_thread(
                self.audit.append, session.actor, "console.login", session.who, details, now
            )
        except AuditError as error:
            log.warning("login not written to the audit log", error=str(error))

    async def _logout(self, request: Request) -> Response:
        session = self.sessions.read(request.cookies.get(self.cookie, ""), self.clock.now())
        ended = session is not None and session.person
        return self._with_session(RedirectResponse("/login?ended=1" if ended else "/login", 303), "", 0)

    async def _switch(self, request: Request) -> Response:
        """Show another tenant of the same person."""
        form = await read_form(request)
        now, cookie = self.clock.now(), request.cookies.get(self.cookie, "")
        changed = self.sessions.switch(cookie, form.get("tenant", ""), now)
        if changed is None:
            return self.render("error", 403, request, title="Permission denied", away=False,
                               what="You do not belong to this tenant.", session=request.state.session)  # fmt: skip
        return self._with_session(RedirectResponse("/", 303), changed)

    def _attempt(self, request: Request) -> Attempt | None:
        signer, cookie = self.sessions.signer("login"), request.cookies.get(self._attempt_cookie, "")
        try:
            found = msgspec.json.decode(bytes.fromhex(signer.unsign(cookie).decode()), type=Attempt)
        except (BadSignature, ValueError):
            return None
        return found if self.clock.now() < found.until else None

    def _with_session(self, response: Response, cookie: str, seconds: int | None = None) -> Response:
        whole = int(self.settings.session_hours * 3600)
        self._set(response, self.cookie, cookie, whole if seconds is None else seconds, "strict")
        return response

    def _set(
        self, response: Response, name: str, value: str, seconds: int, samesite: Literal["lax", "strict"]
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            httponly=True,
            samesite=samesite,
            secure=self.settings.https,
        )


def _next(where: str) -> str:
    return urlencode({"next": where}, safe="/")
