"""The same bus, and the same care for processes, as the tests of ingest."""

from tests.integration.ingest import conftest

broker = conftest.broker
kafka = conftest.kafka
_ends = conftest._ends
