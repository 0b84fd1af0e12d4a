"""How far the clock of each producer is off: a metric with bounded labels."""

from datetime import timedelta

from prometheus_client import REGISTRY
from tests.support.ingest_rig import NDJSON, NOW, Rig, ndjson, usage

from outlay_ingest import metrics


def skew(source: str) -> float | None:
    return REGISTRY.get_sample_value("outlay_ingest_clock_skew_seconds", {"source": source})


async def test_the_skew_of_a_producer_is_acceptance_minus_event_time(rig: Rig) -> None:
    for source, ahead in (("skew-late", -90), ("skew-ahead", 1200), ("skew-refused", 30 * 3600)):
        time = (NOW + timedelta(seconds=ahead)).isoformat()
        await rig.post(usage(source=source, time=time))
    assert (skew("skew-late"), skew("skew-ahead"), skew("skew-refused")) == (90, -1200, -30 * 3600)


async def test_the_labels_are_bounded(rig: Rig) -> None:
    events = [usage(str(n), source=f"skew-{n}") for n in range(metrics.MOST_SOURCES + 20)]
    for event in events:
        await rig.post(ndjson(event), NDJSON)
    shown = [s for f in metrics.SKEW.collect() for s in f.samples]
    assert len(shown) == metrics.MOST_SOURCES + 1
    assert skew("(other)") is not None
