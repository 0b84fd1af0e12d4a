"""A key may send as much as its limits say, sees its limit status, and is asked to wait for the rest."""

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ingest_rig import JSON, NDJSON, NOW, MakeRig, Rig, ndjson, usage

from outlay_ingest.domain.rate_limits import RateLimiter
from outlay_ingest.quotas import Quotas
from outlay_kit.audit import AuditError, AuditLog
from outlay_kit.broker import Record
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_kit.keys import ApiKey, KeyFile, KeyFileError, KeyRing, Limits
from outlay_schemas.topics import QUOTAS


async def test_requests_over_the_limit_are_429_with_the_time_to_come_back(rig: Rig) -> None:
    key = rig.key_file.create("acme", ("ingest",), NOW, limits=Limits(requests_per_minute=3))
    rig.keys.refresh()
    answers = [await rig.post(usage(str(n)), JSON, key) for n in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[0].headers["ratelimit-policy"] == "3;w=60"
    assert answers[3].headers["retry-after"] == "20"
    assert answers[3].json()["code"] == "rate_limited"
    rig.clock.advance(20)
    assert (await rig.post(usage("4"), JSON, key)).status_code == 202
    assert "ratelimit-limit" not in (await rig.post(usage())).headers


async def test_a_batch_is_taken_whole_and_paid_for_by_waiting(rig: Rig) -> None:
    key = rig.key_file.create("acme", ("ingest",), NOW, limits=Limits(events_per_minute=60))
    rig.keys.refresh()
    batch = ndjson(*(usage(str(n)) for n in range(90)))
    assert (await rig.post(batch, NDJSON, key)).json()["accepted"] == 90
    refused = await rig.post(usage(), JSON, key)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "31")
    rig.clock.advance(31)
    assert (await rig.post(usage(), JSON, key)).status_code == 202


@given(
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 50)), max_size=60),
)
def test_no_schedule_gets_more_than_its_share(limit: int, schedule: list[tuple[float, int]]) -> None:
    """Over any time, what is admitted is at most the burst, the refill, and the last batch."""
    meters, now, taken, last = RateLimiter(), 0.0, 0, 0
    for pause, size in schedule:
        now += pause
        standing = meters.admit("k", 0, limit, now)
        assert standing is not None
        if not standing.wait:
            meters.charge("k", 0, limit, size, now)
            taken, last = taken + size, size
        assert taken <= limit + now * limit / 60 + last + 1e-6


def test_a_rotated_key_works_until_its_grace_ends_and_its_successor_at_once(tmp_path: Path) -> None:
    clock = FakeClock(NOW)
    file = KeyFile(tmp_path / "keys.json", "ann@host")
    old = file.create("acme", ("ingest", "read"), NOW, "checkout", Limits(5, 7))
    new = file.rotate(old.split("_")[2], NOW, timedelta(hours=1))
    assert new is not None
    ring = KeyRing(tmp_path / "keys.json", clock)
    first, second = ring.authenticate(old), ring.authenticate(new)
    assert first is not None
    assert second is not None
    assert (second.tenant, second.scopes, second.name) == ("acme", ("ingest", "read"), "checkout")
    assert (second.requests_per_minute, second.events_per_minute) == (5, 7)
    clock.advance(3600)
    assert ring.authenticate(old) is None
    assert ring.authenticate(new) is not None
    assert file.rotate(old.split("_")[2], clock.now(), timedelta(0)) is None
    assert file.rotate("nosuchkey000", NOW, timedelta(0)) is None


