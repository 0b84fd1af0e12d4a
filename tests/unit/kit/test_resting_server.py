"""A server that rests between requests, and still ends at once when it is asked to."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from email.utils import parsedate_to_datetime

from tests.support.waiting import until

from outlay.embedded.ports import free_port
from outlay_kit.clock import SystemClock

CODE = """
import sys, uvicorn
from outlay_kit.http_protocol import serve

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"well"})

serve(uvicorn.Config(app, port=int(sys.argv[1]), loop=sys.argv[2], lifespan="off", log_config=None))
print("in order", flush=True)
"""


def test_it_answers_says_the_time_and_ends_in_order_at_once() -> None:
    for loop in ("uvloop", "asyncio"):
        port = free_port()
        # the signal is raised again when it has served, as by uvicorn: services ignore it
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import signal; signal.signal(15, lambda *_: None)\n" + CODE,
                str(port),
                loop,
            ],
            stdout=subprocess.PIPE,
        )
        until(lambda port=port: answer(port))  # type: ignore[misc]
        time.sleep(2.5)  # it rests
        dated = parsedate_to_datetime(answer(port))
        assert abs((SystemClock().now() - dated).total_seconds()) < 3
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, b"in order\n")
        assert time.monotonic() - began < 5


def answer(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5) as found:
            assert found.read() == b"well"
            return str(found.headers["date"])
    except OSError:
        return ""
