"""P14: no silent stop. And the catalog that prices is the newest one."""

from datetime import UTC, datetime

import pytest
from aiokafka.errors import (  # type: ignore[import-untyped]
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
)

from outlay_kit.catalog_feed import KEY, CatalogFeed
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_kit.health import Health
from outlay_kit.kafka import Record
from outlay_kit.offsets import Places
from outlay_kit.settings import KafkaSettings
from outlay_pricer.faust_app import create_app, is_temporary
from outlay_pricer.settings import Settings
from outlay_pricer.watchdog import Watchdog


class Progress:
    """Says how far the group is, as the test has it."""

    def __init__(self) -> None:
        self.at, self.lag, self.away = 0, 0, False
        self.known = ["usage.events"]

    def committed(self, group: str, topic: str) -> Places:
        if self.away:
            raise Retryable("away")
        return {0: self.at}

    def ends(self, topic: str) -> Places:
        return {0: self.at + self.lag}

    def topics(self) -> list[str]:
        return self.known


class Desk:
    def __init__(self) -> None:
        self.clock = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
        self.health = Health(self.clock, 60)
        self.progress = Progress()
        self.ended: list[BaseException] = []
        self.watchdog = Watchdog(
            self.progress, "pricer", self.progress.known.copy(), self.health, self.ended.append
        )

    def stalled_after(self, seconds: int) -> bool:
        for _ in range(seconds // 5):
            self.clock.advance(5)
            self.watchdog.look()
        return self.health.stalled()


def test_lag_without_progress_is_a_stall() -> None:
    desk = Desk()
    desk.progress.lag = 5
    desk.watchdog.look()
    assert not desk.stalled_after(55)
    assert desk.stalled_after(10)


def test_progress_is_no_stall_however_large_the_lag() -> None:
    desk = Desk()
    desk.progress.lag = 10**6
    for _ in range(10):
        desk.progress.at += 1
        assert not desk.stalled_after(55)


def test_nothing_to_do_is_no_stall() -> None:
    assert not Desk().stalled_after(600)


def test_work_that_comes_after_a_long_rest_has_its_time() -> None:
    desk = Desk()
    assert not desk.stalled_after(600)
    desk.progress.lag = 1
    assert not desk.stalled_after(55)
    assert desk.stalled_after(10)


def test_a_topic_that_is_new_ends_the_process_so_that_its_successor_reads_it() -> None:
    desk = Desk()
    desk.watchdog.look()
    assert not desk.ended
    desk.progress.known.append("usage.events.acme")
    desk.watchdog.look()
    assert "usage.events.acme" in str(desk.ended[0])


def test_kafka_being_away_is_no_stall() -> None:
    desk = Desk()
    desk.progress.lag = 5
    desk.watchdog.look()
    desk.progress.away = True
    assert not desk.stalled_after(600)
    desk.progress.away = False
    assert desk.stalled_after(65)


def feed(compiled: list[int]) -> CatalogFeed[str]:
    def compile_it(value: bytes) -> tuple[int, str]:
        revision = int(value)
        compiled.append(revision)
        return revision, f"catalog {revision}"

    return CatalogFeed(KafkaSettings(), compile_it, FakeClock(datetime(2026, 11, 24, tzinfo=UTC)))


def record(value: bytes, key: bytes = KEY, offset: int = 0) -> Record:
    return Record("cost.catalog", 0, offset, value, key)


def test_a_newer_catalog_replaces_an_older_one_and_never_the_other_way() -> None:
    following = feed([])
    with pytest.raises(LookupError, match="outlay catalog publish"):
        following.current()
    assert not following.wait(0)
    for value, expected in ((b"2", 2), (b"1", 2), (b"2", 2), (b"3", 3)):
        following.take(record(value))
        assert (following.revision, following.current()) == (expected, f"catalog {expected}")


def test_a_first_catalog_that_is_published_after_the_start_has_arrived_too() -> None:
    following = feed([])
    following._follower._now_current()
    assert not following.wait(0)
    following.take(record(b"1"))
    assert following.wait(0)


def test_what_is_no_catalog_changes_nothing() -> None:
    following = feed([])
    following.take(record(b"5"))
    for bad in (record(b"x"), record(b""), record(b"9", key=b"other")):
        following.take(bad)
        assert following.revision == 5


def test_a_catalog_counts_as_arrived_only_with_the_newest_one_of_the_start() -> None:
    following = feed([])
    following.take(record(b"1", offset=0))
    assert not following.wait(0)
    following.take(record(b"2", offset=2))
    following._follower._now_current()
    assert following.wait(0)
    assert following.current() == "catalog 2"


@pytest.mark.parametrize(
    ("error", "temporary"),
    [
        (KafkaTimeoutError(), True),
        (KafkaConnectionError(), True),
        (NotLeaderForPartitionError(), True),
        (MessageSizeTooLargeError(), False),
        (TopicAuthorizationFailedError(), False),
        (ValueError("a bug"), False),
        (None, False),
    ],
)
def test_which_failures_a_wait_may_fix(error: BaseException | None, temporary: bool) -> None:
    assert is_temporary(error) is temporary


def test_faust_is_set_up_as_the_promises_need_it() -> None:
    conf = create_app(Settings()).conf
    assert not conf.stream_wait_empty
    assert not conf.topic_allow_declare
    assert not conf.web_enabled
    assert conf.table_standby_replicas == 0
    assert conf.producer_acks == -1
    assert conf.consumer_max_fetch_size >= 16 * 2**20
    assert conf.producer_max_request_size >= 16 * 2**20
    assert conf.broker_session_timeout == 10
    assert str(conf.processing_guarantee) == "ProcessingGuarantee.AT_LEAST_ONCE"
