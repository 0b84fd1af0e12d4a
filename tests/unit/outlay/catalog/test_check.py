"""What `outlay catalog check` says: the file, the line, and the hint."""

from decimal import Decimal
from pathlib import Path

import pytest

from outlay.catalog import CatalogError, check, load

BOOK = """name: house
version: "1"
rules:
  - id: gpu
    sku: h100
    prices:
      - to: 2026-01-01
        meters: {gpu_seconds: {price: 4.10, per: 3600}}
      - from: 2026-01-01
        meters: {gpu_seconds: {price: 3.95, per: 3600}}
"""


def _folder(tmp_path: Path, **texts: str) -> Path:
    (tmp_path / "price_books").mkdir()
    for name, text in texts.items():
        where = tmp_path / "price_books" if name.startswith("book") else tmp_path
        (where / f"{name}.yaml").write_text(text)
    return tmp_path


def test_a_sound_folder_has_no_problem_and_keeps_every_digit(tmp_path: Path) -> None:
    folder = _folder(tmp_path, book=BOOK.replace("4.10", "0.1000000000000000055511151231257827"))
    assert check(folder) == []
    price = load(folder).price_books[0].rules[0].prices[0].meters["gpu_seconds"].price
    assert price == Decimal("0.1000000000000000055511151231257827")


def test_the_default_catalog_has_no_problem() -> None:
    import outlay.catalog

    assert check(Path(outlay.catalog.__file__).parent / "default") == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "hint"),
    [
        ("price: 4.10", "pric: 4.10", 8, "Extra inputs", "did you mean price?"),
        ("    sku: h100\n", "", 4, "Field required", "add `sku:`"),
        ("3.95", "-3.95", 10, "greater than or equal to 0", ""),
        ("3.95", ".nan", 10, "finite", ""),
        ("from: 2026-01-01", "from: 2025-12-01", 6, "prices overlap at 2025-12-01", ""),
        ("from: 2026-01-01", "from: 2026-02-01", 6, "no price from 2026-01-01 to 2026-02-01", ""),
        ("    sku: h100", "    sku: h100\n    sku: a100", 6, "already given on line 5", "keep one"),
        ("rules:", "rules: [", 4, "this is not YAML", "check indentation"),
    ],
)
def test_a_problem_is_reported_with_its_line_and_its_fix(
    tmp_path: Path, *, old: str, new: str, line: int, message: str, hint: str
) -> None:
    problems = check(_folder(tmp_path, book=BOOK.replace(old, new, 1)))
    assert problems
    first = problems[0]
    assert (first.file, first.line) == ("price_books/book.yaml", line), first
    assert message in first.message
    assert hint in first.hint


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path,
        book=BOOK.replace("price: 4.10", "price: x"),
        book2=BOOK.replace("house", "home").replace("sku: h100", "sku: [1]"),
        budgets="- {id: a, name: A, amount: 0}\n- {id: b, name: B, amount: 5, timezone: Mars/Olympus}\n",
    )
    assert [(p.file, p.line) for p in check(folder)] == [
        ("budgets.yaml", 1),
        ("budgets.yaml", 2),
        ("price_books/book.yaml", 8),
        ("price_books/book2.yaml", 5),
    ]


def test_names_are_used_once(tmp_path: Path) -> None:
    budget = "- {id: a, name: A, amount: 5}\n"
    problems = check(_folder(tmp_path, book=BOOK, book2=BOOK, budgets=budget + budget))
    assert [str(problem) for problem in problems] == [
        "budgets.yaml:2: [1]: a is already on line 1 — give it a name of its own",
        (
            "price_books/book2.yaml:1: name: price_books/book.yaml is called house too"
            " — give each book a name of its own: it is in every price reference"
        ),
    ]


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    owners = """- {key: user, value: ann, sets: {team: a}, to: 2026-03-01}
- {key: user, value: ann, sets: {team: b}, from: 2026-03-01}
- {key: user, value: ann, sets: {team: c}, from: 2026-06-01}
"""
    (problem,) = check(_folder(tmp_path, owners=owners))
    assert (problem.line, problem.message) == (3, "user ann team is also given on line 2 for the same time")


def test_a_cycle_of_aliases(tmp_path: Path) -> None:
    aliases = "- {dimension: team, name: a, aliases: b}\n- {dimension: team, name: b, aliases: a}\n"
    assert [problem.line for problem in check(_folder(tmp_path, aliases=aliases))] == [1, 2]


def test_a_cycle_of_owners(tmp_path: Path) -> None:
    owners = """- {key: user, value: u, sets: {team: a}}
- {key: team, value: a, sets: {business_unit: x}}
- {key: business_unit, value: x, sets: {team: a}}
"""
    (problem,) = check(_folder(tmp_path, owners=owners))
    assert (problem.line, problem.message) == (2, "a cycle: team a → business_unit x → team a")


def test_a_file_that_would_be_left_out(tmp_path: Path) -> None:
    (problem,) = check(_folder(tmp_path, budget="[]"))
    assert problem.message == "no part of the catalog has this name"


def test_a_catalog_with_problems_is_never_loaded(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"book\.yaml:8: .*did you mean price"):
        load(_folder(tmp_path, book=BOOK.replace("price: 4.10", "pric: 4.10")))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert [problem.message for problem in check(tmp_path / "none")] == ["there is no such folder"]


def test_price_books_in_the_folder_of_earlier_versions_are_not_left_out_silently(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()  # words: allowed
    (tmp_path / "books" / "house.yaml").write_text(BOOK)  # words: allowed
    (problem,) = check(tmp_path)
    assert (problem.file, problem.hint) == ("books/house.yaml", "move it to price_books/")  # words: allowed
