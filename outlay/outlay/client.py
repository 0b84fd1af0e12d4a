"""Sends usage events to ingest over HTTP, as any producer would: batches, retries with the same ids."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread

import httpx
import msgspec

from outlay.tls import trusted
from outlay_kit.backoff import Backoff, retry
from outlay_kit.clock import Clock, SystemClock
from outlay_kit.errors import Retryable
from outlay_kit.failpoints import failpoint

NDJSON = "application/x-ndjson"
BATCH_EVENTS = 500
LINGER_SECONDS = 1.0  # so long an event waits, at most, for others to be sent with
_BACKOFF = Backoff(most=5.0)


class SendError(Exception):
    """Ingest refused the request itself, or stayed away; the message says what to do."""


class Refused(msgspec.Struct):
    """One event that ingest did not take: where it stands in the batch, and why."""

    index: int
    code: str
    message: str
    path: str = ""
    id: str | None = None


class _Answer(msgspec.Struct):
    accepted: int
    rejected: int = 0
    errors: list[Refused] = msgspec.field(default_factory=list)


class _Problem(msgspec.Struct):
    detail: str


@dataclass
class Sent:
    """What became of the events sent so far."""

    sent: int = 0
    accepted: int = 0
    refused: list[Refused] = field(default_factory=list)


class IngestClient:
    """Posts batches of events. A batch is repeated, with its ids, until ingest answers for it."""

    def __init__(self, url: str, api_key: str, clock: Clock, patience: float = 60.0) -> None:
        if not api_key.isascii():
            raise SendError("the API key has characters that no key has; see: outlay keys list")
        headers = {"Authorization": f"Bearer {api_key}", "Content-Type": NDJSON}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=30, verify=trusted())
        self._clock = clock
        self._patience = patience

    def __enter__(self) -> "IngestClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, lines: Sequence[bytes], into: Sent) -> None:
        """Send one batch of events, one JSON object each, and add its outcome to `into`. Raises SendError if ingest
        refuses the request (a wrong key) or stays away for `patience` seconds."""
        answer = self._post(b"\n".join(lines))
        first = into.sent
        into.sent += len(lines)
        into.accepted += answer.accepted
        for refused in answer.errors:
            refused.index += first
            _, _, refused.path = refused.path.rpartition(": ")  # without the line number within this batch
            into.refused.append(refused)

    def _post(self, body: bytes) -> _Answer:
        try:
            return retry(lambda: self._post_once(body), self._clock, _BACKOFF, patience=self._patience)
        except Retryable as error:
            message = f"ingest at {self._http.base_url} is unavailable ({error}); see: outlay status"
            raise SendError(message) from error

    def _post_once(self, body: bytes) -> _Answer:
        failpoint("store_step")
        try:
            response = self._http.post("/v1/events", content=body)
        except httpx.TransportError as error:
            raise Retryable(f"no answer: {error}") from error
        failpoint("store_step")
        if response.status_code in (429, 500, 502, 503, 504):
            asked = float(response.headers.get("Retry-After", 0))
            raise Retryable(_said(response), asked)
        try:
            return msgspec.json.decode(response.content, type=_Answer)
        except msgspec.MsgspecError:
            raise SendError(f"ingest answered {_said(response)}") from None


def _said(response: httpx.Response) -> str:
    """Return an error's status and its reason in words: of a problem (RFC 9457) only its detail."""
    try:
        reason = msgspec.json.decode(response.content, type=_Problem).detail
    except msgspec.MsgspecError:
        reason = response.text
    return f"{response.status_code}: {reason[:500]}"


def batches(
    lines: Iterable[bytes], size: int = BATCH_EVENTS, wait: float = LINGER_SECONDS
) -> Iterator[list[bytes]]:
    """Divide lines into batches of at most `size`, without blank ones; a batch waits at most `wait` seconds for more.
    A thread reads, as a slow pipe cannot be interrupted; its error or an interruption is raised after what it read."""
    read: SimpleQueue[bytes | BaseException | None] = SimpleQueue()
    room = Semaphore(2 * size)  # a file that is read quicker than it is sent is not read whole into memory
    Thread(target=_read_into, args=(lines, read, room), daemon=True).start()
    batch: list[bytes] = []
    clock, due = SystemClock(), 0.0
    ended: bytes | BaseException | None = None
    while True:
        try:
            line = read.get(timeout=max(0.0, due - clock.monotonic()) if batch else None)
        except Empty:
            yield batch
            batch = []
            continue
        except KeyboardInterrupt as stop:
            batch += _at_hand(read)
            line = stop
        if not isinstance(line, bytes):
            ended = line
            break
        room.release()
        due = due if batch else clock.monotonic() + wait
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    for start in range(0, len(batch), size):
        yield batch[start : start + size]
    if isinstance(ended, BaseException):
        raise ended


def _at_hand(read: "SimpleQueue[bytes | BaseException | None]") -> Iterator[bytes]:
    while not read.empty():
        if isinstance(line := read.get(), bytes):
            yield line


def _read_into(
    lines: Iterable[bytes], read: "SimpleQueue[bytes | BaseException | None]", room: Semaphore
) -> None:
    try:
        for line in lines:
            if line.strip():
                room.acquire()
                read.put(line.rstrip(b"\r\n"))
    except BaseException as error:  # noqa: BLE001 (raised again where the lines are taken)
        read.put(error)
    else:
        read.put(None)
