"""The same bus, and the same care for processes, as the tests of ingest."""

from tests.support.broker_fixtures import broker, kafka

__all__ = ["broker", "kafka"]
