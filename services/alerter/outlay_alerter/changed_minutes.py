"""Which minutes a batch of `cost.rollups` says to have changed."""

from datetime import UTC, datetime, timedelta

import msgspec
from prometheus_client import Counter

from outlay_kit.kafka import Batch, Record
from outlay_kit.telemetry import get_logger
from outlay_schemas.errors import UNREADABLE
from outlay_schemas.events import Aware, Grain

log = get_logger(__name__)


class _Touched(msgspec.Struct):
    tenant: str
    grain: Grain
    window: Aware


_OLDEST, _AHEAD = datetime(2000, 1, 1, tzinfo=UTC), timedelta(hours=25)
"""Times that events may have: the pricer accepts none that is a day ahead."""

_touched = msgspec.json.Decoder(_Touched)
UNREADABLE_RECORDS = Counter(
    "outlay_alerter_unreadable_records_total", "Records of cost.rollups that are not rollup windows"
)


def changed_minutes(batch: Batch, now: datetime) -> dict[str, set[datetime]]:
    """Return the minutes that changed, by tenant; a day counts as its first minute.

    Sums over months are read from days, which are written last: without them what was read in between would stand.
    A record that is not of rollup windows is counted and skipped, and the log says so once per batch: the rollup tables
    hold the figures, so nothing is lost with it. So is a window that no event can be in, as of year 1.
    """
    changed: dict[str, set[datetime]] = {}
    bad: list[tuple[Record, str]] = []
    for record in batch.records:
        try:
            windows = _touched.decode_lines(record.value)
        except UNREADABLE as error:
            bad.append((record, str(error)))
            continue
        found = [w for w in windows if w.grain != "hour"]
        possible = [w for w in found if _OLDEST <= w.window <= now + _AHEAD]
        if len(possible) < len(found):
            bad.append((record, "a window is before the year 2000 or in the future"))
        for window in possible:
            changed.setdefault(window.tenant, set()).add(window.window)
    if bad:
        UNREADABLE_RECORDS.inc(len(bad))
        record, why = bad[0]
        place = f"{record.topic}/{record.partition}/{record.offset}"
        log.warning("records are not of rollup windows", count=len(bad), record=place, error=why)
    return changed
