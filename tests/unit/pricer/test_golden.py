"""P11 and P16: a released catalog and its events are priced to the same cost events.

Each folder of `golden/` is a catalog as it was published, usage events, and what they were priced to. A difference is
either a mistake, or a change of prices that old revisions must not see. New cases go into a new folder.
"""

from pathlib import Path

import msgspec
import pytest

from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.catalog import decode_catalog
from outlay_schemas.errors import Invalid
from outlay_schemas.events import cost_event_decoder, encoder, usage_event_decoder

_sorted = msgspec.json.Encoder(order="deterministic")
FOLDERS = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


def _priced(folder: Path) -> list[bytes]:
    catalog = CompiledCatalog(decode_catalog((folder / "catalog.json").read_bytes()))
    return [_answer(line, catalog) for line in (folder / "usage.ndjson").read_bytes().splitlines()]


def _answer(line: bytes, catalog: CompiledCatalog) -> bytes:
    try:
        return _sorted.encode(price(usage_event_decoder.decode(line), catalog))
    except Invalid as refused:
        return f"{refused.code} {refused.path} {refused.message}".encode()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_p11_old_events_keep_their_cost_under_their_catalog(folder: Path) -> None:
    kept = (folder / "cost.ndjson").read_bytes().splitlines()
    assert _priced(folder) == [_in_order(line) if line.startswith(b"{") else line for line in kept]


def _in_order(line: bytes) -> bytes:
    """Write a cost event with its meters and tags in alphabetical order: their order is not content."""
    return _sorted.encode(cost_event_decoder.decode(line))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_p11_neither_order_nor_memory_of_other_events_matters(folder: Path) -> None:
    catalog = CompiledCatalog(decode_catalog((folder / "catalog.json").read_bytes()))
    lines = (folder / "usage.ndjson").read_bytes().splitlines()
    backwards = [_answer(line, catalog) for line in reversed(lines)]
    assert backwards[::-1] == [_answer(line, catalog) for line in lines] == _priced(folder)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_p16_what_an_old_release_wrote_can_still_be_read(folder: Path) -> None:
    for line in (folder / "cost.ndjson").read_bytes().splitlines():
        if line.startswith(b"{"):
            assert encoder.encode(cost_event_decoder.decode(line)) == line
