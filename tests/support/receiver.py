"""A real HTTP receiver on loopback that answers as its script says."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from tests.support.http_server import Handler, serving


@dataclass
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


OLD_SECRET = "whsec_" + base64.b64encode(b"o" * 24).decode()
NEW_SECRET = "whsec_" + base64.b64encode(b"n" * 32).decode()
"""Secrets of a webhook, before and after a change."""


@dataclass
class Receiver:
    """What came, and what is answered: each answer of `script` once, the last one for all others."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    script: list[tuple[int, dict[str, str], bytes]] = field(default_factory=lambda: [(204, {}, b"")])
    hang: threading.Event | None = None
    """Answer only when this is set."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def answer(self, *statuses: int, **headers: str) -> None:
        self.script = [(s, {k.replace("_", "-"): v for k, v in headers.items()}, b"") for s in statuses]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not an error."""


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """Run a receiver for a while."""
    state = Receiver()

    class Receiving(Handler):
        def do_POST(self) -> None:  # noqa: N802 (the library calls it so)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            state.got.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if state.hang is not None:
                state.hang.wait(30)
            status, headers, answer = state.script.pop(0) if len(state.script) > 1 else state.script[0]
            self.reply(status, headers, answer)

        do_GET = do_POST  # noqa: N815 (the library calls it so)

    with serving(_Server(("127.0.0.1", port), Receiving)) as state.port:
        try:
            yield state
        finally:
            if state.hang is not None:
                state.hang.set()
