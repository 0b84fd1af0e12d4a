"""HTTP building blocks: security headers, same-origin check, throttle, static files, forms."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlay_console import metrics
from outlay_kit.clock import Clock
from outlay_schemas.notes import line_of

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Sets security headers, and refuses posts from other sites."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if scope["method"] not in ("GET", "HEAD") and not same_origin(Headers(scope=scope)):
            refused = PlainTextResponse("this must be sent from the console's own page\n", 403)
            await refused(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def same_origin(headers: Headers) -> bool:
    """Tell whether a request was made by a page of ours: by what a browser says and no script can change."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return urlsplit(origin).netloc == headers.get("host")


def safe_path(text: str) -> str:
    """Return where to go after the login: a path of ours, else the start page."""
    parts = urlsplit(text)
    ours = text.startswith("/") and not text.startswith(("//", "/\\", "/login")) and text.isprintable()
    return text if ours and not parts.netloc and not parts.scheme else "/"


_MOST_ADDRESSES = 10_000
"""Most addresses remembered; the one that was quiet for longest is forgotten first."""


class Throttle:
    """A bucket of tries for each address: `burst` at once, then one every `seconds`."""

    def __init__(self, burst: int, seconds: float) -> None:
        self._burst = burst
        self._seconds = seconds
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, who: str, now: float) -> float:
        """Take one try of `who` at `now` (monotonic seconds). Return 0, or the seconds until there is one."""
        left, at = self._known.pop(who, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) / self._seconds)
        allowed = left >= 1
        self._known[who] = (left - 1 if allowed else left, now)
        while len(self._known) > _MOST_ADDRESSES:
            self._known.popitem(last=False)
        return 0.0 if allowed else (1 - left) * self._seconds

    def give_back(self, who: str) -> None:
        """Return the try that `who` took last."""
        if who in self._known:
            left, at = self._known[who]
            self._known[who] = (min(float(self._burst), left + 1), at)


_FORM_BYTES = 4096


class Static(StaticFiles):
    """Files that never change under one address: pages name them with a hash of their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return the file, to be kept for a year."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


async def read_form(request: Request, most: int = _FORM_BYTES) -> dict[str, str]:
    """Read a form of at most `most` bytes. Raises HTTPException 413 for a larger one."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise HTTPException(413)
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def measured(
    name: str, clock: Clock, answer: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that counts and times its requests under the name of its page."""

    async def endpoint(request: Request) -> Response:
        started = clock.monotonic()
        response = await answer(request)
        metrics.REQUESTS.labels(name, response.status_code).inc()
        metrics.SECONDS.labels(name).observe(clock.monotonic() - started)
        return response

    return endpoint


def path_of(request: Request) -> str:
    """Return the address within the console."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def who(request: Request) -> str:
    """Return from where a request came: an IPv6 network of 64 bits counts as one, as one customer has it whole."""
    host = request.client.host if request.client else "unknown"
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(mapped if mapped.version == 4 else ip_network((int(mapped), 64), strict=False))


def one_line(form: Mapping[str, str], field: str) -> str:
    """Return what people wrote in a field, such as a note. Raises HTTPException."""
    try:
        return line_of(form.get(field, ""), field)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
