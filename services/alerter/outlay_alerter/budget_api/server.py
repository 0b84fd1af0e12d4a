"""Serves the budget door in a thread of its own, beside the evaluation."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette

from outlay_alerter.budget_api.http import BudgetStatusApi
from outlay_alerter.budget_api.service import BudgetStatusService
from outlay_kit.clock import Clock
from outlay_kit.keys import KeyFileError, KeyRing
from outlay_kit.telemetry import get_logger

log = get_logger(__name__)


def serve(desk: BudgetStatusService, keys: KeyRing, clock: Clock, host: str, port: int) -> threading.Thread:
    """Serve until this process ends; every alerter answers, also one that stands by."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        refreshing = asyncio.create_task(_every_second(keys))
        yield
        refreshing.cancel()

    config = uvicorn.Config(
        BudgetStatusApi(desk, keys, clock).app(lifespan), host=host, port=port, http="httptools", access_log=False,
        proxy_headers=False, log_config=None, server_header=False, limit_concurrency=1000,
    )  # fmt: skip
    thread = threading.Thread(target=uvicorn.Server(config).run, name="budgets", daemon=True)
    thread.start()
    return thread


async def _every_second(keys: KeyRing) -> None:
    while True:
        await asyncio.sleep(1.0)
        try:
            keys.refresh()
        except KeyFileError:
            log.exception("the keys known before stay in force")
