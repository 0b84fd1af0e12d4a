"""Refusals of whole HTTP requests as RFC 9457 problems, and the key of a request. Needs `outlay-kit[http]`."""

import math
from collections.abc import Collection, Mapping
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from outlay_kit.keys import ApiKey, KeyRing, Scope


class Problem(Exception):
    """A request that is refused as a whole."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        retry_after: float | None = None,
        close: bool = False,
    ) -> None:
        """`close`: the body was not read to its end, so that the connection cannot be used again."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers: dict[str, str] = {}
        if retry_after:
            self.headers["Retry-After"] = str(math.ceil(retry_after))
        if close:
            self.headers["Connection"] = "close"
        if status == HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"

    def response(self, **more: object) -> Response:
        """Return the answer, with `more` members."""
        body: dict[str, object] = {
            "type": f"urn:outlay:problem:{self.code}",
            "title": self.status.phrase,
            "status": self.status.value,
            "code": self.code,
            "detail": self.detail,
            **more,
        }
        return Response(
            msgspec.json.encode(body), self.status.value, self.headers, media_type="application/problem+json"
        )


def from_router(error: Exception, detail: str) -> Problem:
    """Return what the router refuses (no such path, no such method) as a problem; `detail` says where to look."""
    if not isinstance(error, HTTPException):
        return internal("ask again")
    status = HTTPStatus(error.status_code)
    problem = Problem(status, status.phrase.lower().replace(" ", "_"), detail)
    problem.headers.update(error.headers or {})
    return problem


def internal(remedy: str) -> Problem:
    """Return the problem of what should not have happened; the log has the reason."""
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", f"this is our fault; {remedy}")


def presented_key(headers: Mapping[str, str]) -> str:
    """Return the key that a request carries in `X-API-Key` or `Authorization: Bearer`; "" if it carries none."""
    if presented := headers.get("x-api-key", ""):
        return presented
    scheme, _, presented = headers.get("authorization", "").partition(" ")
    return presented.strip() if scheme.lower() == "bearer" else ""


def require_key(
    keys: KeyRing, headers: Mapping[str, str], scopes: Collection[Scope], purpose: str, *, close: bool = False
) -> ApiKey:
    """Return the key of a request, which must have one of `scopes`. Raises Problem."""
    presented = presented_key(headers)
    key = keys.authenticate(presented)
    if key is None:
        code, what = ("key_unknown", "is not known") if presented else ("key_missing", "is missing")
        detail = f"the key {what}; send Authorization: Bearer out_live_…; make one: outlay keys create"
        raise Problem(HTTPStatus.UNAUTHORIZED, code, detail, close=close)
    if not set(scopes) & set(key.scopes):
        detail = f"key {key.id} may not {purpose}: its scopes lack {' and '.join(scopes)}"
        raise Problem(HTTPStatus.FORBIDDEN, "scope", detail, close=close)
    return key
