"""Rows of tables as usage events, by a mapping of columns; and identities for rows that have none."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

import msgspec

from outlay_ingest.domain.coercion import count, is_number, moment, money, text, texts
from outlay_ingest.domain.decoded_items import Item
from outlay_schemas.digests import digest
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Activity, Kind, Quantity, UsageEvent

Row = Mapping[str, Any]
Mark = Literal["point", "comma"]
"""What stands before the decimals."""
BROKEN = "(cells)"
"""The one key of a row that has more or fewer cells than the header; its value is the list of its cells."""

_SPACES = re.compile(r"[\s\u00a0\u202f\u2009]+")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\Z")
_GROUPED = re.compile(r"[+-]?\d{1,3}([,' \u2019]\d{3})+(\.\d*)?\Z")
_NEGATIVE = re.compile(r"(?:\((.*)\)|(.+)-|-(.+))\Z", re.DOTALL)
_SIGNS = {"$": "USD", "us$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
_CODE = re.compile(r"[a-z]{3}\Z")
_MONEY = re.compile(r"([^\d\s().,'+-]*)\s*(.*?)\s*([^\d\s().,'+-]*)\Z", re.DOTALL)


def number(value: object, path: str, *, mark: Mark = "point", currency: str = "") -> Decimal | None:
    """Return the number of a cell, exact; None if the cell is empty. Groups of thousands may be parted by commas
    (with `mark="comma"`: points), spaces or apostrophes; parentheses and a minus at the end are negative. `currency`:
    a sign or code of this one may stand beside it. Raises Invalid with `path` for everything else, such as `#N/A`."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _not_a_number(value, path)
    if not isinstance(value, str):
        found = Decimal(str(value))
        if not found.is_finite():
            raise _not_a_number(value, path)
        return found
    text, negative = _unsigned(_SPACES.sub(" ", value).strip().replace("\u2212", "-"))
    text, minus = _unsigned(_without_currency(text, currency, value, path))
    found = _read(text, mark, value, path)
    return -found if negative != minus else found


def check_width(row: Row) -> None:
    """Raise Invalid for a row whose cells are not those of the header: its values would be other columns'."""
    if BROKEN in row:
        detail = "the row has more or fewer cells than the header; quote cells that hold the separator"
        raise Invalid("wrong_type", detail)


def _unsigned(text: str) -> tuple[str, bool]:
    match = _NEGATIVE.match(text)
    return (match[match.lastindex or 0].strip(), True) if match else (text, False)


def _without_currency(text: str, currency: str, value: object, path: str) -> str:
    match = _MONEY.match(text)
    said = "" if match is None or (match[1] and match[3]) else (match[1] or match[3]).lower()
    if match is None or not match[2] or not currency or not (said in _SIGNS or _CODE.match(said)):
        return text
    if _SIGNS.get(said, said.upper()) != currency:
        raise Invalid("wrong_type", f"{str(value)[:60]!r} is not in {currency}", path)
    return match[2]


def _read(text: str, mark: Mark, value: object, path: str) -> Decimal:
    swapped = text.translate(str.maketrans(",.", ".,"))
    plain, otherwise = (swapped, text) if mark == "comma" else (text, swapped)
    if _PLAIN.match(plain):
        return Decimal(plain)
    if _GROUPED.match(plain):
        return Decimal(re.sub(r"[,' \u2019]", "", plain))
    if _PLAIN.match(otherwise) or _GROUPED.match(otherwise):
        name = "comma" if mark == "point" else "point"
        detail = f"{str(value)[:60]!r} has a decimal {name}; if the file has, give --decimal {name}"
        raise Invalid("wrong_type", detail, path)
    raise _not_a_number(value, path)


def _not_a_number(value: object, path: str) -> Invalid:
    return Invalid("wrong_type", f"{str(value)[:60]!r} is not a number", path)


_ACTIVITIES = get_args(Activity)


class ColumnMap(msgspec.Struct, forbid_unknown_fields=True):
    """Which column holds what. A value that starts with `=` is the value itself: `kind: =compute`."""

    source: str
    time: str
    sku: str
    usage: Annotated[dict[str, str], msgspec.Meta(min_length=1)]
    """Meter → column."""
    id: str | None = None
    """Without it, an id is made of the whole row: the same row again counts once, and twice if it is there twice."""
    kind: str = "=custom"
    activity: str | None = None
    provider: str | None = None
    project: str | None = None
    team: str | None = None
    use_case: str | None = None
    user: str | None = None
    business_unit: str | None = None
    reported_cost: str | None = None
    tags: dict[str, str] = {}
    attributes: dict[str, str] = {}
    time_format: str | None = None
    """As of strptime; by default RFC 3339, or seconds since 1970."""
    time_zone: str = "UTC"
    """Of times that name none."""


