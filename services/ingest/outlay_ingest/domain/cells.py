"""Cells of tables, read as a person would: `12,345`, `$1,234.56`, `(5.00)`. Only an empty cell is nothing."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from outlay_schemas.errors import Invalid

Row = Mapping[str, Any]
Mark = Literal["point", "comma"]
"""What stands before the decimals."""
BROKEN = "(cells)"
"""The one key of a row that has more or fewer cells than the header; its value is the list of its cells."""

_SPACES = re.compile(r"[\s\u00a0\u202f\u2009]+")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\Z")
_GROUPED = re.compile(r"[+-]?\d{1,3}([,' \u2019]\d{3})+(\.\d*)?\Z")
_SIGNS = {"$": "USD", "us$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
_CODE = re.compile(r"[a-z]{3}\Z")
_MONEY = re.compile(r"([^\d\s().,'+-]*)\s*(.*?)\s*([^\d\s().,'+-]*)\Z", re.DOTALL)


def number(value: object, path: str, *, mark: Mark = "point", currency: str = "") -> Decimal | None:
    """Return the number of a cell, exact; None if the cell is empty.

    Groups of thousands may be parted by commas (with `mark="comma"`: points), spaces or apostrophes; parentheses and a
    minus at the end are negative. `currency`: a sign or code of this one may stand beside it. Raises Invalid with
    `path` for everything else, such as `#N/A`.
    """
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
    text = _without_currency(text, currency, value, path)
    inner, minus = _unsigned(text)
    found = _read(inner, mark, value, path)
    return -found if negative != minus else found


def check_width(row: Row) -> None:
    """Raise Invalid for a row whose cells are not those of the header: its values would be other columns'."""
    if BROKEN in row:
        raise Invalid(
            "wrong_type",
            "the row has more or fewer cells than the header; quote cells that hold the separator",
        )


def _unsigned(text: str) -> tuple[str, bool]:
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip(), True
    if text.endswith("-") and len(text) > 1:
        return text[:-1].strip(), True
    if text.startswith("-") and len(text) > 1:
        return text[1:].strip(), True
    return text, False


def _without_currency(text: str, currency: str, value: object, path: str) -> str:
    match = _MONEY.match(text)
    said = "" if match is None or (match[1] and match[3]) else (match[1] or match[3]).lower()
    if match is None or not match[2] or not currency or not (said in _SIGNS or _CODE.match(said)):
        return text
    known = _SIGNS.get(said, said.upper())
    if known != currency:
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
