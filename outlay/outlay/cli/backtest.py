"""When a rule would have fired: `outlay alerts backtest`."""

import csv
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import CommandError, told

if TYPE_CHECKING:
    from outlay_alerter.domain.watches import Anomaly, SpendSpike


@told
def backtest(
    rule: Annotated[
        str,
        typer.Option(help="Id of a rule in the catalog, or a type with its defaults: anomaly, spend_spike."),
    ],
    series: Annotated[Path, typer.Option(help="CSV with the columns timestamp and value.")],
    catalog: Annotated[
        Path | None, typer.Option(help="Catalog folder; default: the one that comes along.")
    ] = None,
) -> None:
    """Tell when a rule would have fired on a series: NDJSON, one line a row.

    Each line has timestamp, value, expected, lower, upper, score (0 to 1; 0.5 is the limit), fired and status.
    The step of the series is its own; empty values are missing ones.

    Example:

      outlay alerts backtest --rule anomaly --series spend.csv | jq -c 'select(.fired)'
    """
    from outlay_alerter.domain.backtest import backtest as judged

    wanted = _rule(rule, catalog)
    rows = list(_rows(series))
    texts = {at: text for text, at, _ in rows}
    try:
        for point in judged([(at, value) for _, at, value in rows], wanted):
            line = {
                "timestamp": texts[point.at], "value": point.value, "expected": point.expected,
                "lower": point.lower, "upper": point.upper, "score": round(point.score, 6),
                "fired": point.fired, "status": point.status,
            }  # fmt: skip
            typer.echo(json.dumps(line))
    except ValueError as error:
        raise CommandError(str(error), "one row is one window; give them all") from None


def _rule(name: str, folder: Path | None) -> "Anomaly | SpendSpike":
    from outlay.catalog import load, load_default
    from outlay_alerter.adapters.watchlist import anomaly_of, spike_of
    from outlay_schemas.catalog import watch

    rules = (load(folder) if folder else load_default()).rules
    found = next((rule for rule in rules if rule.id == name), None)
    if found is None and name == "anomaly":
        found = watch.Anomaly(id=name, name="Anomaly", min_usd=Decimal(0))
    if found is None and name == "spend_spike":
        found = watch.SpendSpike(id=name, name="Spend spike", min_usd=Decimal(0))
    if isinstance(found, watch.Anomaly):
        return anomaly_of(found, "")
    if isinstance(found, watch.SpendSpike):
        return spike_of(found, "")
    known = ", ".join(rule.id for rule in rules)
    raise CommandError(
        f"{name} is not a rule that can be tried on a series", f"take one of: {known}, anomaly, spend_spike"
    )


def _rows(file: Path) -> Iterator[tuple[str, datetime, float | None]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            names = {name.strip().lower(): name for name in reader.fieldnames or ()}
            if not {"timestamp", "value"} <= set(names):
                raise CommandError(
                    f"{file} has no columns timestamp and value", "its first line names the columns"
                )
            before: datetime | None = None
            for row in reader:
                text = (row[names["timestamp"]] or "").strip()
                try:
                    at, value = _instant(text), _number(row[names["value"]] or "")
                    if before is not None and at <= before:
                        raise ValueError(f"{text} {'is there twice' if at == before else 'is out of order'}")
                except ValueError as error:
                    raise CommandError(
                        f"{file}, line {reader.line_num}: {error}",
                        "timestamps are ISO 8601 or Unix seconds, each later than the one before;"
                        " values finite numbers; empty is missing",
                    ) from None
                before = at
                yield text, at, value
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}", "give a CSV file") from None
    except (UnicodeDecodeError, csv.Error):
        raise CommandError(f"{file} is not CSV text", "give a CSV file in UTF-8") from None


def _instant(text: str) -> datetime:
    """Read a timestamp; one without an offset is UTC. Raises ValueError."""
    if text.replace(".", "", 1).isdecimal() and len(text.partition(".")[0]) >= 9:
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _number(text: str) -> float | None:
    """Read a value. Empty, null and NaN: it is missing. Raises ValueError."""
    text = text.strip()
    if text.lower() in ("", "nan", "null", "none", "na"):
        return None
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is not finite")
    return value
