"""`outlay catalog`: lint, diff, show."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.commands import CALL, GPU, answer, ndjson, run

from outlay.catalog.diff import changes
from outlay.catalog.load import load, load_default

BOOK = """name: own
version: "{version}"
rules:
  - id: box
    sku: p5.48xlarge
    kind: compute
    prices: [{{checked: 2026-11-01, source: "https://example.com", meters: {{compute_seconds: {{price: {price}}}}}}}]
"""


def folder(place: Path, price: str = "0.01", version: str = "1", **parts: str) -> Path:
    (place / "price_books").mkdir(parents=True)
    (place / "price_books" / "own.yaml").write_text(BOOK.format(price=price, version=version))
    for name, text in parts.items():
        (place / f"{name}.yaml").write_text(text)
    return place


def test_check_tells_every_problem_and_fails(tmp_path: Path) -> None:
    wrong = folder(tmp_path / "a", price="-1", owners="- {key: user}\n")
    result = run("catalog", "check", wrong)
    assert result.exit_code == 1
    assert "price_books/own.yaml:7: rules[0].prices[0].meters.compute_seconds.price" in result.stderr
    assert "owners.yaml:1: [0].value: Field required — add `value:`" in result.stderr
    problems = answer(run("catalog", "check", wrong, "--json"))["problems"]
    assert {
        "file": "owners.yaml",
        "line": 1,
        "path": "[0].sets",
        "message": "Field required",
        "hint": "add `sets:`",
    } in (problems)


def test_check_says_what_is_right_and_what_is_old(tmp_path: Path) -> None:
    result = run("catalog", "check", folder(tmp_path / "a"))
    assert result.exit_code == 0
    assert "is valid" in result.stdout
    assert "1 own" in result.stdout
    assert answer(run("catalog", "check", "--json"))["problems"] == []
    old = folder(tmp_path / "old")
    book = old / "price_books" / "own.yaml"
    book.write_text(book.read_text().replace("2026-11-01", "2024-01-01"))
    (stale,) = answer(run("catalog", "check", old, "--json"))["stale"]
    assert stale["name"] == "price book own"
    assert "1 of 1 prices were last compared with their source more than 365 days ago" in stale["message"]


def test_plan_shows_what_changes_and_what_that_comes_to(tmp_path: Path) -> None:
    old = folder(tmp_path / "old")
    new = folder(
        tmp_path / "new",
        "0.02",
        negotiated="- {id: edp, match: {provider: anthropic}, discount_percent: 10}\n",
    )
    usage = tmp_path / "usage.ndjson"
    usage.write_bytes(ndjson(CALL, GPU))
    words = ("catalog", "plan", new, "--against", old, "--usage", usage)
    found = answer(run(*words, "--json"))
    assert [(change["what"], change["thing"]) for change in found["changes"]] == [
        ("changed", "price book own: box"),
        ("added", "negotiated: edp"),
    ]
    assert found["changes"][0]["details"] == ["prices[0].meters.compute_seconds.price: 0.01 → 0.02"]
    assert found["impact"]["total"]["change"] == "35.99949852"
    shown = run(*words).stdout
    assert "price book own: box" in shown
    assert "35.99949852" in shown


def test_plan_names_bad_lines_of_usage(tmp_path: Path) -> None:
    same = folder(tmp_path / "a")
    usage = tmp_path / "usage.ndjson"
    usage.write_bytes(ndjson(b"no\n", GPU))
    result = run("catalog", "plan", same, "--against", same, "--usage", usage)
    assert result.exit_code == 1
    assert "line 1: $: this is not JSON" in result.stderr
    assert "nothing in the catalog changes" in result.stdout


def test_changes_name_each_thing_once(tmp_path: Path) -> None:
    one = load(
        folder(tmp_path / "a", budgets="- {id: a, name: A, amount: 5}\n", usage="contradictions: unpriced\n")
    )
    other = load(folder(tmp_path / "b", version="2", budgets="- {id: b, name: A, amount: 5}\n"))
    assert changes(one, one) == []
    assert [(change.what, change.thing, change.details) for change in changes(one, other)] == [
        ("changed", "price book own", ["version: 1 → 2"]),
        ("removed", "usage", []),
        ("removed", "budgets: a", []),
        ("added", "budgets: b", []),
    ]


def test_changes_in_model_prices_are_reported_by_model() -> None:
    ours = load_default()
    assert ours.rates is not None
    providers = [
        {
            **raw,
            "models": [model for model in raw["models"] if (raw["id"], model["id"]) != ("openai", "gpt-4o")],
        }
        for raw in ours.rates.providers
    ]
    other = ours.model_copy(update={"rates": ours.rates.model_copy(update={"providers": providers})})
    assert [str(change.thing) for change in changes(ours, other)] == ["model openai/gpt-4o"]


def test_show_explains_a_price_at_a_time() -> None:
    words = ("catalog", "show", "p5.48xlarge", "--provider", "aws")
    then, now = (
        answer(run(*words, "--at", at, "--json"))[0]["prices"][0] for at in ("2025-01-01", "2026-01-01")
    )
    assert then["ref"].startswith("aws-compute@")
    assert (then["prices"][0]["price"], now["prices"][0]["price"]) == ("98.32", "55.04")
    assert now["source"].startswith("https://github.com/aws/karpenter-provider-aws/blob/")
    shown = run(*words, "--at", "2026-01-01").stdout
    assert "55.04 USD" in shown
    assert "(of 2026-07-20, in force since 2025-06-01)" in shown


def test_show_finds_by_pattern_and_by_name_alone() -> None:
    boxes = answer(run("catalog", "show", "p*xlarge", "--provider", "aws", "--json"))
    assert {"p5.48xlarge", "p4d.24xlarge"} <= {item["sku"] for item in boxes}
    alone = answer(run("catalog", "show", "claude-sonnet-4-5", "--json"))
    assert "anthropic" in {item["provider"] for item in alone}
    everything = answer(run("catalog", "show", "--provider", "aws", "--json"))
    assert len(everything) > 20
    assert "more names" in run("catalog", "show", "--provider", "aws").stdout


def test_show_says_when_there_is_no_price() -> None:
    result = run("catalog", "show", "claude-9", "--provider", "anthropic")
    assert result.exit_code == 1
    assert "no price" in result.stdout


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_show_says_what_the_catalog_holds(words: tuple[str, ...]) -> None:
    result = run("catalog", "show", *words)
    assert "genai-prices" in result.stdout
    assert "aws-transfer" in result.stdout


def test_how_long_a_price_holds_is_shown() -> None:
    ours = answer(
        run("catalog", "show", "claude-sonnet-4-5", "--provider", "anthropic", "--at", "2026-01-01", "--json")
    )
    until = ours[0]["prices"][0]["until"]
    assert datetime.fromisoformat(until) > datetime(2026, 1, 1, tzinfo=UTC)


def test_schemas_for_editors_are_written_each_with_the_line_that_names_it(tmp_path: Path) -> None:
    lines = answer(run("catalog", "schemas", tmp_path / "schemas", "--json"))
    assert set(lines) >= {"price_books/*.yaml", "owners.yaml"}
    for line in lines.values():
        schema = json.loads(Path(line.partition("=")[2]).read_text())
        assert schema["$schema"].startswith("https://json-schema.org/")
    assert "yaml-language-server" in run("catalog", "schemas", tmp_path / "schemas").stdout
