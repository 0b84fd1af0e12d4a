"""Sends usage events to ingest over HTTP, as any producer would: batches, retries with the same ids."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx
import msgspec

from outlay_kit.clock import Clock

NDJSON = "application/x-ndjson"
BATCH_EVENTS = 500


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
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {api_key}", "Content-Type": NDJSON}, timeout=30
        )
        self._clock = clock
        self._patience = patience

    def __enter__(self) -> "IngestClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, lines: Sequence[bytes], into: Sent) -> None:
        """Send one batch of events, one JSON object each, and add its outcome to `into`.

        Raises SendError if ingest refuses the request (a wrong key) or stays away for `patience` seconds.
        """
        answer = self._post(b"\n".join(lines))
        first = into.sent
        into.sent += len(lines)
        into.accepted += answer.accepted
        for refused in answer.errors:
            refused.index += first
            refused.path = refused.path.rpartition(": ")[
                2
            ]  # the line within this batch says nothing to others
            into.refused.append(refused)

    def _post(self, body: bytes) -> _Answer:
        deadline = self._clock.monotonic() + self._patience
        pause = 0.2
        while True:
            try:
                response = self._http.post("/v1/events", content=body)
            except httpx.TransportError as error:
                wait, problem = pause, f"no answer: {error}"
            else:
                if response.status_code not in (429, 500, 502, 503, 504):
                    return _read(response)
                wait = float(response.headers.get("Retry-After", pause))
                problem = f"{response.status_code} {response.text[:200]}"
            if self._clock.monotonic() + wait > deadline:
                raise SendError(
                    f"ingest at {self._http.base_url} stayed away ({problem}); see: outlay status"
                )
            self._clock.sleep(wait)
            pause = min(pause * 2, 5.0)


def _read(response: httpx.Response) -> _Answer:
    try:
        return msgspec.json.decode(response.content, type=_Answer)
    except msgspec.MsgspecError:
        raise SendError(f"ingest answered {response.status_code}: {response.text[:500]}") from None


def batches(lines: Iterable[bytes], size: int = BATCH_EVENTS) -> Iterator[list[bytes]]:
    """Cut lines into batches of at most `size`, skipping blank ones.

    Interrupted while it waits for a line, it gives what was read, for that is gone from a pipe, before it raises.
    """
    batch: list[bytes] = []
    source = iter(lines)
    interrupted: KeyboardInterrupt | None = None
    while True:
        try:
            line = next(source, None)
        except KeyboardInterrupt as stop:
            line, interrupted = None, stop
        if line is None:
            break
        if not line.strip():
            continue
        batch.append(line.rstrip(b"\r\n"))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
    if interrupted:
        raise interrupted
