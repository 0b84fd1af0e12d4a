"""A sink that may be used before Kafka answers, so that ingest listens, and says 503, from its first second."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from outlay_kit.errors import Retryable
from outlay_kit.kafka import RecordSink


class ConnectingSink:
    """Connects in a thread of its own. Until it has connected, every delivery fails with Retryable."""

    def __init__(self, connect: Callable[[], RecordSink]) -> None:
        """`connect` returns when Kafka answers; an exception from it ends the process (`failure`)."""
        self._connect = connect
        self._sink: RecordSink | None = None
        self.failure: Exception | None = None
        """Why no connection will ever be made."""
        threading.Thread(target=self._run, name="connect", daemon=True).start()

    @property
    def connected(self) -> bool:
        """Whether Kafka has answered."""
        return self._sink is not None

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int | None = None,
    ) -> "Future[None]":
        """Start a delivery; see RecordSink."""
        if self._sink is not None:
            return self._sink.send(topic, value, key, headers, partition)
        refused: Future[None] = Future()
        refused.set_exception(Retryable("Kafka does not answer yet", retry_after=2))
        return refused

    def close(self) -> None:
        """Deliver what was sent."""
        if self._sink is not None:
            self._sink.close()

    def _run(self) -> None:
        try:
            self._sink = self._connect()
        except Exception as error:  # noqa: BLE001 (the main loop ends the process with it)
            self.failure = error
