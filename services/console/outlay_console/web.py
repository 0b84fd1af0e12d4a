"""What requests and answers are made of, apart from what they mean."""

from typing import Any
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

_FORM_BYTES = 4096


class Static(StaticFiles):
    """Files that never change under one address: pages name them with a hash of their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return the file, to be kept for a year."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


async def read_form(request: Request) -> dict[str, str]:
    """Read a small form. Raises HTTPException 413 for a large one."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _FORM_BYTES:
            raise HTTPException(413)
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def path_of(request: Request) -> str:
    """Return the address within the console."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def who(request: Request) -> str:
    """Return from where a request came."""
    return request.client.host if request.client else "unknown"
