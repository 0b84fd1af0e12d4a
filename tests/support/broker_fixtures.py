"""Fixtures: a Kafka with its topics, and a broker that a test may stop."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.processes import Broker, prepare

from outlay_kit.settings import KafkaSettings


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> KafkaSettings:
    """Kafka with its topics: the one that the environment names, or the stack's."""
    named = os.environ.get("OUTLAY_TEST_KAFKA")
    settings = KafkaSettings(bootstrap=named) if named else request.getfixturevalue("stack").kafka
    assert isinstance(settings, KafkaSettings)
    prepare(settings)
    return settings


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that the test may stop."""
    own = Broker(tmp_path / "kafka").start()
    prepare(own.settings)
    yield own
    own.kill()
