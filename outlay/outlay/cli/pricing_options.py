"""What commands about prices share: which catalog, which moment, which events, and how a difference is shown."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from outlay.cli.common import CommandError, err, out, table, working

if TYPE_CHECKING:
    from outlay.catalog.offline import Refused
    from outlay_pricer.domain.compare import PriceComparison
    from outlay_pricer.ledger import LedgerReader
    from outlay_schemas.catalog import Catalog

T = TypeVar("T")

DEFAULT_CATALOG = "the catalog that comes with Outlay"
CatalogFolder = Annotated[
    Path | None,
    typer.Option(
        "--catalog",
        metavar="DIR",
        envvar="OUTLAY_CATALOG",
        help="A catalog folder. Default: the one that comes with Outlay.",
    ),
]
By = Annotated[str, typer.Option("--by", help="Dimensions to group by, comma-separated.")]
DEFAULT_BY = "team,provider,sku"
SHOWN = 40
"""Most rows of a table or problems in an error; --json and `catalog check` have them all."""


def read_folder(folder: Path | None) -> "Catalog":
    """Read a catalog folder; the catalog that comes with Outlay if none is named. Raises CommandError."""
    from outlay.catalog import CatalogError, load, load_default

    try:
        return load_default() if folder is None else load(folder)
    except CatalogError as error:
        problems = "".join(f"\n  {problem}" for problem in error.problems[:SHOWN])
        raise CommandError(
            f"the catalog in {folder} cannot be used; {len(error.problems)} to mend:{problems}",
            f"mend them; to look again: outlay catalog check {folder}",
        ) from None


def read_published() -> "Catalog":
    """Return the catalog in force. Raises CommandError if there is none, and Retryable where Kafka is away."""
    from outlay.catalog.publish import newest
    from outlay.local import stores

    kafka, _ = stores()
    with working("reading the catalog in force"):
        content = newest(kafka)
    if content is None:
        raise CommandError("no catalog was published yet", "publish one: outlay catalog publish")
    return content


@contextmanager
def open_ledger() -> "Iterator[LedgerReader]":
    """Open the ledger for reading. Raises CommandError where the engine refuses a query."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_pricer.ledger import LedgerReader

    _, settings = stores()
    clickhouse = ClickHouseClient(settings)
    try:
        yield LedgerReader(clickhouse)
    except DatabaseError as error:
        raise CommandError(f"ClickHouse refuses: {error}".strip(), "see: outlay doctor") from error
    finally:
        clickhouse.close()


def read_moment(text: str, option: str = "--at") -> datetime:
    """Read a date, which is midnight UTC, or a time with its zone. Raises CommandError."""
    text = text.strip()
    hint = "write a date, 2026-01-31, or a time with its zone, 2026-01-31T00:00:00Z"
    try:
        moment = datetime.fromisoformat(f"{text}T00:00:00Z" if len(text) == 10 else text)
        if moment.tzinfo is None:
            raise CommandError(f"{option} {text} has no zone", hint)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CommandError(f"{option} {text} is no moment", hint) from None


def read_dimensions(text: str) -> list[str]:
    """Read the names of dimensions to group by. Raises CommandError for one that a cost does not have."""
    from outlay_schemas.dimensions import ALIASES, CELL

    known = ("tenant", *CELL)
    names = [ALIASES.get(name.strip(), name.strip()) for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise CommandError(f"{name} is not a dimension", f"use some of {', '.join(known)}")
    return names


class Refusals:
    """Names on stderr the lines that are no usage events, and counts them."""

    def __init__(self, as_json: bool) -> None:
        self.count = 0
        self._as_json = as_json

    def sift(self, answers: "Iterable[T | Refused]") -> Iterator[T]:
        """Pass on what is right."""
        from outlay.catalog.offline import Refused

        for answer in answers:
            if isinstance(answer, Refused):
                self.count += 1
                self._tell(answer)
            else:
                yield answer

    def _tell(self, refused: "Refused") -> None:
        if self._as_json:
            words = {name: getattr(refused, name) for name in ("line", "code", "path", "message")}
            typer.echo(json.dumps(words), err=True)
        else:
            typer.echo(str(refused), err=True)


def plan_json(plan: "PriceComparison") -> dict[str, Any]:
    """Return a difference as plain JSON."""
    import msgspec

    return {"total": msgspec.to_builtins(plan.total), "groups": msgspec.to_builtins(plan.groups)}


def show_plan(plan: "PriceComparison", title: str) -> None:
    """Print a difference: the groups that change most, and the sum."""
    total = plan.total
    changed = [group for group in plan.groups if group.changed or group.refused_after]
    rows = [
        [
            " · ".join(value or "none" for value in group.group.values()) or "all",
            *(_short(usd) for usd in (group.before, group.after, group.change)),
            group.events,
            _unpriced(group),
        ]
        for group in changed[:SHOWN]
    ]
    names = " · ".join(plan.groups[0].group) if plan.groups else ""
    columns = [names, ">before", ">after", ">change USD", ">events", "unpriced"]
    table(title, columns, rows, f"{title}: nothing costs more or less")
    if len(changed) > SHOWN:
        out.print(f"… and {len(changed) - SHOWN} groups more; --json has all", style="dim")
    out.print(
        f"{total.events:,} events: {total.before} → {total.after} USD, change {total.change}; "
        f"{total.changed:,} change, unpriced {_unpriced(total)}",
        soft_wrap=True,
    )
    if total.refused_after:
        err.print(f"[bold yellow]{total.refused_after:,} events would become dead letters[/]")


def _short(usd: str) -> str:
    """Write money for a narrow column: what is finer than a millionth of a dollar is in the sum, and in --json."""
    short = f"{Decimal(usd):.6f}".rstrip("0").rstrip(".")
    return short if Decimal(short) == Decimal(usd) else f"{short}…"


def _unpriced(difference: Any) -> str:
    before, after = difference.unpriced_before, difference.unpriced_after
    return f"{before:,} → {after:,}" if before != after else f"{after:,}"
