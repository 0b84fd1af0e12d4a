"""Runs the interface: `python -m outlay.embedded.chdb_server --data DIR --users FILE --port N`."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from anyio.to_thread import run_sync

from outlay.embedded.chdb_server.code_pages import release
from outlay.embedded.chdb_server.users import Users
from outlay_kit.http_protocol import RestingServer

if TYPE_CHECKING:
    from outlay.embedded.chdb_server.engine import Engine

_RELEASE_FIRST, _RELEASE_SECONDS = 15.0, 600.0
_GRACE = 5.0  # seconds that statements have to end by themselves after the server was asked to end


def main() -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is under way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the engine's folder")
    parser.add_argument("--users", type=Path, required=True, help="JSON file of users")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on: in a container, 0.0.0.0")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--query-memory", type=int, default=3 * 2**30, help="bytes of one query")
    parser.add_argument("--keep-free", type=int, default=256 * 2**20, help="bytes left on the disk")
    parser.add_argument("--max-body", type=int, default=512 * 2**20, help="bytes of an uncompressed body")
    args = parser.parse_args()
    # chDB takes pyarrow for answers in Arrow's memory, and does without where it is missing: nothing here asks for that
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
    from outlay.embedded.chdb_server.app import make_app
    from outlay.embedded.chdb_server.engine import Engine, Limits

    engine = Engine(args.data, Limits(args.query_memory, args.keep_free))
    app = make_app(engine, Users.from_file(args.users), args.max_body)
    config = uvicorn.Config(
        app, host=args.host, port=args.port, loop="uvloop", http="httptools",
        log_level="warning", access_log=False, timeout_graceful_shutdown=round(2 * _GRACE),
    )  # fmt: skip
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(RestingServer(config), engine))
    finally:
        engine.close()


async def _serve(server: RestingServer, engine: "Engine") -> None:
    """Serve; after a signal, give running statements their grace, then end them."""

    async def hurry() -> None:
        await server.ended.wait()
        await asyncio.sleep(_GRACE)
        while True:
            await run_sync(engine.kill_all)
            await asyncio.sleep(0.5)

    async def release_code() -> None:
        pause = _RELEASE_FIRST
        while True:
            await asyncio.sleep(pause)
            await run_sync(release, "_chdb.")
            pause = _RELEASE_SECONDS

    # uvicorn repeats a signal when it has served; the engine is still to be closed then.
    for repeated in (signal.SIGTERM, signal.SIGINT):
        signal.signal(repeated, lambda *_: None)
    tasks = [asyncio.create_task(hurry()), asyncio.create_task(release_code())]
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    main()
