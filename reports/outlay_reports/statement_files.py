"""How the files of a month's statements are called: one name for each unit, whatever it is called."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from outlay_reports.chargeback import Statement
from outlay_reports.report_builders import AMOUNTS
from outlay_reports.report_table import Column, ReportTable, Row, Spent
from outlay_schemas.digests import digest
from outlay_schemas.dimensions import name_of

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
_TAKEN = {"index", "unassigned"}
_NAME_LENGTH = 40
"""Most characters that a name keeps of a unit's own."""


def file_names(month: str, units: Iterable[str]) -> dict[str, str]:
    """Return the name of each unit's files, without folder and suffix: `2026-11-growth`.

    A unit of a-z, 0-9, `-` and `_` keeps its name. Any other gets those characters of its name and a hash, so that
    `R&D`, `R D` and `R-D` differ, also on case-insensitive disks.
    """
    return {
        unit: f"{month}-{unit if _PLAIN.match(unit) and unit not in _TAKEN else _hashed(unit)}"
        for unit in units
    }


def _hashed(unit: str) -> str:
    plain = "".join(sign if sign.isalnum() else "-" for sign in unicodedata.normalize("NFC", unit))
    return f"{plain.strip('-')[:_NAME_LENGTH] or 'unassigned'}.{digest([unit])[:12]}"


def index_table(month: str, by: str, statements: Sequence[Statement], names: dict[str, str]) -> ReportTable:
    """Return which files each unit has, and what its statement comes to."""
    rows = tuple(
        Row(
            (
                name_of(one.unit),
                Spent(one.amended, one.unpriced),
                f"{names[one.unit]}.html",
                f"{names[one.unit]}.csv",
            )
        )
        for one in statements
    )
    columns = (
        Column(by, by.replace("_", " ")), AMOUNTS["charged"],
        Column("page", "page"), Column("csv", "CSV"),
    )  # fmt: skip
    total = Spent(sum(one.amended for one in statements), sum(one.unpriced for one in statements))
    return ReportTable("statements", f"Statements, {month}", columns, rows, Row(("", total, "", "")))