def read_mapping(raw: object) -> ColumnMap:
    """Read a mapping. Raises Invalid with the place of what is wrong."""
    try:
        mapping = msgspec.convert(raw, ColumnMap)
        ZoneInfo(mapping.time_zone)
    except (msgspec.ValidationError, KeyError, ValueError) as error:
        raise Invalid("mapping_invalid", str(error)) from None
    return mapping


class Identities:
    """Ids made of content. The second and third of equal rows have ids of their own, at each try the same."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def of(self, parts: Iterable[str]) -> str:
        """Return the id of a row: parts are hashed with their lengths, so that moving a border changes it."""
        found = digest(parts)
        self._seen[found] += 1
        again = self._seen[found]
        return found if again == 1 else f"{found}-{again}"


def read_rows(rows: Iterable[Row], mapping: ColumnMap, mark: Mark = "point") -> Iterator[Item]:
    """Read rows by a mapping; the first row is number 2, as in a table with its header. `mark`: of decimals."""
    identities = Identities()
    for line, row in enumerate(rows, 2):
        try:
            found: UsageEvent | Invalid = _event(row, mapping, identities, mark)
        except Invalid as why:
            found = why
        yield Item(found, partial(msgspec.json.encode, dict(row)), f"row {line}")


def _event(row: Row, mapping: ColumnMap, identities: Identities, mark: Mark) -> UsageEvent:
    check_width(row)
    cell = partial(_value, row)
    named: dict[str, Any] = {
        name: _one_of(row, column, known, name)
        for name, column, known in (
            ("kind", mapping.kind, get_args(Kind)),
            ("activity", mapping.activity, _ACTIVITIES),
        )
        if column
    }
    owners: dict[str, Any] = {name: text(cell(getattr(mapping, name))) for name in OWNERS}
    amounts = {meter: amount_of(column, cell(column), mark) for meter, column in mapping.usage.items()}
    cost = number(cell(mapping.reported_cost), f"$.{mapping.reported_cost}", mark=mark, currency="USD")
    return UsageEvent(
        id=text(cell(mapping.id)) or identities.of(f"{name}={value}" for name, value in row.items()),
        source=text(cell(mapping.source)) or "import",
        time=_time(row, mapping),
        provider=text(cell(mapping.provider)) or "",
        sku=text(cell(mapping.sku)) or "",
        usage={meter: amount for meter, amount in amounts.items() if amount},
        **named,
        **owners,
        tags=texts({name: cell(column) for name, column in mapping.tags.items()}),
        attributes=texts({name: cell(column) for name, column in mapping.attributes.items()}),
        reported_cost=money(cost),
    )


def amount_of(column: str, value: object, mark: Mark) -> Quantity | None:
    """Return the quantity of a cell, None if it is empty. Raises Invalid, also where it is negative."""
    found = number(value, f"$.{column}", mark=mark)
    if found is not None and found < 0:
        raise Invalid("wrong_type", f"{str(value)[:60]!r} is negative; a quantity is not", f"$.{column}")
    return count(found)


def _value(row: Row, column: str | None) -> Any:
    if column is None:
        return None
    if column.startswith("="):
        return column[1:]
    if column not in row:
        raise Invalid("missing_field", f"the table has no column {column}", f"$.{column}")
    return row[column]


def _one_of(row: Row, column: str, known: tuple[str, ...], name: str) -> str:
    value = str(_value(row, column))
    if value not in known:
        raise Invalid("wrong_type", f"{value[:60]!r} is not one of {', '.join(known)}", f"$.{name}")
    return value


def _time(row: Row, mapping: ColumnMap) -> datetime:
    value, form = _value(row, mapping.time), mapping.time_format
    try:
        if isinstance(value, datetime):
            time = value
        elif form is not None:
            time = datetime.strptime(str(value), form)  # noqa: DTZ007 (its zone is given below)
        elif isinstance(value, str) and not is_number(value):
            time = datetime.fromisoformat(value)
        else:
            return moment(value, "$.time")
    except ValueError as error:
        detail = f"{value[:60]!r} is not a time; set time_format" if form is None else str(error)
        raise Invalid("wrong_type", detail, "$.time") from None
    return time if time.tzinfo else time.replace(tzinfo=ZoneInfo(mapping.time_zone))
