"""The one way in which a request presents its key, and in which it is refused."""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import pytest

from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile, KeyRing
from outlay_kit.problems import Problem, from_router, presented_key, require_key

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, ""),
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bearer   k "}, "k"),
        ({"authorization": "Basic k"}, ""),
        ({"authorization": "k"}, ""),
        ({"x-api-key": "a", "authorization": "Bearer b"}, "a"),
    ],
)
def test_the_key_of_a_request(headers: dict[str, str], key: str) -> None:
    assert presented_key(headers) == key


def test_a_key_needs_one_of_the_scopes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = KeyFile(path).create("acme", ("read",), NOW)
    ring = KeyRing(path, FakeClock(NOW))
    headers = {"authorization": f"Bearer {secret}"}
    assert require_key(ring, headers, ["ingest", "read"], "ask").tenant == "acme"
    with pytest.raises(Problem) as refused:
        require_key(ring, headers, ["ingest"], "send events", close=True)
    assert (refused.value.status, refused.value.code) == (403, "scope")
    assert refused.value.headers == {"Connection": "close"}
    for presented, code in (("", "key_missing"), ("Bearer wrong", "key_unknown")):
        with pytest.raises(Problem) as refused:
            require_key(ring, {"authorization": presented}, ["read"], "ask")
        assert (refused.value.code, refused.value.headers) == (code, {"WWW-Authenticate": "Bearer"})


def test_a_problem_is_that_of_rfc_9457() -> None:
    answer = Problem(HTTPStatus.TOO_MANY_REQUESTS, "slow", "wait", retry_after=1.2).response(more=1)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.media_type == "application/problem+json"
    assert json.loads(bytes(answer.body)) == {
        "type": "urn:outlay:problem:slow", "title": "Too Many Requests", "status": 429, "code": "slow",
        "detail": "wait", "more": 1,
    }  # fmt: skip
    assert from_router(ValueError(), "look there").code == "internal"
