"""The audit of dependencies: findings fail it, and an unreachable database is reported and fails only `make audit`."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from outlay_kit.clock import SystemClock

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / ".ci" / "advisories.json"
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


def snapshot(path: Path, days: int, fixed: str) -> Path:
    """Write a snapshot of some age that knows one weakness of starlette, fixed in a version."""
    ranges = [[{"introduced": "0"}, {"fixed": fixed}]]
    date = (SystemClock().now() - timedelta(days=days)).date().isoformat()
    known = {"ids": ["PYSEC-0"], "package": "starlette", "ranges": ranges}
    path.write_text(json.dumps({"date": date, "advisories": [known]}))
    return path


def audit(url: str, *arguments: str, advisories: Path = SNAPSHOT) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "OUTLAY_OSV": url, "OUTLAY_ADVISORIES": str(advisories), "NO_PROXY": "127.0.0.1"}
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
def test_an_unreachable_database_and_an_old_snapshot_are_reported(
    tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    done = audit("http://127.0.0.1:1/", *arguments, advisories=snapshot(tmp_path / "a.json", 31, "0.1"))
    assert done.returncode == status
    assert "NOT AUDITED" in done.stderr


@pytest.mark.parametrize(("days", "fixed", "status"), [(5, "0.1", 0), (5, "999", 1), (400, "999", 1)])
def test_a_snapshot_stands_in_for_a_database_that_is_not_reached(
    tmp_path: Path, days: int, fixed: str, status: int
) -> None:
    done = audit("http://127.0.0.1:1/", "--strict", advisories=snapshot(tmp_path / "a.json", days, fixed))
    assert done.returncode == status, done.stdout + done.stderr
    assert ("starlette" in done.stdout and "PYSEC-0" in done.stdout) == (status == 1)
    assert "NOT AUDITED" not in done.stderr


def test_the_vendored_snapshot_has_no_finding() -> None:
    done = audit("http://127.0.0.1:1/")
    assert done.returncode == 0, done.stdout
    assert json.loads(SNAPSHOT.read_text())["commit"]
