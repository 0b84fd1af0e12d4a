"""How batches leave the process: HTTP to ingest by the standard library, or straight to Kafka."""

import gzip
import http.client
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlsplit

EVENTS, RESPONSES = "/v1/events", "/v1/usage/auto"
"""Where ingest takes events, and responses that it reads the usage of."""
_PACK_FROM = 16 * 1024
"""Bodies from this size are packed: below, it is not worth the time."""
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Unavailable(Exception):
    """The batch may be on its way or not: send the same again, with the same ids, after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Rejected(Exception):
    """The whole batch is refused, and would be again: a wrong key, a wrong address."""


class Transport(Protocol):
    """Sends encoded events. Called from one thread only."""

    def send(self, path: str, lines: Sequence[bytes]) -> Sequence[str]:
        """Send to `path`; return why lines were refused, the rest being durable. Raises Unavailable, Rejected."""

    def close(self) -> None:
        """Let go of connections."""


class HttpTransport:
    """Posts NDJSON to ingest over one connection that is kept open."""

    def __init__(self, url: str, api_key: str, timeout: float = 15.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an address of ingest, as http://127.0.0.1:8080")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host = parts.hostname
        self._prefix = parts.path.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Content-Type": "application/x-ndjson",
            "User-Agent": "outlay-sdk/0.1.0",
        }
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)

    def send(self, path: str, lines: Sequence[bytes]) -> Sequence[str]:
        """Post a batch. Raises Unavailable, Rejected."""
        body = b"\n".join(lines)
        headers = self._headers
        if len(body) >= _PACK_FROM:
            body = gzip.compress(body, 1)
            headers = {**headers, "Content-Encoding": "gzip"}
        try:
            self._connection.request("POST", self._prefix + path, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unavailable(f"{self._host}: {error!r}") from error
        if response.getheader("Connection", "").lower() == "close":
            self.close()
        return _outcome(response.status, content, response.getheader("Retry-After"))

    def close(self) -> None:
        """Close the connection; the next batch opens it again."""
        self._connection.close()


def _outcome(status: int, content: bytes, retry_after: str | None) -> Sequence[str]:
    if status in _AGAIN:
        wait = 0.0
        with suppress(ValueError):
            wait = max(0.0, float(retry_after or 0))
        raise Unavailable(f"ingest answered {status}", wait)
    answer: Any = None
    with suppress(ValueError):
        answer = json.loads(content)
    answer = answer if isinstance(answer, dict) else {}
    if status not in (202, 422):
        raise Rejected(f"ingest answered {status}: {answer.get('detail', content[:200])}")
    return [f"{e.get('path')}: {e.get('message')} [{e.get('code')}]" for e in answer.get("errors", ())]


class KafkaTransport:
    """Writes straight to `usage.events`, by the extra `outlay-sdk[kafka]`. What `record`, `wrap` and `stream` see
    goes to `ingest`, an HttpTransport, which reads it; without one it is refused, which the log says. Kafka knows no
    API keys: the broker's access rules must say who may write. A tenant with a topic of its own writes to
    `usage.events.<tenant>`. `options` are those of kafka-python's KafkaProducer, TLS and SASL among them."""

    def __init__(
        self,
        bootstrap: str,
        timeout: float = 15.0,
        topic: str = "usage.events",
        ingest: HttpTransport | None = None,
        **options: Any,
    ) -> None:
        from kafka import KafkaProducer  # the extra

        self._topic = topic
        self._ingest = ingest
        self._timeout = timeout
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap.split(","), acks="all", delivery_timeout_ms=int(timeout * 1000),
            request_timeout_ms=int(timeout * 500), enable_idempotence=False, **options,
        )  # fmt: skip

    def send(self, path: str, lines: Sequence[bytes]) -> Sequence[str]:
        """Write a batch as one record; return when all in-sync replicas have it. Raises Unavailable, Rejected."""
        from kafka.errors import KafkaError

        if path != EVENTS:
            if self._ingest is None:
                raise Rejected(
                    "ingest reads the usage of responses: KafkaTransport(…, ingest=HttpTransport(url, key))"
                )
            return self._ingest.send(path, lines)
        try:
            self._producer.send(self._topic, b"\n".join(lines)).get(self._timeout + 1)
        except KafkaError as error:
            raise Unavailable(f"Kafka: {error!r}") from error
        return ()

    def close(self) -> None:
        """Close the producer, and the connection to ingest."""
        if self._ingest is not None:
            self._ingest.close()
        self._producer.close(timeout=1)