def test_every_change_of_the_keys_is_in_the_log_and_no_secret(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json", "ann@host")
    key = file.create("acme", ("ingest",), NOW, "checkout")
    file.rotate(key.split("_")[2], NOW, timedelta(hours=1))
    file.revoke(key.split("_")[2], NOW)
    entries = list(file.audit.read())
    assert [(e.actor, e.action) for e in entries] == [
        ("ann@host", "keys.create"),
        ("ann@host", "keys.rotate"),
        ("ann@host", "keys.revoke"),
    ]
    assert key.rsplit("_", 1)[1] not in file.audit.path.read_text()
    assert file.audit.path.stat().st_mode & 0o777 == 0o600


def test_a_change_of_the_log_is_seen(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log")
    assert list(log.read()) == []
    for number in range(3):
        log.append("ann", "test", str(number), {}, datetime(2026, 11, 24, tzinfo=UTC))
    lines = log.path.read_bytes().splitlines(keepends=True)
    for changed in (
        [lines[0].replace(b"ann", b"bob"), *lines[1:]],
        [lines[0], lines[2]],
        lines[1:],
        [b"{}\n", *lines],
    ):
        log.path.write_bytes(b"".join(changed))
        with pytest.raises(AuditError, match="line"):
            list(log.read())


def test_what_cannot_be_logged_is_not_done(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.json")
    file.audit.path.mkdir()
    with pytest.raises(KeyFileError):
        file.create("acme", ("ingest",), NOW)
    assert file.all() == []
    with pytest.raises(AuditError):
        list(file.audit.read())


async def test_a_quota_holds_for_its_day_and_its_month(make_rig: MakeRig) -> None:
    rig = make_rig()
    limits = Limits(events_per_day=3, events_per_month=5)
    key = rig.key_file.create("acme", ("ingest",), NOW, limits=limits)
    rig.keys.refresh()
    first = await rig.post(ndjson(usage("1"), usage("2")), NDJSON, key)
    assert first.headers["ratelimit-policy"] == "3;w=86400, 5;w=2592000"
    assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("3", "1")
    assert (await rig.post(usage("3"), JSON, key)).status_code == 202
    refused = await rig.post(usage("4"), JSON, key)
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert refused.headers["retry-after"] == str(12 * 3600 + 1)  # it is noon
    rig.clock.advance(12 * 3600)
    rig.quotas.sync()
    assert (await rig.post(ndjson(usage("4"), usage("5")), NDJSON, key)).status_code == 202
    over = await rig.post(usage("6"), JSON, key)
    assert over.headers["retry-after"] == str(6 * 86_400 + 1)  # until December
    rig.clock.advance(6 * 86_400)
    rig.quotas.sync()
    assert (await rig.post(usage("6"), JSON, key)).status_code == 202


class Bus:
    """The topic of counts: each published record reaches every process, and one that starts reads them all."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.failure: Exception | None = None
        self.records: list[Record] = []
        self.processes: list[Quotas] = []

    def start(self, name: str) -> Quotas:
        quotas = Quotas(name, self.publish, self.clock)
        for record in self.records:
            quotas.take(record)
        self.processes.append(quotas)
        return quotas

    def publish(self, key: bytes, value: bytes) -> "Future[None]":
        outcome: Future[None] = Future()
        if self.failure is not None:
            outcome.set_exception(self.failure)
            return outcome
        self.records.append(Record(QUOTAS.name, 0, len(self.records), value, key))
        for quotas in self.processes:
            quotas.take(self.records[-1])
        outcome.set_result(None)
        return outcome


def limited_key(tmp_path: Path) -> tuple[KeyFile, ApiKey]:
    file = KeyFile(tmp_path / "keys.json")
    file.create("acme", ("ingest",), NOW, limits=Limits(events_per_day=10))
    return file, file.all()[0]


def left(quotas: Quotas, key: ApiKey) -> int:
    found = quotas.standing(key)
    assert found is not None
    return found.remaining


def test_a_quota_survives_a_restart_and_a_rotation_and_is_shared_by_the_replicas(tmp_path: Path) -> None:
    bus = Bus(FakeClock(NOW))
    file, key = limited_key(tmp_path)
    one, two = bus.start("a"), bus.start("b")
    one.charge(key, 4)
    one.sync()
    two.charge(key, 5)
    two.sync()
    assert [left(quotas, key) for quotas in (one, two, bus.start("a"), bus.start("c"))] == [1] * 4
    file.rotate(key.id, NOW, timedelta(hours=1))
    assert left(one, file.all()[1]) == 1
    bus.clock.advance(12 * 3600)
    for quotas in (one, two):
        quotas.sync()
    assert left(one, key) == left(two, key) == left(bus.start("d"), key) == 10


def test_only_what_changed_is_published_and_what_was_not_taken_is_sent_again(tmp_path: Path) -> None:
    bus = Bus(FakeClock(NOW))
    _, key = limited_key(tmp_path)
    one, two = bus.start("a"), bus.start("b")
    one.sync()
    bus.failure = Retryable("Kafka does not answer")
    one.charge(key, 10)
    one.sync()
    assert (left(one, key), left(two, key), bus.records) == (0, 10, [])
    bus.failure = None
    for _ in range(3):
        one.sync()
    assert (left(two, key), len(bus.records)) == (0, 1)


def test_counts_that_cannot_be_read_stop_nothing(tmp_path: Path) -> None:
    bus = Bus(FakeClock(NOW))
    _, key = limited_key(tmp_path)
    one = bus.start("a")
    one.take(Record(QUOTAS.name, 0, 0, b"{", b"b"))
    assert left(one, key) == 10
