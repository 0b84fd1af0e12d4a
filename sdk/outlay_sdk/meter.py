"""A meter for machines that run for long: sends what a training job uses while it runs."""

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlay_sdk.client import Outlay


class Meter:
    """Counts the seconds of machines, or of GPUs, while its block runs.

        with Meter(outlay, provider="aws", sku="p5.48xlarge", machines=4, project="llm-7b"):
            train()

    With `gpus` the meter is `gpu_seconds`, else `compute_seconds` of whole machines: whichever the price book prices.
    An event is sent every `every` seconds, so that a job that is killed loses at most that. In a job of many
    processes, run one meter for all of them, or one for each with its own `gpus`."""

    def __init__(
        self,
        outlay: "Outlay",
        *,
        sku: str,
        provider: str = "",
        machines: int = 1,
        gpus: int = 0,
        every: float = 60.0,
        activity: str = "training",
        job: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        **labels: Any,
    ) -> None:
        self._outlay = outlay
        self._what = {"sku": sku, "provider": provider, "kind": "compute", "activity": activity, **labels}
        self._name, self._units = ("gpu_seconds", gpus) if gpus else ("compute_seconds", machines)
        self._every = every
        self._job = job or uuid.uuid4().hex
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._sent = 0
        self._number = 0
        self._lock = threading.Lock()

    def __enter__(self) -> "Meter":
        self._started = self._monotonic()
        self._thread = threading.Thread(target=self._run, name="outlay-meter", daemon=True)
        with suppress(RuntimeError):  # no more threads: everything is sent at the end
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self.send_usage()

    def send_usage(self) -> None:
        """Send what was used since the last time, exact to the millisecond: nothing is lost or sent twice."""
        with self._lock:
            whole = int((self._monotonic() - self._started) * 1000) * self._units
            used, self._sent = whole - self._sent, whole
            if used <= 0:
                return
            self._number += 1
            number = self._number
        usage = {self._name: Decimal(used) / 1000}
        self._outlay.track(event_id=f"{self._job}-{number}", usage=usage, **self._what)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.send_usage()
