"""What is really sent: a named error, or a price that says what was assumed. Never a guess in silence."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from outlay.catalog import check, load_default
from outlay.catalog.offline import Refused, price_lines
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.catalog import Catalog, FxRate, decode_catalog, encode_catalog
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import CostEvent

PRICE = partial(price, catalog=CompiledCatalog(load_default()))
CALL = {
    "id": "c1",
    "source": "api",
    "time": "2026-11-24T01:02:03Z",
    "kind": "llm",
    "provider": "anthropic",
    "sku": "claude-sonnet-4-5",
    "usage": {"input_tokens": 100, "output_tokens": 10},
}
CONTRADICTORY = "usage_contradictory"
EGRESS = {**CALL, "kind": "transfer", "provider": "aws", "sku": "internet-egress", "usage": {"gb": 5}}


def answer(line: dict[str, Any] | bytes) -> CostEvent | Refused:
    (found,) = price_lines([line if isinstance(line, bytes) else json.dumps(line).encode()], PRICE)
    return found


def used(**usage: Any) -> dict[str, Any]:
    return {**CALL, "usage": usage}


def raw(old: bytes, new: bytes) -> bytes:
    return json.dumps(CALL).encode().replace(old, new)


@pytest.mark.parametrize(
    ("line", "code", "path"),
    [
        (used(input_tokens=-1), "wrong_type", "$.usage.input_tokens"),
        (used(input_tokens=-0.5), "usage_negative", "$.usage.input_tokens"),
        (raw(b"100", b"NaN"), "json_malformed", "$"),
        (used(input_tokens="NaN"), "usage_not_a_number", "$.usage.input_tokens"),
        (used(input_tokens="-Infinity"), "usage_not_a_number", "$.usage.input_tokens"),
        (used(input_tokens=10**18), "wrong_type", "$.usage.input_tokens"),
        (raw(b"100", b"1e18"), "usage_out_of_range", "$.usage.input_tokens"),
        (raw(b"100", b"1e400"), "usage_out_of_range", "$.usage.input_tokens"),
        (used(input_tokens="1e99999999"), "usage_out_of_range", "$.usage.input_tokens"),
        (used(input_tokens="1e-99999999"), "usage_too_fine", "$.usage.input_tokens"),
        (used(input_tokens=1.5), "usage_fractional", "$.usage.input_tokens"),
        (used(input_tokens=True), "wrong_type", "$.usage.input_tokens"),
        (used(input_tokens=None), "wrong_type", "$.usage.input_tokens"),
        (used(prompt_tokens_details={"cached_tokens": 5}), "wrong_type", "$.usage.prompt_tokens_details"),
        (used(), "usage_empty", "$.usage"),
        (used(Input_Tokens=5), "meter_name", "$.usage.Input_Tokens"),
        (used(input_tokens=5, prompt_tokens=6), "usage_contradictory", "$.usage.prompt_tokens"),
        (used(input_tokens=5, cache_read_tokens=6), "usage_contradictory", "$.usage"),
        (used(cache_read_tokens=6), "usage_contradictory", "$.usage"),
        (used(input_tokens=5, output_tokens=5, reasoning_tokens=6), CONTRADICTORY,
         "$.usage.output_reasoning_tokens"),
        (used(input_tokens=9, cache_write_tokens=5, cache_write_5m_tokens=6), CONTRADICTORY,
         "$.usage.cache_write_5m_tokens"),
        ({**CALL, "attributes": {"usage_convention": "mine"}}, "usage_convention", "$.attributes.usage_convention"),
        ({**CALL, "sku": ""}, "wrong_type", "$.sku"),
        ({name: value for name, value in CALL.items() if name != "sku"}, "missing_field", "$.sku"),
        ({**CALL, "sku": "a" * 300}, "wrong_type", "$.sku"),
        ({**CALL, "time": "2026-11-24T01:02:03"}, "time_zone_missing", "$.time"),
        ({**CALL, "time": "9999-12-31T23:59:59-14:00"}, "time_out_of_range", "$.time"),
        ({**CALL, "time": 1764000000}, "wrong_type", "$.time"),
        ({**CALL, "reported_cost": -1}, "reported_cost_range", "$.reported_cost"),
        ({**CALL, "reported_cost": "NaN"}, "reported_cost_range", "$.reported_cost"),
        ({**CALL, "reported_cost": "1e-13"}, "reported_cost_too_fine", "$.reported_cost"),
        (b"[" * 100_000, "wrong_type", "$"),
        (raw(b"api", b"\xff\xfe"), "not_utf8", "$"),
        (raw(b"api", b"\\ud800"), "json_malformed", "$"),
        (json.dumps(CALL).encode() * 2, "json_malformed", "$"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name_and_place(line: Any, code: str, path: str) -> None:
    found = answer(line)
    assert isinstance(found, Refused), found
    assert (found.code, found.path) == (code, path), found
    assert found.message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({**CALL, "sku": "gpt#4~x+y!@"}, "model_unknown"),
        ({**CALL, "sku": " "}, "model_unknown"),
        ({**CALL, "sku": "/" * 200}, "model_unknown"),
        ({**CALL, "sku": "openrouter/" * 20 + "x"}, "model_unknown"),
        ({**CALL, "sku": "us." * 80}, "model_unknown"),
        ({**CALL, "sku": "20" * 120 + "-"}, "model_unknown"),
        ({**CALL, "provider": "", "sku": "xx"}, "provider_unknown"),
        ({**CALL, "kind": "compute"}, "sku_unknown"),
        (used(total_tokens=100), "meter_unknown"),
        (used(audio_seconds=0.1), "meter_unknown"),
        ({**CALL, "sku": "no-such", "reported_cost": 0}, "model_unknown"),
    ],
)  # fmt: skip
def test_what_has_no_price_says_why_and_costs_nothing_but_never_0(line: Any, reason: str) -> None:
    found = answer(line)
    assert isinstance(found, CostEvent)
    assert (found.cost, found.price_status) == (None, "unpriced")
    assert found.price_ref.endswith(f"#!{reason}")


@pytest.mark.parametrize(
    ("line", "cost", "assumed"),
    [
        ({**CALL, "provider": ""}, "0.00045", "~provider"),
        ({**CALL, "attributes": {"service_tier": "scale"}}, "0.00045", "~service_tier=scale"),
        ({**CALL, "attributes": {"service_tier": "Batch"}}, "0.00045", "~service_tier=Batch"),
        ({**CALL, "reported_cost": 0.1}, "0.00045", "~drift"),
        (used(input_tokens=100, cache_write_5m_tokens=6), "0.0003045", "~cache_write_total"),
        (EGRESS, "0.45", "~region~position"),
        ({**EGRESS, "attributes": {"month_position_gb": "-5"}}, "0.45", "~region~position"),
        ({**EGRESS, "attributes": {"month_position_gb": "NaN"}}, "0.45", "~region~position"),
        ({**EGRESS, "attributes": {"month_position_gb": "1e999999999"}}, "0.45", "~region~position"),
        ({**EGRESS, "attributes": {"month_position_gb": "1e-999999999"}}, "0.45", "~region~position"),
    ],
)  # fmt: skip
def test_what_is_assumed_is_said(line: Any, cost: str, assumed: str) -> None:
    found = answer(line)
    assert isinstance(found, CostEvent)
    assert found.cost == cost
    assert found.price_ref.endswith(assumed), found.price_ref


@pytest.mark.parametrize(
    ("line", "cost"),
    [
        (used(input_tokens=100.0, output_tokens="10"), "0.00045"),
        (used(input_tokens=10**15), "6000000000"),
        (used(input_tokens=5, prompt_tokens=5), "0.000015"),
        ({**CALL, "sku": "CLAUDE-SONNET-4-5"}, "0.00045"),
        ({**CALL, "time": "2026-11-24T01:02:03.123456789+14:00"}, "0.00045"),
        ({**CALL, "attributes": {"service_tier": ""}}, "0.00045"),
        (
            {**used(input_tokens=5, cache_read_tokens=6),
             "attributes": {"usage_convention": "input_excludes_cache input_excludes_cache"}},
            "0.0000168",
        ),
    ],
)  # fmt: skip
def test_odd_spellings_of_what_is_certain_are_priced_without_a_guess(line: Any, cost: str) -> None:
    found = answer(line)
    assert isinstance(found, CostEvent)
    assert (found.cost, found.price_status) == (cost, "priced")
    assert "~" not in found.price_ref


BOOK = """name: own
version: '1'
currency: {currency}
rules:
  - {{id: a, sku: a, prices: [{{meters: {{gb: {{price: {price}}}}}}}]}}
