"""Usage as producers count it."""

from decimal import Decimal
from typing import Any

import pytest
from tests.support.catalogs import catalog, event, model, rates

from outlay_pricer.domain.explain import explain
from outlay_pricer.domain.pricing import price
from outlay_pricer.domain.rate_compiler.units import MAX_PARTS
from outlay_pricer.domain.usage import normalise
from outlay_schemas.errors import Invalid


@pytest.mark.parametrize(
    ("usage", "convention", "expected", "derived"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 6}, "", {"input_tokens": 5, "output_tokens": 6}, ()),
        ({"input_tokens": 5, "prompt_tokens": 5}, "", {"input_tokens": 5}, ()),
        (
            {"input_tokens": 10, "cache_write_5m_tokens": 2, "cache_write_1h_tokens": 3},
            "",
            {
                "input_tokens": 10,
                "cache_write_5m_tokens": 2,
                "cache_write_1h_tokens": 3,
                "cache_write_tokens": 5,
            },
            ("cache_write_total",),
        ),
        (
            {"input_tokens": 1, "cache_read_tokens": 2, "cache_write_tokens": 3},
            "input_excludes_cache",
            {"input_tokens": 6, "cache_read_tokens": 2, "cache_write_tokens": 3},
            (),
        ),
        (
            {"output_tokens": 1, "output_reasoning_tokens": 2, "input_tokens": 1, "total_tokens": 4},
            "input_excludes_cache, output_excludes_reasoning",
            {"output_tokens": 3, "output_reasoning_tokens": 2, "input_tokens": 1},
            (),
        ),
        ({"input_tokens": Decimal("5.0")}, "", {"input_tokens": 5}, ()),
        ({"audio_seconds": Decimal("1.5")}, "", {"audio_seconds": Decimal("1.5")}, ()),
        ({"total_tokens": 5}, "", {"total_tokens": 5}, ()),
    ],
)
def test_usage_is_brought_to_one_way_of_counting(
    usage: dict[str, Any], convention: str, expected: dict[str, Any], derived: tuple[str, ...]
) -> None:
    assert normalise(usage, convention) == (expected, derived)


@pytest.mark.parametrize(
    ("usage", "convention", "code", "words"),
    [
        ({"input_tokens": 5, "prompt_tokens": 6}, "", "usage_contradictory", "given twice, as 5 and as 6"),
        (
            {"input_tokens": 5, "output_tokens": 6, "total_tokens": 12},
            "",
            "usage_contradictory",
            "add up to 11",
        ),
        (
            {"cache_write_tokens": 6, "cache_write_5m_tokens": 3, "cache_write_1h_tokens": 4},
            "",
            "usage_contradictory",
            "parts add up to 7",
        ),
        ({"input_tokens": Decimal("5.5")}, "", "usage_fractional", "5.5 is not a whole number of tokens"),
        ({"input_tokens": 5}, "dogs_and_cats", "usage_convention", "not a usage convention"),
    ],
)
def test_contradictions_have_names(usage: dict[str, Any], convention: str, code: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        normalise(usage, convention)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 1, "cache_read_tokens": 2},
        {"cache_read_tokens": 2},
        {"input_tokens": 9, "cache_read_tokens": 5, "cache_write_tokens": 5},
        {"prompt_tokens": 1, "input_tokens": 2},
    ],
)
def test_a_tenants_policy_decides_between_the_dead_letters_and_unpriced(usage: dict[str, int]) -> None:
    data = rates(
        model(
            "plain",
            {"input_mtok": "3", "cache_read_mtok": "0.3", "cache_write_mtok": "4", "output_mtok": "1"},
        )
    )
    with pytest.raises(Invalid) as refused:
        price(event(usage), catalog(data))
    assert refused.value.code == "usage_contradictory"
    flagged = price(event(usage), catalog(data, usage={"contradictions": "unpriced"}))
    assert (flagged.cost, flagged.price_status) == (None, "unpriced")
    assert flagged.price_ref.endswith("#!usage_contradictory")
    assert set(flagged.unpriced_meters) == set(usage)


def test_fractional_tokens_and_unknown_conventions_are_refused_under_any_policy() -> None:
    ready = catalog(usage={"contradictions": "unpriced"})
    with pytest.raises(Invalid, match="whole number"):
        price(event({"input_tokens": "0.5"}), ready)
    with pytest.raises(Invalid, match="convention"):
        price(event({"input_tokens": 5}, attributes={"usage_convention": "?"}), ready)


def test_a_catalog_can_know_more_spellings() -> None:
    ready = catalog(usage={"meter_aliases": {"tokens_in": "input_tokens"}})
    assert price(event({"tokens_in": 1_000_000}), ready).cost == "3"


def test_absurd_but_allowed_quantities_stay_exact() -> None:
    cost = price(event({"input_tokens": 10**15, "output_tokens": 1}), catalog())
    assert cost.cost == "3000000000.000015"


def test_what_was_derived_is_marked() -> None:
    data = rates(model("plain", {"input_mtok": "3", "cache_write_mtok": "4"}))
    cost = price(event({"input_tokens": 10, "cache_write_5m_tokens": 10}), catalog(data))
    assert cost.price_ref == "test-prices@1#acme/plain~cache_write_total"
    assert cost.cost_parts == {"cache_write_tokens": "0.00004"}


def test_a_part_larger_than_its_whole_is_unpriced_where_the_policy_wants_that() -> None:
    ready = catalog(usage={"contradictions": "unpriced"})
    sent = event({"input_tokens": 1, "output_tokens": 5, "output_reasoning_tokens": 6})
    cost = price(sent, ready)
    assert (cost.cost, cost.price_status) == (None, "unpriced")
    assert cost.price_ref == "test-prices@1#!usage_contradictory"
    found = explain(sent, ready)
    assert "output_reasoning_tokens (6) cannot exceed output_tokens (5), which includes it" in found.reason


def test_which_meters_lie_in_which_is_remembered_within_bounds() -> None:
    units = catalog().rates.units
    for number in range(MAX_PARTS + 1):
        units.parts(("input_tokens", f"m{number}"))
    assert units.parts.cache_info().currsize <= MAX_PARTS
    assert units.parts(("output_reasoning_tokens", "output_tokens")) == (
        ("output_reasoning_tokens", "output_tokens"),
    )
