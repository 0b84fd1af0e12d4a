"""Runs the interface: `python -m outlay.embedded.front --data DIR --users FILE --port N`."""

import argparse
from pathlib import Path

import uvicorn

from outlay.embedded.front.app import make_app
from outlay.embedded.front.engine import Engine
from outlay.embedded.front.users import Users


def main() -> None:
    """Serve until SIGTERM, then finish what is under way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the engine's folder")
    parser.add_argument("--users", type=Path, required=True, help="JSON file of users")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--max-memory", type=int, default=4 * 2**30, help="bytes one query may use")
    parser.add_argument("--max-threads", type=int, default=2)
    parser.add_argument("--max-body", type=int, default=512 * 2**20, help="bytes of an uncompressed body")
    args = parser.parse_args()
    engine = Engine(args.data, args.max_memory, args.max_threads)
    app = make_app(engine, Users.from_file(args.users), args.max_body)
    try:
        uvicorn.run(
            app, host=args.host, port=args.port, loop="uvloop", http="httptools",
            log_level="warning", access_log=False, timeout_graceful_shutdown=10,
        )  # fmt: skip
    finally:
        engine.close()


if __name__ == "__main__":
    main()
