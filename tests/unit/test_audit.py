"""The audit of dependencies: findings fail it, and an unreachable database is reported and fails only `make audit`."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ADVISORY: dict[str, Any] = {
    "id": "GHSA-0000-0000-0000", "modified": "2026-01-01T00:00:00Z", "published": "2026-01-01T00:00:00Z",
    "summary": "A made-up weakness", "aliases": [],
    "affected": [{"package": {"name": "starlette", "ecosystem": "PyPI"},
                  "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}],
}  # fmt: skip


@contextmanager
def database(package: str) -> Iterator[str]:
    """An OSV database that knows one weakness, of `package`."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found = [
                {"vulns": [{"id": ADVISORY["id"], "modified": ADVISORY["modified"]}]}
                if query["package"]["name"] == package
                else {}
                for query in asked["queries"]
            ]
            self._say({"results": found})

        def do_GET(self) -> None:
            self._say(ADVISORY)

        def _say(self, answer: object) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def audit(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "OUTLAY_OSV": url, "NO_PROXY": "127.0.0.1"}
    command = [str(ROOT / ".ci" / "audit"), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)


def test_a_finding_fails_it() -> None:
    with database("starlette") as url:
        done = audit(url)
    assert done.returncode == 1, done.stdout + done.stderr
    assert ADVISORY["id"] in done.stdout


def test_no_finding_is_no_failure() -> None:
    with database("none of ours") as url:
        done = audit(url, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT AUDITED" not in done.stderr


@pytest.mark.parametrize(("arguments", "status"), [((), 0), (("--strict",), 2)])
def test_an_unreachable_database_is_reported(arguments: tuple[str, ...], status: int) -> None:
    done = audit("http://127.0.0.1:1/", *arguments)
    assert done.returncode == status
    assert "NOT AUDITED" in done.stderr
