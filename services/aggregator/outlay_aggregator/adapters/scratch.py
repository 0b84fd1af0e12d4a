"""Tables that an audit needs while it runs."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.errors import Retryable

KEPT_SECONDS = 86_400
"""Longer than an audit runs: an older table is of one that was killed."""
_LEFT = (
    "SELECT name FROM system.tables WHERE database = currentDatabase() AND match(name, '^audit_[0-9a-f]{12}_')"
    " AND metadata_modification_time <= now() - {seconds:UInt32}"
)


@contextmanager
def scratch_tables(
    clickhouse: ClickHouseClient, creations: Mapping[str, str], kept_seconds: int = KEPT_SECONDS
) -> Iterator[None]:
    """Create tables, by name and statement, and drop them in the end; drop those that killed audits left first.
    Raises Retryable."""
    _drop(clickhouse, [row["name"] for row in clickhouse.rows(_LEFT, {"seconds": kept_seconds})])
    try:
        for statement in creations.values():
            clickhouse.command(statement)
        yield
    finally:
        with suppress(Retryable):  # a later audit drops them
            _drop(clickhouse, creations)


def _drop(clickhouse: ClickHouseClient, names: Iterable[str]) -> None:
    for name in names:
        clickhouse.command(f"DROP TABLE IF EXISTS {name}")
