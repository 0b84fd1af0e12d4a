"""When publishing makes a new revision, when it leaves the one in force alone, and when two publish at once."""

from datetime import UTC, datetime

import pytest

from outlay.catalog.publish import CatalogTopic, ConflictError
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Retryable
from outlay_schemas.catalog import Alias, Catalog, decode_catalog, encode_catalog

DRAFT = Catalog(revision=0, created_at=datetime(1970, 1, 1, tzinfo=UTC))
OTHER = DRAFT.model_copy(update={"reported": ()})
CLOCK = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))


class Topic(CatalogTopic):
    """The topic, as bytes: what is read is what was written."""

    def __init__(self, rivals: list[Catalog] | None = None) -> None:
        self.log: list[bytes] = []
        self.rivals = rivals or []
        """What another writes just before each of our records, under the number that we chose."""

    def newest(self) -> Catalog | None:
        return max(map(decode_catalog, self.log), key=lambda item: item.revision, default=None)

    def append(self, catalog: Catalog) -> None:
        if self.rivals:
            rival = self.rivals.pop(0).model_copy(update={"revision": catalog.revision})
            self.log.append(encode_catalog(rival))
        self.log.append(encode_catalog(catalog))


def test_only_another_content_makes_another_revision() -> None:
    topic = Topic()
    published = [topic.publish(content, CLOCK) for content in (DRAFT, DRAFT, OTHER, OTHER, DRAFT)]
    assert published == [1, 1, 2, 2, 3]
    assert len(topic.log) == 3
    assert decode_catalog(topic.log[0]).created_at == CLOCK.now()


def test_an_old_revision_written_late_is_not_the_newest() -> None:
    topic = Topic()
    topic.publish(DRAFT, CLOCK)
    topic.publish(OTHER, CLOCK)
    topic.log.append(topic.log[0])  # a replay
    assert topic.publish(DRAFT, CLOCK) == 3


def test_a_number_that_another_took_first_is_given_up() -> None:
    topic = Topic([OTHER])
    assert topic.publish(DRAFT, CLOCK) == 2
    known = topic.newest()
    assert known is not None
    assert (known.revision, known.reported) == (2, DRAFT.reported)


def test_two_who_publish_the_same_at_once_make_one_revision() -> None:
    assert Topic([DRAFT]).publish(DRAFT, CLOCK) == 1


def test_a_topic_that_never_settles_is_reported() -> None:
    rivals = [OTHER.model_copy(update={"note": str(number)}) for number in range(50)]
    with pytest.raises(Retryable, match="others publish"):
        Topic(rivals).publish(DRAFT, CLOCK)


def test_a_change_of_an_older_revision_is_a_conflict_that_names_the_newer_one() -> None:
    topic = Topic()
    first = topic.publish(DRAFT, CLOCK)
    topic.publish(OTHER.model_copy(update={"author": "kim"}), CLOCK, first)
    third = DRAFT.model_copy(update={"aliases": (Alias(dimension="team", name="a", aliases=("b",)),)})
    with pytest.raises(ConflictError, match=r"revision 2 was published by kim .* after revision 1 was read"):
        topic.publish(third, CLOCK, first)
    newest = topic.newest()
    assert newest is not None
    assert (newest.revision, newest.author) == (2, "kim")


def test_of_two_changes_of_one_revision_at_once_one_is_a_conflict() -> None:
    with pytest.raises(ConflictError):
        Topic([OTHER]).publish(DRAFT, CLOCK, 0)
