"""A Slack on loopback: it holds what comes against what Slack documents, and keeps messages as Slack does."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from slack_sdk.models.blocks import Block
from tests.support.http_server import Handler, serving

TOKEN = "xoxb-1-abc"
CHANNEL = "C0123ABC"


@dataclass
class SlackApi:
    """What came, and what is refused."""

    port: int = 0
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By ts, as they stand now."""
    files: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    """Method to the error it answers."""
    limited: int = 0
    """How many calls are answered by 429."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def answer(self, method: str, body: dict[str, Any]) -> dict[str, Any]:
        if method in self.errors:
            return {"ok": False, "error": self.errors[method], "needed": "files:write"}
        return getattr(self, method.replace(".", "_"))(body)  # type: ignore[no-any-return]

    def chat_postMessage(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if body["channel"] != CHANNEL:
            return {"ok": False, "error": "channel_not_found"}
        if "thread_ts" in body and body["thread_ts"] not in self.messages:
            return {"ok": False, "error": "thread_not_found"}
        return self._keep(f"1764000000.{len(self.messages):06d}", body)

    def chat_update(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["ts"] not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        return self._keep(body["ts"], body)

    def _keep(self, ts: str, body: dict[str, Any]) -> dict[str, Any]:
        blocks = body["blocks"]
        if not body.get("text") or not 1 <= len(blocks) <= 50:
            return {"ok": False, "error": "invalid_blocks"}
        for block in Block.parse_all(blocks):
            block.validate_json()
        self.messages[ts] = body
        return {"ok": True, "channel": CHANNEL, "ts": ts}

    def files_getUploadURLExternal(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        name = f"F{len(self.uploads)}"
        self.uploads[name] = b"?" * int(body["length"][0])
        assert body["filename"]
        return {"ok": True, "upload_url": f"http://127.0.0.1:{self.port}/upload/{name}", "file_id": name}

    def files_completeUploadExternal(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert body["thread_ts"] in self.messages
        assert body["channel_id"] == CHANNEL
        self.files += body["files"]
        return {"ok": True, "files": body["files"]}


@contextmanager
def slack_api() -> Iterator[SlackApi]:
    """Run one for a while."""
    state = SlackApi()

    class Answering(Handler):
        def do_POST(self) -> None:  # noqa: N802 (the library calls it so)
            raw = self.rfile.read(int(self.headers["content-length"]))
            if self.path.startswith("/upload/"):
                name = self.path.rsplit("/", 1)[1]
                assert len(raw) == len(state.uploads[name])
                state.uploads[name] = raw
                self.reply(200, {}, b"OK")
                return
            if state.limited:
                state.limited -= 1
                self.reply(429, {"retry-after": "7"}, b"")
                return
            method = self.path.removeprefix("/api/")
            state.calls.append(method)
            if self.headers["authorization"] != f"Bearer {TOKEN}":
                said: dict[str, Any] = {"ok": False, "error": "invalid_auth"}
            else:
                form = self.headers["content-type"] == "application/x-www-form-urlencoded"
                said = state.answer(method, dict(parse_qs(raw.decode())) if form else json.loads(raw))
            self.reply(200, {"content-type": "application/json"}, json.dumps(said).encode())

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answering)) as state.port:
        yield state
