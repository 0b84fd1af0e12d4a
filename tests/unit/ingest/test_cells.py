"""Numbers in cells are read as a person would, or refused by name."""

from decimal import Decimal

import pytest

from outlay_ingest.domain.tables import Mark, number
from outlay_schemas.errors import Invalid


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12,345", "12345"), ("$1,234.56", "1234.56"), ("1,234,567.89", "1234567.89"), ("12 345", "12345"),
        ("12\u00a0345.5", "12345.5"), ("12'345", "12345"), ("(5.00)", "-5"), ("($1,234.56)", "-1234.56"),
        ("$(5)", "-5"), ("-$5", "-5"), ("$-5", "-5"), ("5-", "-5"), ("\u22125", "-5"), ("USD 7", "7"), ("7 USD", "7"),
        ("US$ 7", "7"), (" 8 ", "8"), ("1E5", "100000"), (".5", "0.5"), ("5.", "5"), ("+5", "5"), ("0", "0"),
        ("0.000000000001", "0.000000000001"), (7, "7"), (0.1, "0.1"), (Decimal("1.50"), "1.5"),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(cell: object, value: str) -> None:
    assert number(cell, "$.cost", currency="USD") == Decimal(value)


@pytest.mark.parametrize("cell", [None, "", "  ", "\t"])
def test_an_empty_cell_is_none(cell: object) -> None:
    assert number(cell, "$.cost") is None


@pytest.mark.parametrize(
    ("cell", "value"),
    [("12,5", "12.5"), ("1.234,56", "1234.56"), ("12,345", "12.345"), ("1.234", "1234"), ("-0,5", "-0.5")],
)
def test_a_decimal_comma_by_option(cell: str, value: str) -> None:
    assert number(cell, "$.cost", mark="comma") == Decimal(value)


@pytest.mark.parametrize(
    ("cell", "mark", "answered"),
    [
        ("#N/A", "point", "'#N/A' is not a number"), ("n/a", "point", "not a number"), ("-", "point", "not a number"),
        ("NaN", "point", "not a number"), ("inf", "point", "not a number"), ("12%", "point", "not a number"),
        ("1,23,456", "point", "not a number"), ("5 6", "point", "not a number"), ("1e99999", "point", "not a number"),
        ("12,5", "point", "give --decimal comma"), ("1.234,56", "point", "give --decimal comma"),
        ("1,234.56", "comma", "give --decimal point"), ("€5", "point", "not in USD"), ("5 EUR", "point", "not in USD"),
        (True, "point", "not a number"), ([1], "point", "not a number"), (float("nan"), "point", "not a number"),
    ],
)  # fmt: skip
def test_what_is_not_a_number_is_refused_by_name(cell: object, mark: Mark, answered: str) -> None:
    with pytest.raises(Invalid, match=answered) as refused:
        number(cell, "$.cost", mark=mark, currency="USD")
    assert (refused.value.code, refused.value.path) == ("wrong_type", "$.cost")
