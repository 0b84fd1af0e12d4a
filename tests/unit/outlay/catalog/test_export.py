"""A catalog written as a folder and read again is the same, and a folder never removes what it does not name."""

from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.commands import answer, run

from outlay.catalog import load, load_default
from outlay.catalog.diff import removals
from outlay.catalog.export import export, to_yaml
from outlay.catalog.publish import same_content
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget

BUDGET = "- {id: growth, name: Growth, amount: 5000.50, scope: {team: growth}}\n"
BOOK = """name: {name}
version: "1"
rules: [{{id: box, sku: box, prices: [{{meters: {{hours: {{price: 0.1000}}}}}}]}}]
"""
FILES = {
    "budgets.yaml": BUDGET,
    "owners.yaml": "- {key: user, value: 'yes', sets: {team: '2026'}, from: 2026-06-01, to: 2026-06-01T10:00:00Z}\n",
    "mute_time_intervals.yaml": "- {id: night, days: [sat], between: [22:30, 06:00]}\n",
    "channels.yaml": "- {id: mail, type: email, host: h, from: a@x.de, to: b@x.de, digest: {at: 09:00}}\n",
    "routes.yaml": "- {match: {severity: critical}, channels: mail, continue: true}\n- {channels: mail}\n",
    "rules.yaml": "- {type: threshold, id: t, name: 'no: yes', metric: cost, above: 1.50, for_minutes: 5}\n",
    "reported.yaml": "[]\n",
    "usage.yaml": "contradictions: unpriced\n",
    "price_books/zeta.yaml": BOOK.format(name="zeta"),
    "price_books/a.yaml": BOOK.format(name="own-second"),
}


def write(folder: Path, files: dict[str, str]) -> Path:
    (folder / "price_books").mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize("layered", [True, False])
def test_what_is_exported_reads_as_the_same_catalog(tmp_path: Path, layered: bool) -> None:
    content = load(write(tmp_path / "own", FILES), layered=layered)
    again = load(write(tmp_path / "exported", export(content)), layered=True)
    assert same_content(again, content)
    assert [book.name for book in again.price_books][:2] == ["own-second", "zeta"]


def test_price_books_keep_their_order_whatever_they_are_called(tmp_path: Path) -> None:
    default = load_default()
    turned = default.model_copy(update={"price_books": tuple(reversed(default.price_books))})
    assert same_content(load(write(tmp_path / "a", export(turned)), layered=True), turned)


def test_a_folder_with_only_budgets_adds_to_what_comes_with_outlay(tmp_path: Path) -> None:
    default = load_default()
    content = load(write(tmp_path / "a", {"budgets.yaml": BUDGET}), layered=True)
    assert [budget.id for budget in content.budgets] == ["growth"]
    assert (content.price_books, content.rules) == (default.price_books, default.rules)
    assert removals(default, content) == []


def test_an_empty_file_leaves_out_what_comes_with_outlay_and_that_is_a_removal(tmp_path: Path) -> None:
    files = {"rules.yaml": "", "price_books/aws-spot.yaml": "# none\n"}
    content = load(write(tmp_path / "a", files), layered=True)
    gone = removals(load_default(), content)
    assert "price book aws-spot" in gone
    assert "rules: spend-spike" in gone
    # An empty file of a part says nothing, as before; an empty list means none.
    assert content.rules == ()
    assert not any(thing.startswith(("model", "provider")) for thing in gone)


def test_numbers_are_written_as_they_were() -> None:
    budget = Budget(id="a", name="A", amount=Decimal("5000.50"))
    assert to_yaml((budget,)) == "- {id: a, name: A, amount: 5000.50, timezone: UTC}\n"
    assert Catalog.model_fields["budgets"] is not None


def test_init_writes_a_folder_that_is_valid_and_keeps_what_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "budgets.yaml").write_text(BUDGET)
    written = answer(run("catalog", "init", folder, "--json"))["written"]
    assert sorted(Path(one).name for one in written) == ["channels.yaml", "owners.yaml"]
    assert (folder / "budgets.yaml").read_text() == BUDGET
    assert "yaml-language-server" in (folder / "owners.yaml").read_text()
    assert run("catalog", "check", folder).exit_code == 0
