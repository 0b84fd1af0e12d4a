"""What real instrumentations exported: a call, a stream and a refused call each, as tests/golden/README.md says."""

from decimal import Decimal
from pathlib import Path

import pytest

from outlay.catalog import load_default
from outlay_ingest.domain.otlp import read_traces
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.events import UsageEvent

EXPORTS = sorted((Path(__file__).parents[2] / "golden" / "otlp").iterdir())


@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.stem)
def test_a_call_and_a_stream_are_events_and_a_refused_call_is_none(export: Path) -> None:
    call, stream, refused = read_traces(export.read_bytes(), as_json=False)
    catalog = CompiledCatalog(load_default())
    assert refused is None
    for item in (call, stream):
        assert item is not None
        event = item.event
        assert isinstance(event, UsageEvent)
        assert (event.provider, event.sku, event.source) == ("openai", "gpt-4o-mini-2024-07-18", "checkout")
        assert {meter: n for meter, n in event.usage.items() if n} == {
            "input_tokens": 12,
            "output_tokens": 12,
        }
        # a million: 12 of input at $0.15, 12 of output at $0.60
        assert Decimal(price(event, catalog).cost or 0) == Decimal("0.000009")
    assert call is not None
    assert stream is not None
    assert call.id != stream.id


def test_all_three_ways_to_name_things_are_there() -> None:
    assert [path.stem.rpartition("-")[0] for path in EXPORTS] == [
        "openinference",
        "openllmetry",
        "opentelemetry-openai-v2",
    ]
