"""SQL about the time of a row: which range a minute or a window is in. Pure: it only writes text, of our numbers."""

from collections.abc import Sequence
from datetime import UTC, datetime

from outlay_kit.time_ranges import TimeRange


def between(column: str, span: TimeRange) -> str:
    """Return the SQL of a range of time."""
    low, high = seconds(span)
    return f"({column} >= toDateTime({low}, 'UTC') AND {column} < toDateTime({high}, 'UTC'))"


def piece(column: str, starts: Sequence[datetime]) -> str:
    """Return the SQL of which piece of time, from 0, a window is in; the pieces begin at `starts`."""
    return f"({place(column, [int(next_minute(at).timestamp()) for at in starts])} - 1)"


def place(column: str, edges: Sequence[int]) -> str:
    """Return the SQL of the place, from 1, of the last of some Unix seconds that is not after a window."""
    sorted_edges = f"[{', '.join(map(str, edges))}]::Array(UInt32)"
    return f"indexOf({sorted_edges}, roundDown(toUInt32(toUnixTimestamp({column})), {sorted_edges}))"


def next_minute(at: datetime) -> datetime:
    """Return the first whole minute at `at` or later: windows are whole minutes."""
    if not (at.second or at.microsecond):
        return at
    return datetime.fromtimestamp(-(-int(at.timestamp()) // 60) * 60, UTC)


def seconds(span: TimeRange) -> tuple[int, int]:
    """Return the Unix seconds of the start and the end of a range."""
    return int(span.start.timestamp()), int(span.end.timestamp())
