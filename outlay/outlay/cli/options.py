"""The options that several commands share, each described once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from outlay.cli.output import CommandError, note, unknown
from outlay_schemas.dimensions import ROLLED, WELL_KNOWN
from outlay_schemas.notes import line_of

Format = Literal["table", "csv", "json", "markdown"]
_SUFFIXES = {
    ".csv": "csv", ".json": "json", ".md": "markdown", ".html": "html", ".htm": "html", ".txt": "table",
}  # fmt: skip
_NOT_WRITTEN = (".xlsx", ".xls", ".ods", ".pdf", ".parquet")
DEFAULT_BY = "team,provider,sku"

AsJson = Annotated[bool, Option("--json", help="Print JSON for machines.")]
By = Annotated[
    str | None,
    Option(
        "--by",
        metavar="DIM,DIM",
        help=f"Dimensions, widest first. Any of {', '.join((*ROLLED, 'user', *WELL_KNOWN))}, tags.NAME,"
        " attributes.NAME.",
    ),
]
GroupBy = Annotated[str, Option("--by", metavar="DIM,DIM", help="Dimensions to group by.")]
_TIMES = "2026-11-01, 2026-11, 2026-11-01T09:00Z, or the last 36h, 7d, 4w."
From = Annotated[str | None, Option("--from", metavar="TIME", help=f"{_TIMES} Default: this month.")]
FromWeek = Annotated[str, Option("--from", metavar="TIME", help=f"{_TIMES} Default: 7d.")]
To = Annotated[
    str | None, Option("--to", metavar="TIME", help="Last day or month (inclusive), or a time. Default: now.")
]
Tz = Annotated[str, Option("--tz", envvar="OUTLAY_TZ", metavar="ZONE", help="Time zone of days and months.")]
CurrencyCode = Annotated[
    str,
    Option(
        "--currency",
        envvar="OUTLAY_CURRENCY",
        metavar="CODE",
        help="Currency of amounts, converted at each day's rate of fx.yaml.",
    ),
]
Tenants = Annotated[
    list[str] | None,
    Option("--tenant", envvar="OUTLAY_TENANT", help="Tenant; repeat for more. Default: all."),
]
Tenant = Annotated[str, Option("--tenant", envvar="OUTLAY_TENANT", help="Tenant. Default: all.")]
OneTenant = Annotated[
    str | None, Option("--tenant", envvar="OUTLAY_TENANT", help="Tenant; required if there are several.")
]
FormatJson = Annotated[bool, Option("--json", help="Short for --format json.")]
OutFile = Annotated[
    Path | None, Option("--output", "-o", metavar="FILE", help="Write to a .csv, .json, .md or .txt file.")
]
Picture = Annotated[Path | None, Option("--picture", metavar="FILE.svg", help="Also draw a chart.")]
CatalogFolder = Annotated[
    Path | None,
    Option(
        "--catalog", metavar="DIR", envvar="OUTLAY_CATALOG", help="Catalog folder. Default: Outlay's own."
    ),
]
OtherCatalog = Annotated[
    Path | None, Option("--catalog", metavar="DIR", help="Catalog folder. Default: the one in force.")
]
Decimal = Annotated[Literal["point", "comma"], Option("--decimal", help="point: 1,234.56. comma: 1.234,56.")]
DryRun = Annotated[bool, Option("--dry-run", help="Show what would happen; change nothing.")]
EventsFile = Annotated[
    str, Argument(metavar="FILE|-", help="NDJSON, or one JSON array; - is standard input.")
]


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Where events are sent, and with which key."""

    url: Annotated[
        str | None, Option(envvar="OUTLAY_URL", help="Address of ingest. Default: the local system's.")
    ] = None
    api_key: Annotated[
        str | None, Option(envvar="OUTLAY_API_KEY", help="API key. Default: the local system's.")
    ] = None


def format_for(formats: Sequence[str], form: str | None, file: Path | None, default: str) -> str:
    """Return the format that was asked for, else the one of the file's ending. Raises CommandError for neither."""
    suffix = "" if file is None else file.suffix.lower()
    names = ", ".join(formats)
    if suffix in _NOT_WRITTEN:
        hint = f"formats: {names}; spreadsheets open .csv"
        raise CommandError(f"{file}: this command does not write {suffix} files", hint)
    if form is not None or not suffix:
        return form or default
    name = _SUFFIXES.get(suffix, "")
    if name not in formats:
        raise CommandError(f"{file}: the ending {suffix} names no format", f"give --format, one of: {names}")
    return name


def write_file(file: Path | None, text: str) -> None:
    """Write text to a file, or to standard output if none is given. Raises CommandError."""
    if file is None:
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}", "give another file") from None
    note(f"written: {file}", "dim")


def a_line(text: str) -> str:
    """Check a comment or a reason, as the console does. Raises BadParameter."""
    try:
        return line_of(text, "comment")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


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
        raise CommandError(f'{option} "{text}" is not a valid time', hint) from None


def read_utc(text: str, name: str, hint: str) -> datetime:
    """Read a time; without a zone it is in UTC. Raises CommandError, which calls it `name`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{name} is not a valid time", hint) from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def read_dimensions(text: str) -> list[str]:
    """Read the names of dimensions to group by. Raises CommandError for one that a cost does not have."""
    from outlay_schemas.dimensions import ALIASES, CELL

    known = ("tenant", *CELL)
    names = [ALIASES.get(name.strip(), name.strip()) for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise unknown("dimension", name, known)
    return names
