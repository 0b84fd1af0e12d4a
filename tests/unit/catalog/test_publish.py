"""When publishing makes a new revision, and when it leaves the one in force alone."""

from datetime import UTC, datetime

import pytest

from outlay.catalog import publish as module
from outlay.catalog.publish import publish, publish_if_absent
from outlay_kit.clock import Clock, FakeClock
from outlay_kit.settings import KafkaSettings
from outlay_schemas.catalog import Catalog, decode_catalog, encode_catalog

DRAFT = Catalog(revision=0, created_at=datetime(1970, 1, 1, tzinfo=UTC))
OTHER = DRAFT.model_copy(update={"reported": ()})
CLOCK = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
KAFKA = KafkaSettings(bootstrap="nowhere:1")


class Topic:
    """The topic, as bytes: what is read is what was written."""

    def __init__(self) -> None:
        self.log: list[bytes] = []

    def newest(self, kafka: KafkaSettings, clock: Clock) -> Catalog | None:
        return max(map(decode_catalog, self.log), key=lambda item: item.revision, default=None)

    def send(self, kafka: KafkaSettings, content: Catalog, clock: Clock, revision: int) -> int:
        stamp = {"revision": revision, "created_at": clock.now()}
        self.log.append(encode_catalog(content.model_copy(update=stamp)))
        return revision


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    topic = Topic()
    monkeypatch.setattr(module, "newest", topic.newest)
    monkeypatch.setattr(module, "_send", topic.send)
    return topic


def test_the_first_catalog_is_revision_one_and_is_not_published_twice(topic: Topic) -> None:
    assert [publish_if_absent(KAFKA, DRAFT, CLOCK) for _ in range(2)] == [1, 1]
    assert len(topic.log) == 1


def test_if_absent_never_replaces_what_somebody_published(topic: Topic) -> None:
    publish(KAFKA, OTHER, CLOCK)
    assert publish_if_absent(KAFKA, DRAFT, CLOCK) == 1
    assert decode_catalog(topic.log[-1]).reported == ()


def test_only_another_content_makes_another_revision(topic: Topic) -> None:
    published = [publish(KAFKA, content, CLOCK) for content in (DRAFT, DRAFT, OTHER, OTHER, DRAFT)]
    assert published == [1, 1, 2, 2, 3]
    assert len(topic.log) == 3


def test_an_old_revision_written_late_is_not_the_newest(topic: Topic) -> None:
    publish(KAFKA, DRAFT, CLOCK)
    publish(KAFKA, OTHER, CLOCK)
    topic.log.append(topic.log[0])  # a replay
    assert publish(KAFKA, DRAFT, CLOCK) == 3
