"""What Faust does today that loses events (docs/guarantees.md), and that the shell is built to avoid.

If one of these fails after an upgrade, Faust has changed: read shell.py again before changing the test. The last one is
the control: the shell, given the same failure, commits nothing.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support import faust_worker
from tests.support.waiting import until

from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.offsets import Offsets
from outlay_kit.settings import KafkaSettings
from outlay_kit.topics import create_topics
from outlay_schemas.topics import Topic

pytestmark = pytest.mark.stack
WORKER = Path(faust_worker.__file__)


class Run:
    """A worker that does one thing, on a topic with two records."""

    def __init__(self, kafka: KafkaSettings, behaviour: str, log: Path) -> None:
        name = f"faust-{behaviour}-{uuid.uuid4().hex[:8]}"
        create_topics(kafka, [Topic(name, 1)])
        sink = KafkaSink(kafka)
        deliver(sink, name, [b"first", b"second"])
        sink.close()
        self._name, self._offsets = name, Offsets(kafka)
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(WORKER), behaviour, name, name],
                env={**os.environ, "OUTLAY_KAFKA": kafka.bootstrap},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def committed(self) -> int:
        return sum(self._offsets.committed(self._name, self._name).values())

    def close(self) -> None:
        self._offsets.close()
        self.process.kill()
        self.process.wait(timeout=10)


@contextmanager
def running(kafka: KafkaSettings, behaviour: str, folder: Path) -> Iterator[Run]:
    run = Run(kafka, behaviour, folder / "worker.log")
    yield run
    run.close()


def test_1_an_exception_in_an_agent_acks_the_event(kafka: KafkaSettings, tmp_path: Path) -> None:
    with running(kafka, "raises", tmp_path) as run:
        until(lambda: run.committed() == 2, 60, "both committed, though neither was handled")
    assert b"cannot handle b'first'" in (tmp_path / "worker.log").read_bytes()


def test_2_take_acks_a_batch_that_failed(kafka: KafkaSettings, tmp_path: Path) -> None:
    with running(kafka, "takes", tmp_path) as run:
        until(lambda: run.committed() == 2, 60, "the batch committed, though it failed")
    assert b"the sink does not take" in (tmp_path / "worker.log").read_bytes()


def test_3_it_commits_past_a_record_that_is_under_way(kafka: KafkaSettings, tmp_path: Path) -> None:
    with running(kafka, "overtakes", tmp_path) as run:
        until(lambda: run.committed() == 2, 60, "the second committed, and with it the first")


def test_the_shell_commits_nothing_and_ends(kafka: KafkaSettings, tmp_path: Path) -> None:
    with running(kafka, "ours", tmp_path) as run:
        assert run.process.wait(timeout=60) == 70
        assert run.committed() == 0
