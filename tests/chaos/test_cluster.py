"""A Kafka cluster of three brokers: members are killed, frozen and too few, with two replicas of each service."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from tests.support.chaos.rig import Pipeline, Sender, make
from tests.support.chaos.stores import Cluster, Stores
from tests.support.promises import Tally
from tests.support.waiting import until

from outlay_kit.topics import Durability, create_topics
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.topics import USAGE_EVENTS, Topic

pytestmark = [pytest.mark.stack, pytest.mark.chaos]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "kafka")
    yield made
    made.kill()


@pytest.mark.timeout(900)
def test_p2_no_accepted_event_is_lost_with_a_broker_and_the_controller_killed_and_frozen(
    cluster: Cluster, tmp_path: Path, tally: Tally
) -> None:
    stores = Stores(tmp_path / "stores", cluster)
    pipeline = Pipeline(stores, tmp_path / "run")
    pipeline.others = [pipeline.ingest.twin(), pipeline.service("pricer"), pipeline.service("aggregator")]
    pipeline.start()
    assert create_topics(stores.kafka, [USAGE_EVENTS]) == []
    events = make(20_000)
    ingests = [pipeline.ingest, pipeline.others[0]]
    sender = Sender(ingests, events, rate=250)  # type: ignore[arg-type]
    kills = 0
    for choose in (_follower, Cluster.controller):
        number = choose(cluster)
        cluster.members[number].kill()
        kills += 1
        time.sleep(5)
        cluster.members[number].launch()
        cluster.wait_for(number)
        number = choose(cluster)
        cluster.members[number].freeze()
        time.sleep(12)  # longer than a broker's session
        cluster.members[number].thaw()
        cluster.wait_for(number)
    until(sender.done, 300, "all events accepted")
    pipeline.settle(300)
    wrong = pipeline.mismatches(events)
    tally("P2", "three brokers: one and the controller killed and frozen", len(events), kills, wrong)
    assert wrong == 0
    pipeline.stop()
    stores.engine.kill()


@pytest.mark.timeout(600)
def test_p2_with_too_few_copies_in_sync_ingest_answers_503_and_accepts_again_after(
    cluster: Cluster, tmp_path: Path, tally: Tally
) -> None:
    stores = Stores(tmp_path / "stores", cluster)
    pipeline = Pipeline(stores, tmp_path / "run").start()
    before, during, after = (make(200, source=name) for name in ("before", "during", "after"))
    until(lambda: pipeline.ingest.post(_body(before)).status_code == 202, 30, "202")
    first, second, _ = cluster.members
    for number in (first, second):
        cluster.members[number].kill()
    answers = [_status(lambda: pipeline.ingest.post(_body(during))) for _ in range(3)]
    assert set(answers) == {503}
    for number in (first, second):
        cluster.members[number].launch()
    cluster.wait_for(first)
    cluster.wait_for(second)
    until(lambda: _status(lambda: pipeline.ingest.post(_body(during))) == 202, 60, "202 again")
    until(lambda: _status(lambda: pipeline.ingest.post(_body(after))) == 202, 60, "202")
    pipeline.settle(120)
    everything = [*before, *during, *after]
    wrong = pipeline.mismatches(everything)
    tally("P2", "three brokers, two of them away: 503, then 202", len(everything), 2, wrong)
    assert wrong == 0
    pipeline.stop()
    stores.engine.kill()


def test_a_topic_with_fewer_copies_than_the_cluster_could_keep_is_warned_about(cluster: Cluster) -> None:
    cluster.start()
    single, double = Topic("single", 1), Topic("double", 1)
    [warning] = create_topics(
        cluster.settings, [single], Durability(replication_factor=1, min_insync_replicas=1)
    )
    assert warning.startswith("topic single keeps 1 copy of each record on a cluster of 3 brokers")
    [warning] = create_topics(cluster.settings, [double], Durability(replication_factor=2))
    assert warning.startswith("topic double keeps 2 copies of each record")
    assert create_topics(cluster.settings, [Topic("triple", 1)]) == []


def _follower(cluster: Cluster) -> int:
    leader = cluster.controller()
    return next(number for number in cluster.members if number != leader)


def _body(events: Sequence[UsageEvent]) -> bytes:
    return b"\n".join(map(encoder.encode, events))


def _status(post: Callable[[], httpx.Response]) -> int:
    try:
        return post().status_code
    except httpx.TimeoutException:
        return 503
