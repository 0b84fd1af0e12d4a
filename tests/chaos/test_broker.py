"""The broker on a disk that takes no more."""

import os
import resource
import signal
from pathlib import Path

import pytest
from tests.support.chaos.rig import make
from tests.support.chaos.scenarios import ids_on_kafka
from tests.support.processes import Broker, Ingest, prepare
from tests.support.promises import Tally
from tests.support.waiting import until

from outlay_schemas.events import encoder

pytestmark = [pytest.mark.stack, pytest.mark.chaos]


@pytest.mark.timeout(300)
def test_p2_on_a_disk_that_takes_no_more_nothing_is_accepted_and_nothing_accepted_is_lost(
    tmp_path: Path, tally: Tally
) -> None:
    """The limit of the size of a file stands for the disk: to write more fails in the same place, for any user."""
    broker = Broker(tmp_path / "kafka").start()
    prepare(broker.settings)
    broker.kill()
    with _files_of_at_most(14 * 2**20):
        broker.start()
    ingest = Ingest(broker.settings, tmp_path, deliver_seconds=4)
    ingest.start()
    accepted: set[str] = set()
    refused = 0
    for turn in range(2000):
        events = make(20, seed=turn, source=str(turn))
        for n, event in enumerate(events):
            event.attributes = {f"a{i}": os.urandom(120).hex() for i in range(40)} if n < 15 else {}
        answer = ingest.post(b"\n".join(map(encoder.encode, events)))
        assert answer.status_code in {202, 503}, answer.text
        if answer.status_code == 202:
            accepted |= {f"{event.source}/{event.id}" for event in events}
        refused += answer.status_code == 503
        if refused >= 2:
            break
    assert refused >= 2, "the disk was never full"
    broker.kill()
    broker.start()  # there is space again
    until(lambda: ingest.post(encoder.encode(make(1, source="up")[0])).status_code == 202, 60, "202 again")
    missing = accepted - ids_on_kafka(broker.settings, ingest.tenant, accepted)
    tally("P2", "Kafka's disk full: 503, and again 202 when there is space", len(accepted), 0, len(missing))
    assert not missing
    assert ingest.stop() == 0
    broker.kill()


class _files_of_at_most:  # noqa: N801 (reads as what it does)
    """Children started inside may write no file larger than that; this process may."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._size, self._before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
