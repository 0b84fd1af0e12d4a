"""Every unit has files of its own, whatever it is called, and an index says whose they are."""

import csv
import io
import unicodedata
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from outlay_reports.chargeback import OWN, Line, Statement, statements
from outlay_reports.renderers import to_csv
from outlay_reports.statements import file_names, index_table

UNITS = [
    "R&D", "R D", "R-D", "r-d", "a/b", "a-b", "A-B", "", "unassigned", "index", "Закупки", "调达", "..", "=1+1", "é",
    "e\u0301",
]  # fmt: skip


def on_disk(name: str) -> str:
    """As a disk that knows neither upper case nor how a character is composed takes it."""
    return unicodedata.normalize("NFC", name).casefold()


def test_units_whose_names_are_alike_have_files_of_their_own() -> None:
    names = file_names("2026-11", UNITS)
    assert len({on_disk(name) for name in names.values()}) == len(UNITS)
    assert names["r-d"] == "2026-11-r-d"
    assert names["R&D"].startswith("2026-11-R-D.")
    assert on_disk("2026-11-index") not in {on_disk(name) for name in names.values()}


@given(st.lists(st.text(max_size=300), unique=True, max_size=20))
def test_any_names_are_apart_and_fit_for_a_file(units: list[str]) -> None:
    names = file_names("2026-11", units)
    assert len({on_disk(name) for name in names.values()}) == len(units)
    for name in names.values():
        assert "/" not in name
        assert "\0" not in name
        assert len(name.encode()) < 240


def test_the_index_adds_up_and_is_no_formula() -> None:
    lines = [Line(unit, OWN, ("m",), n * 10**12, 1) for n, unit in enumerate(UNITS, 1)]
    found: tuple[Statement, ...] = statements(lines, None)
    names = file_names("2026-11", UNITS)
    rows = list(csv.DictReader(io.StringIO(to_csv(index_table("2026-11", "business_unit", found, names)))))
    assert sum(Decimal(row["charged_usd"]) for row in rows) == sum(range(1, len(UNITS) + 1))
    assert len({row["csv"] for row in rows}) == len(UNITS)
    (formula,) = [row for row in rows if "1+1" in row["business_unit"]]
    assert formula["business_unit"] == "'=1+1"
