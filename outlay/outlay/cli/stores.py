"""The stores that commands use: ClickHouse, a catalog folder, and the catalog in force."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.cli.output import CommandError, unknown, working
from outlay_kit.clock import SystemClock
from outlay_reports.money import counted

if TYPE_CHECKING:
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.kafka import KafkaSink
    from outlay_reports.adapters.cost_reader import CostReader
    from outlay_schemas.catalog import Catalog

SHOWN = 40  # most rows of a table and problems in an error; --json and `catalog check` have them all


@contextmanager
def open_clickhouse(*tenants: str, write: bool = False) -> "Iterator[ClickHouseClient]":
    """Open the ClickHouse of the system that is found, as the reader unless `write`. Raises StackError, and
    CommandError for one of `tenants` that is unknown; an empty name stands for all tenants."""
    from outlay.local.state import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_reports.adapters.cost_reader import CostReader

    with closing(ClickHouseClient(stores(write)[1])) as clickhouse:
        require_tenants(CostReader(clickhouse), tenants)
        yield clickhouse


@contextmanager
def open_costs(*tenants: str) -> "Iterator[CostReader]":
    """Open the costs in ClickHouse. Raises as `open_clickhouse` does."""
    from outlay_reports.adapters.cost_reader import CostReader

    with open_clickhouse(*tenants) as clickhouse:
        yield CostReader(clickhouse)


@contextmanager
def open_sink(*, dry_run: bool) -> "Iterator[KafkaSink | None]":
    """Open Kafka to write to; None for a dry run. Raises StackError."""
    from outlay.local.state import stores
    from outlay_kit.kafka import KafkaSink

    with nullcontext() if dry_run else closing(KafkaSink(stores(write=True)[0])) as sink:
        yield sink


def require_tenants(costs: "CostReader", tenants: Sequence[str]) -> None:
    """Raise CommandError for a tenant that has no costs, no dead letters and no key; without data, for none."""
    named = [tenant for tenant in tenants if tenant]
    known = costs.known_tenants() if named else set()
    for tenant in named:
        if known and tenant not in known and tenant not in _with_keys():
            raise unknown("tenant", tenant, sorted(known))


def _with_keys() -> set[str]:
    """Return the tenants that a key of the local system was made for; their first event may be on its way."""
    from outlay.local.state import home_folder, keys_path
    from outlay_kit.keys import KeyFile

    return {key.tenant for key in KeyFile(keys_path(home_folder())).all()}


def read_folder(folder: Path | None) -> "Catalog":
    """Read a catalog folder over Outlay's own, or that alone if none is named. Raises CommandError."""
    from outlay.catalog import CatalogError, load, load_default

    try:
        return load_default() if folder is None else load(folder, layered=True)
    except CatalogError as error:
        problems = "".join(f"\n  {problem}" for problem in error.problems[:SHOWN])
        message = f"the catalog in {folder} has {counted(len(error.problems), 'problem')}:{problems}"
        hint = f"correct them, then check again: outlay catalog check {folder}"
        raise CommandError(message, hint) from None


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
