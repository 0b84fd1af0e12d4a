"""What re-pricing tells and when it looks: no store is needed for that."""

from datetime import UTC, datetime

from tests.support.catalogs import catalog
from tests.support.fake_broker import FakeBroker, FakeSink

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.settings import ClickHouseSettings
from outlay_pricer.repricing import catalog_archiver as module
from outlay_pricer.repricing.catalog_archiver import RECORD_EVENTS, CatalogArchiver, resend
from outlay_schemas.events import AcceptedUsage, accepted_usage_decoder
from outlay_schemas.topics import USAGE_EVENTS

NOW = datetime(2027, 3, 1, tzinfo=UTC)


def test_old_prices_are_reported_by_a_metric() -> None:
    nowhere = ClickHouseClient(ClickHouseSettings(url="http://127.0.0.1:1"))
    watch = CatalogArchiver(nowhere, FakeSink(FakeBroker()), FakeClock(NOW))
    watch.watch_age(catalog())
    assert module.STALE._value.get() == 1
    fresh = CatalogArchiver(nowhere, FakeSink(FakeBroker()), FakeClock(datetime(2026, 11, 24, tzinfo=UTC)))
    fresh.watch_age(catalog())
    assert module.STALE._value.get() == 0


def test_events_are_sent_again_in_records_of_many_and_each_once() -> None:
    broker = FakeBroker()
    events = [
        AcceptedUsage(
            id=str(n),
            source="s",
            time=NOW,
            kind="custom",
            sku="x",
            usage={"u": n},
            tenant="t",
            accepted_ms=n + 1,
        )
        for n in range(2 * RECORD_EVENTS + 1)
    ]
    assert resend(FakeSink(broker), events) == len(events)
    values = [record.value for record in broker.records(USAGE_EVENTS.name)]
    assert len(values) == 3
    found = [event for value in values for event in accepted_usage_decoder.decode_lines(value)]
    assert sorted(found, key=lambda event: int(event.id)) == events
    assert resend(FakeSink(broker), []) == 0
