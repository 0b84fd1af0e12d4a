"""Reads bills: FOCUS files, and any table with a day, a model and a cost, in one file or several."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from outlay.table_files import files_of, rows_of
from outlay_ingest.domain.tables import BROKEN, Mark, number
from outlay_reports.errors import QueryError
from outlay_reports.reconcile import BillLine
from outlay_schemas.errors import Invalid

_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_KNOWN = {
    "day": (
        "ChargePeriodStart", "date", "day", "usage_date_utc", "usage_date", "start_time", "timestamp",
        "usage_start_time",
    ),
    "model": ("x_Model", "SkuId", "model", "model_version", "sku", "line_item", "resource", "SkuMeter"),
    "cost": ("BilledCost", "cost", "cost_usd", "amount_value", "amount", "token_cost", "usd"),
    "currency": ("BillingCurrency", "currency", "amount_currency"),
}  # fmt: skip
"""By role: the names of a column that may hold it, in lower case or not."""


def read_bill(
    path: Path, zone: ZoneInfo, rates: Mapping[str, Decimal], named: Mapping[str, str], mark: Mark = "point"
) -> tuple[list[BillLine], int]:
    """Return the lines of a bill (a file, or a folder of files), also those of 0 for a day and a model, and how many
    rows it has. `rates`: USD for one unit of each other currency. `named`: columns by role (day, model, cost, currency)
    that differ from the known ones. `mark`: of decimals. Raises QueryError with the line that cannot be read."""
    found: list[BillLine] = []
    count = 0
    for file in files_of([path]):
        names: dict[str, str] = {}
        for line, row in _rows(file):
            names = names or _columns(list(row), named)
            count += 1
            day, model, amount, currency = (row[name].strip() if name else "" for name in names.values())
            cost = _cost(amount, names["cost"], currency.upper() or "USD", rates, line, mark=mark)
            if cost or (day and model):
                found.append(BillLine(_day(day, zone, line), model or "(no model)", cost))
    if not count:
        raise QueryError(f"{path} has no rows", "give a bill with at least one")
    return found, count


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open("rb") as opened:
        for line, row in enumerate(rows_of(path, opened), 2):
            if BROKEN in row:
                message = f"{path}, line {line} has more or fewer cells than the first line"
                raise QueryError(message, "fix the file")
            yield line, {name: "" if value is None else _text(value) for name, value in row.items()}


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _columns(names: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """Return the columns of a file that hold the day, the model, the cost and the currency; "" without the last."""
    lower = {name.lower(): name for name in names}
    found = {}
    for role, known in _KNOWN.items():
        if role in named and named[role] not in names:
            raise QueryError(f"the file has no column {named[role]}", f"it has {', '.join(names)}")
        likely = (lower[name.lower()] for name in known if name.lower() in lower)
        found[role] = named.get(role) or next(likely, "")
        if not found[role] and role != "currency":
            hint = f"say which: --column {role}=NAME, one of {', '.join(names)}"
            raise QueryError(f"no column of the file is known as its {role}", hint)
    return found


def _cost(
    text: str, column: str, currency: str, rates: Mapping[str, Decimal], line: int, *, mark: Mark
) -> int:
    """Return the cost in pico-USD, rounded half to even where a bill is finer."""
    try:
        cost = number(text, column, mark=mark, currency=currency) or Decimal(0)
    except Invalid as error:
        raise QueryError(f"line {line}: {error.message}", "write it as 12.50") from None
    if currency != "USD":
        if currency not in rates:
            hint = f"say what one is worth: --rate {currency}=1.08"
            raise QueryError(f"line {line}: the bill is in {currency}", hint)
        cost = _WIDE.multiply(cost, rates[currency])
    return int(_WIDE.quantize(_WIDE.scaleb(cost, 12), Decimal(1)))


def _day(text: str, zone: ZoneInfo, line: int) -> date:
    """Return the local day of a time; a plain date is what it says."""
    text = text.strip().removesuffix(" UTC")
    try:
        if text.isdigit() and len(text) >= 9:
            return datetime.fromtimestamp(int(text), UTC).astimezone(zone).date()
        if len(text) == 10:
            return date.fromisoformat(text)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise QueryError(f"line {line}: {text!r} is not a day", "write it as 2026-11-24") from None
    return (at if at.tzinfo is None else at.astimezone(zone)).date()
