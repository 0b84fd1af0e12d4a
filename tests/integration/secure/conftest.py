from collections.abc import Iterator

import pytest
from tests.support.processes import prepare
from tests.support.secure import DIRECT, Encrypted, Secure, encrypted
from tests.support.stack import Stack

from outlay_kit.topics import create_topics
from outlay_schemas.topics import usage_topic


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    bus = Secure(tmp_path_factory.mktemp("secure") / "kafka")
    prepare(bus.plain)
    create_topics(bus.plain, [usage_topic(tenant) for tenant in DIRECT])
    bus.grant()
    yield bus
    bus.stop()


@pytest.fixture(scope="session")
def over_tls(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    with encrypted(stack, tmp_path_factory.mktemp("tls")) as front:
        yield front
