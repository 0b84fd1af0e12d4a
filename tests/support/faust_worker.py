"""A Faust worker that does one thing we must not rely on: `python faust_worker.py BEHAVIOUR TOPIC GROUP`."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import faust

from outlay_pricer import faust_app
from outlay_pricer.faust_app import Output
from outlay_pricer.record_pricing import RecordPosition
from outlay_pricer.settings import Settings
from outlay_schemas.cloudevents import Headers

# ruff: noqa: T201 (what it prints is how the test knows that it was here)


def raises(app: faust.App, topic: Any) -> None:
    @app.agent(topic, concurrency=1)
    async def agent(stream: Any) -> None:
        async for event in stream.events():
            print("cannot handle", event.value, flush=True)
            raise RuntimeError


def takes(app: faust.App, topic: Any) -> None:
    @app.agent(topic, concurrency=1)
    async def agent(stream: Any) -> None:
        async for batch in stream.take(2, within=5):
            print("the sink does not take", batch, flush=True)
            raise RuntimeError


def overtakes(app: faust.App, topic: Any) -> None:
    @app.agent(topic, concurrency=1)
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            if event.message.offset > 0:
                event.ack()  # the one before is still under way


def ours(app: faust.App, topic: Any) -> None:
    def work(value: bytes, place: RecordPosition, headers: Headers) -> list[Output]:
        raise RuntimeError(f"cannot handle {value!r}")

    faust_app.attach(app, topic.topics, work, partial(faust_app.send, app), 4)


BEHAVIOURS: dict[str, Callable[[faust.App, Any], None]] = {
    "raises": raises,
    "takes": takes,
    "overtakes": overtakes,
    "ours": ours,
}

if __name__ == "__main__":
    behaviour, name, group = sys.argv[1:]
    app = faust_app.create_app(Settings(group=group))
    source = app.topic(name, key_serializer="raw", value_serializer="raw", value_type=bytes)
    BEHAVIOURS[behaviour](app, source)
    faust.Worker(app, quiet=True, override_logging=False, redirect_stdouts=False).execute_from_commandline()
