"""Tables and reports on a terminal, in a pipe and in a file: nothing that people need is cut."""

import io
from pathlib import Path

import pytest
from tests.support.commands import CALL, ndjson, run

from outlay.cli.options import format_for
from outlay.cli.output import CommandError, SafeConsole, print_grid, unknown
from outlay.cli.report_query import Output
from outlay_reports.report_table import Column, ReportTable, Row, Spent

ID = "0af7651916cd43dd8448eb211c80319c"
TITLE = "Developer tools budget: 119% used ($95.06 of $80.00), and it began to rise on Friday afternoon"
FORMATS = ("table", "csv", "json", "markdown")
HEAD = [("title", False), ("cost", True), ("id", False)]
ROW = ([TITLE, "$1,234,567.123456789012", ID], "")


def shown(width: int | None) -> str:
    """Return the table on a terminal of this width; None: in a pipe."""
    text = io.StringIO()
    console = SafeConsole(file=text, highlight=False)
    if width:
        console = SafeConsole(file=text, highlight=False, force_terminal=True, width=width, no_color=True)
    print_grid(console, HEAD, [ROW, ROW])
    return text.getvalue()


def test_a_table_in_a_pipe_is_as_wide_as_it_must_be() -> None:
    lines = shown(None).splitlines()
    assert len(lines) == 3
    assert all(cell in lines[1] for cell in ROW[0])


@pytest.mark.parametrize("width", [100, 140])
def test_a_narrow_terminal_wraps_texts_and_no_id_and_no_amount(width: int) -> None:
    lines = shown(width).splitlines()
    assert len(lines) > 3
    assert sum(ID in line for line in lines) == 2
    assert sum("$1,234,567.123456789012" in line for line in lines) == 2
    assert " ".join(shown(width).split()).count("Friday") == 2


def test_a_very_narrow_terminal_shows_each_row_as_a_block() -> None:
    text = shown(50)
    for cell in ROW[0]:
        assert text.count(cell) == 2
    assert "…" not in text


def test_a_report_in_a_file_is_whole(tmp_path: Path) -> None:
    table = ReportTable(
        "top",
        "Top",
        (Column("team", "team"), Column("usd", "cost", "usd")),
        (Row((TITLE * 4, Spent(10**12))),),
    )
    for name in ("top.txt", "top.csv", "top.md", "top.json"):
        Output(file=tmp_path / name).write(table)
        assert TITLE * 4 in (tmp_path / name).read_text(), name
    assert (tmp_path / "top.csv").read_text().startswith("team,usd\n")
    assert (tmp_path / "top.json").read_text().startswith("{")


@pytest.mark.parametrize("name", ["top.xlsx", "top.xls", "top.pdf", "top.parquet"])
@pytest.mark.parametrize("form", [None, "csv"])
def test_a_file_that_cannot_be_written_is_refused(name: str, form: str | None) -> None:
    with pytest.raises(CommandError, match="does not write") as refused:
        format_for(FORMATS, form, Path(name), "table")
    assert "csv" in refused.value.hint


def test_an_ending_without_a_format_is_refused_unless_one_is_given() -> None:
    with pytest.raises(CommandError, match="names no format"):
        format_for(FORMATS, None, Path("top.log"), "table")
    assert format_for(FORMATS, "csv", Path("top.log"), "table") == "csv"
    assert format_for(FORMATS, None, None, "table") == "table"


def test_an_unknown_name_suggests_the_one_that_was_meant() -> None:
    assert unknown("team", "grwoth", ["growth", "platform"]).hint.startswith('did you mean "growth"?')
    assert unknown("team", "zzz", ["growth", "platform"]).hint == "use one of: growth, platform"
    assert unknown("key", "zzz", [], "see: outlay keys list").hint == "see: outlay keys list"


def test_an_unknown_model_ends_with_an_error_and_a_suggestion() -> None:
    result = run("catalog", "show", "claude-sonet-4-5")
    assert result.exit_code == 1
    assert 'did you mean "claude-sonnet-4-5"?' in result.stderr


def test_a_misspelt_meter_is_warned_about() -> None:
    result = run("price", "-", stdin=ndjson({**CALL, "usage": {"input_token": 5}}))
    assert result.exit_code == 0
    assert 'meter "input_token" has no price; did you mean "input_tokens"?' in result.stderr