"""


def _problems(folder: Path, price: str = "1", currency: str = "USD", **parts: str) -> list[str]:
    (folder / "price_books").mkdir()
    (folder / "price_books" / "own.yaml").write_text(BOOK.format(price=price, currency=currency))
    for name, text in parts.items():
        (folder / f"{name}.yaml").write_text(text)
    return [f"{problem.file}:{problem.line} {problem.message}" for problem in check(folder)]


@pytest.mark.parametrize("price", ["1.0e+999999999", "1.0e-999999999", "1.0e+19"])
def test_a_number_beyond_calculation_is_refused_and_hangs_nothing(tmp_path: Path, price: str) -> None:
    (problem,) = _problems(tmp_path, price)
    assert "a number is at most 1000000000000000000" in problem


def test_a_currency_without_a_rate_and_a_gap_between_rates(tmp_path: Path) -> None:
    fx = "- {currency: EUR, usd: 1.1, from: 2026-03-01}\n- {currency: EUR, usd: 1.2, to: 2026-02-01}\n"
    assert _problems(tmp_path, currency="GBP", fx=fx) == [
        "fx.yaml:1 no rate for EUR from 2026-02-01 to 2026-03-01",
        "price_books/own.yaml:3 GBP has no rate",
    ]


@pytest.mark.parametrize(
    ("fx", "problem"),
    [
        ("[]", "budgets.yaml:1 EUR has no rate"),
        (
            "- {currency: EUR, usd: 1.2, to: 2026-02-01}\n",
            "budgets.yaml:1 EUR has no rate from 2026-02-01 on",
        ),
        ("- {currency: EUR, usd: 1.2}\n", None),
    ],
)
def test_a_budget_in_a_currency_needs_a_rate_without_an_end(
    tmp_path: Path, fx: str, problem: str | None
) -> None:
    budgets = "- {id: b, name: B, amount: 100, currency: EUR, timezone: UTC}\n"
    assert _problems(tmp_path, fx=fx, budgets=budgets) == ([problem] if problem else [])


def test_a_catalog_whose_budget_has_no_rate_is_refused_by_who_reads_it() -> None:
    budget = Budget(id="b", name="B", amount=Decimal(1), currency="EUR")
    rate = FxRate(currency="EUR", usd=Decimal(1))
    catalog = Catalog(revision=1, created_at=datetime(2026, 11, 1, tzinfo=UTC), budgets=(budget,), fx=(rate,))
    assert decode_catalog(encode_catalog(catalog)) == catalog
    with pytest.raises(ValueError, match="an exchange rate for EUR"):
        decode_catalog(encode_catalog(catalog.model_copy(update={"fx": ()})))


def test_an_agreed_price_for_a_meter_that_nothing_is_paid_by(tmp_path: Path) -> None:
    negotiated = "- {id: deal, match: {provider: openai}, override: {input_token: 1, gb: 2}}\n"
    assert _problems(tmp_path, negotiated=negotiated) == [
        "negotiated.yaml:1 nothing is priced by input_token"
    ]


def test_ambiguous_aliases(tmp_path: Path) -> None:
    aliases = """- {dimension: team, name: a, aliases: b}
- {dimension: team, name: b, aliases: c}
- {dimension: team, name: c, aliases: [a, x]}
- {dimension: team, name: d, aliases: x}
- {dimension: project, name: e, aliases: x}
"""
    assert _problems(tmp_path, aliases=aliases) == [
        "aliases.yaml:1 b is a name itself, and an alias of a",
        "aliases.yaml:2 c is a name itself, and an alias of b",
        "aliases.yaml:3 a is a name itself, and an alias of c",
        "aliases.yaml:4 x is an alias of c too",
    ]
