"""The endpoint `POST /slack/actions`, to which Slack sends the presses of buttons."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlay_alerter.slack_actions.buttons import PATH
from outlay_alerter.slack_actions.requests import Press, SignatureError, Verifier, read_presses
from outlay_kit.problems import Problem

MOST_BYTES = 256 * 1024
"""A payload carries the whole message, which is under 14 KB before it is encoded twice."""
MOST_RUNNING = 20
"""Requests whose work is not done yet."""


class SlackActionsApi:
    """Answers Slack at once, which waits 3 seconds; then does the work. Use it on one event loop."""

    def __init__(
        self, verifier: Verifier | None = None, apply: Callable[[Press], None] = lambda _: None
    ) -> None:
        """`verifier` None: no signing secret is set. `apply` runs in threads."""
        self._verifier, self._apply = verifier, apply
        self._running = 0

    def routes(self) -> list[Route]:
        """Return the route."""
        return [Route(PATH, self._pressed, methods=["POST"])]

    async def _pressed(self, request: Request) -> Response:
        if self._verifier is None:
            detail = "set OUTLAY_ALERTER_SLACK_SIGNING_SECRET to the Signing Secret of the Slack app, for the alerter"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "slack_off", detail, close=True)
        if self._running >= MOST_RUNNING:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "slack_busy", "press the button again", close=True)
        body = await _read(request)
        signed_at, signature = (
            request.headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature")
        )
        try:
            presses = read_presses(body, self._verifier.check(body, signed_at, signature))
        except SignatureError as error:
            raise Problem(HTTPStatus.FORBIDDEN, "slack_signature", str(error)) from error
        except ValueError as error:
            raise Problem(HTTPStatus.BAD_REQUEST, "slack_payload", str(error)) from error
        return Response(background=BackgroundTask(self._work, presses) if presses else None)

    async def _work(self, presses: list[Press]) -> None:
        self._running += 1
        try:
            for press in presses:
                await run_in_threadpool(self._apply, press)
        finally:
            self._running -= 1


async def _read(request: Request) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            detail = f"more than {MOST_BYTES:,} bytes: not a message of Slack"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail, close=True)
    return body
