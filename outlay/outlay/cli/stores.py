"""The stores that commands use: ClickHouse, a catalog folder, and the catalog in force."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.cli.errors import CommandError
from outlay.cli.output import working
from outlay_kit.clock import SystemClock
from outlay_reports.money import counted

if TYPE_CHECKING:
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_schemas.catalog import Catalog

SHOWN = 40
"""Most rows of a table and problems in an error; --json and `catalog check` have them all."""


@contextmanager
def open_clickhouse(*, write: bool = False) -> "Iterator[ClickHouseClient]":
    """Open the ClickHouse of the system that is found, as the reader unless `write`. Raises StackError."""
    from outlay.local.state import stores
    from outlay_kit.clickhouse import ClickHouseClient

    clickhouse = ClickHouseClient(stores(write)[1])
    try:
        yield clickhouse
    finally:
        clickhouse.close()


def read_folder(folder: Path | None) -> "Catalog":
    """Read a catalog folder; Outlay's own if none is named. Raises CommandError."""
    from outlay.catalog import CatalogError, load, load_default

    try:
        return load_default() if folder is None else load(folder)
    except CatalogError as error:
        problems = "".join(f"\n  {problem}" for problem in error.problems[:SHOWN])
        count = len(error.problems)
        raise CommandError(
            f"the catalog in {folder} has {counted(count, 'problem')}:{problems}",
            f"correct them, then check again: outlay catalog check {folder}",
        ) from None


def published_or_none() -> "Catalog | None":
    """Return the catalog in force; None if none was published. Raises Retryable if Kafka is unavailable."""
    from outlay.catalog.publish import newest
    from outlay.local.state import stores

    with working("reading the catalog in force"):
        return newest(stores()[0])


def read_published() -> "Catalog":
    """Return the catalog in force. Raises CommandError without one, and Retryable if Kafka is unavailable."""
    content = published_or_none()
    if content is None:
        raise CommandError("no catalog is published yet", "publish one: outlay catalog publish")
    return content


def first_kept() -> datetime:
    """Return the first day that the ledger keeps whole, by the aggregator's retention."""
    from outlay_aggregator.settings import Settings
    from outlay_schemas import retention

    return retention.first_kept(SystemClock().now(), Settings().retention_days)


def require_kept(moment: datetime, option: str, why: str) -> None:
    """Raise CommandError if `moment` is before what the ledger keeps; `why` says what would happen."""
    first = first_kept()
    if moment < first:
        raise CommandError(
            f"{option} {moment.astimezone(UTC):%Y-%m-%d} is before {first:%Y-%m-%d}, the first day that the ledger"
            f" keeps (OUTLAY_AGGREGATOR_RETENTION_DAYS): {why}",
            f"begin at {first:%Y-%m-%d}",
        )
