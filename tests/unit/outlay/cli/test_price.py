"""`outlay price`: a contract that scripts rely on."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import CALL, GPU, answer, ndjson, run

from outlay.catalog import load_default
from outlay.catalog.what_if import unit_price
from outlay.cli.price import origin_of
from outlay_reports.cost_query import Sums
from outlay_reports.errors import QueryError


def costs(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_ndjson_in_ndjson_out_from_a_file_and_from_stdin(tmp_path: Path) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(ndjson(CALL, GPU))
    from_file, from_stdin = run("price", file), run("price", "-", stdin=ndjson(CALL, GPU))
    assert from_file.exit_code == 0
    assert from_file.stdout == from_stdin.stdout
    assert [(cost["id"], cost["cost"], cost["price_status"]) for cost in costs(from_file.stdout)] == [
        ("c1", "0.0050148", "priced"),
        ("g1", "55.04", "estimated"),
    ]
    assert from_file.stderr == ""


def test_a_bad_line_is_reported_with_its_place_and_the_fix_and_holds_back_no_other() -> None:
    bad = {**CALL, "usage": {"input_tokens": -1}}
    misspelt = {**CALL, "tema": "growth"}
    result = run("price", "-", stdin=ndjson(CALL, b"\n", bad, b"{]\n", misspelt, GPU))
    assert result.exit_code == 1
    assert [cost["id"] for cost in costs(result.stdout)] == ["c1", "g1"]
    lines = result.stderr.splitlines()
    assert lines[0].startswith("line 3: $.usage.input_tokens: Expected `int` >= 0")
    assert lines[1].startswith("line 4: $: this is not JSON")
    assert lines[2] == "line 5: $.tema: unknown field tema; did you mean team? [unknown_field]"


def test_bad_lines_are_reported_to_machines_too() -> None:
    result = run("price", "-", "--json", stdin=ndjson({**CALL, "id": ""}))
    (reported,) = costs(result.stderr)
    assert (reported["line"], reported["code"], reported["path"]) == (1, "wrong_type", "$.id")
    assert result.exit_code == 1


def test_nothing_in_nothing_out() -> None:
    assert (run("price", "-", stdin=b"\n \r\n").stdout, run("price", "-", stdin=b"").exit_code) == ("", 0)


def test_a_file_of_windows(tmp_path: Path) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(b"\xef\xbb\xbf" + ndjson(CALL).replace(b"\n", b"\r\n"))
    assert costs(run("price", file).stdout)[0]["cost"] == "0.0050148"


def test_as_of_another_time() -> None:
    (then,) = costs(run("price", "-", "--at", "2025-01-01", stdin=ndjson(GPU)).stdout)
    assert (then["cost"], then["time"]) == ("98.32", "2025-01-01T00:00:00Z")


@pytest.mark.parametrize("text", ["2025-01-01T00:00:00", "yesterday", "0001-01-01T00:00:00+14:00", ""])
def test_a_time_without_a_zone_is_no_time(text: str) -> None:
    result = run("price", "-", "--at", text, stdin=b"")
    assert result.exit_code == 1
    assert "2026-01-31T00:00:00Z" in result.stderr


def test_by_a_catalog_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "price_books").mkdir()
    (tmp_path / "price_books" / "own.yaml").write_text(
        "name: own\nversion: '1'\nrules:\n"
        "  - {id: box, sku: p5.48xlarge, kind: compute, prices: [{meters: {compute_seconds: {price: 0.01}}}]}\n"
    )
    assert costs(run("price", "-", "--catalog", tmp_path, stdin=ndjson(GPU)).stdout)[0]["cost"] == "36"


def test_a_catalog_with_problems_prices_nothing_and_names_them_all(tmp_path: Path) -> None:
    (tmp_path / "budgets.yaml").write_text("- {id: a, name: A, amount: 0}\n- {id: b, name: B}\n")
    result = run("price", "-", "--catalog", tmp_path, stdin=ndjson(GPU))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "budgets.yaml:1: [0].amount" in result.stderr
    assert "budgets.yaml:2: [1].amount" in result.stderr


def test_what_if_another_model_had_answered() -> None:
    (cost,) = costs(run("price", "-", "--as-model", "anthropic/claude-haiku-4-5", stdin=ndjson(CALL)).stdout)
    assert (cost["sku"], cost["cost"]) == ("claude-haiku-4-5", "0.0016716")


def test_what_if_shows_the_difference_by_group() -> None:
    words = ("price", "-", "--as-model", "anthropic/claude-haiku-4-5", "--compare", "--by", "team")
    found = answer(run(*words, "--json", stdin=ndjson(CALL, GPU)))
    assert found["total"]["change"] == "-0.0033432"
    assert found["groups"][0]["group"] == {"team": "growth"}
    assert "-0.0033432" in run(*words, stdin=ndjson(CALL, GPU)).stdout


def test_what_if_a_book_came_first() -> None:
    (cost,) = costs(run("price", "-", "--as-book", "aws-compute", stdin=ndjson(GPU)).stdout)
    assert cost["cost"] == "55.04"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--as-model", "claude"), "write provider/model"),
        (("--as-model", "anthropic/claude-9"), "anthropic/claude-9 has no price"),
        (("--as-model", "nowhere/x"), "nowhere/x has no price"),
        (("--as-book", "x"), "no price book is called 'x'; there are: aws-compute"),
        (("--compare",), "nothing to compare with"),
        (("--compare", "--by", "colour", "--as-book", "aws-compute"), 'unknown dimension "colour"'),
    ],
)
def test_a_what_if_that_makes_no_sense_is_refused(words: tuple[str, ...], message: str) -> None:
    result = run("price", "-", *words, stdin=ndjson(CALL))
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr


def test_a_file_that_is_not_there() -> None:
    result = run("price", "/nowhere/usage.ndjson")
    assert result.exit_code == 1
    assert "is not a file" in result.stderr


def test_what_a_model_that_was_not_used_would_charge_a_token() -> None:
    """1,000 calls of 10,000 tokens, 4,000 of them cached: an average call, so that no tier of long calls is reached."""
    used = Sums(0, 1000, 0, {
        "input_tokens": Decimal(9_000_000), "cache_read_tokens": Decimal(4_000_000),
        "output_tokens": Decimal(1_000_000),
    })  # fmt: skip
    content, at = load_default(), datetime(2026, 11, 24, tzinfo=UTC)
    expected = Fraction(5_000 * 3_000_000 + 4_000 * 300_000 + 1_000 * 15_000_000, 10_000)
    for name in ("claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"):
        assert unit_price(content, name, used, at) == expected
    assert unit_price(content, "openrouter/deepseek/deepseek-r1:free", used, at) == 0
    with pytest.raises(QueryError, match="claude-sonet-4-5 has no price in the catalog") as refused:
        unit_price(content, "claude-sonet-4-5", used, at)
    assert "claude-sonnet-4-5" in refused.value.hint


def test_a_price_without_a_source_says_so() -> None:
    assert origin_of("", "", "2026-11-01") == (
        "source not stated (never compared with its source, in force since 2026-11-01)"
    )
