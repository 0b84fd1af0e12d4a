"""The catalog message: what it accepts, what it refuses by name, and that it survives the wire."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.catalogs import book, rule, source

from outlay_schemas.catalog import Budget, Catalog, PriceRef, decode_catalog, encode_catalog, parse_price_ref
from outlay_schemas.catalog.watch import Silence

BUDGET = {"id": "b", "name": "All", "amount": "100.50", "scope": {"team": "ml", "provider": ["a", "b"]}}


def test_a_catalog_survives_the_wire_to_the_byte() -> None:
    whole = source(
        price_books=[book(rule({"gb": {"price": "0.09", "free": "1.5"}}))],
        owners=[{"key": "team", "value": "x", "sets": {"business_unit": "y"}, "from": date(2026, 1, 1)}],
        budgets=[BUDGET],
        rules=[{"type": "spend_spike", "id": "s", "name": "Spike"}],
    )
    data = encode_catalog(whole)
    assert decode_catalog(data) == whole
    assert encode_catalog(decode_catalog(data)) == data
    assert b'"amount":"100.50"' in data, "money is text"
    assert whole.owners[0].starts == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_catalog_that_0_1_0_published_is_read_with_todays_names() -> None:
    scope = {"id": "r", "name": "R", "by": ["team"], "calm_minutes": 5}
    old = {
        "revision": 7,
        "created_at": "2026-11-01T00:00:00Z",
        "budgets": [{**BUDGET, "calm_minutes": 3}],
        "rules": [{"type": "silence", **scope, "forget_hours": 9}],
        "mutes": [{"id": "m", "days": ["mon"]}],
        "routes": [{"channels": ["x"], "go_on": True}],
    }
    catalog = decode_catalog(json.dumps(old).encode())
    silence = catalog.rules[0]
    assert isinstance(silence, Silence)
    assert (silence.group_by, silence.keep_firing_minutes, silence.stale_after_hours) == (("team",), 5, 9)
    assert (catalog.budgets[0].keep_firing_minutes, catalog.routes[0].continues) == (3, True)
    assert catalog.mute_time_intervals[0].days == ("mon",)
    assert decode_catalog(encode_catalog(catalog)) == catalog


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"revision": 1, "mutes": 3, "rules": [1]}'])
def test_what_is_not_a_catalog_of_any_release_is_refused(data: bytes) -> None:
    with pytest.raises(ValidationError):
        decode_catalog(data)


def test_a_budget() -> None:
    budget = Budget.model_validate(BUDGET)
    assert budget.amount == Decimal("100.50")
    assert budget.scope == {"team": ("ml",), "provider": ("a", "b")}
    assert budget.thresholds == (Decimal(50), Decimal(80), Decimal(100))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"thresholds": [80, 50]}, "distinct and grow"),
        ({"thresholds": [50, 50]}, "distinct and grow"),
        ({"timezone": "Mars/Base"}, "IANA name such as Europe/Berlin"),
        ({"amount": 0}, "greater than 0"),
        ({"amuont": 5}, "Extra inputs are not permitted"),
        ({"period": "fortnight"}, "Input should be"),
        ({"scope": {"flavour": "x"}}, "did you mean tags.flavour"),
    ],
)
def test_a_budget_that_makes_no_sense_is_named(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Budget.model_validate({**BUDGET, **change})


def test_a_catalog_has_aware_times_and_whole_revisions() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Catalog.model_validate({"revision": 1, "created_at": datetime(2026, 1, 1)})  # noqa: DTZ001
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Catalog.model_validate({"revision": -1, "created_at": "2026-01-01T00:00:00Z"})


@pytest.mark.parametrize(
    "ref",
    [
        PriceRef("genai-prices", "0.2.3", "anthropic/claude-sonnet-4-5"),
        PriceRef(
            "b", "1", "openrouter/~x-ai/grok+1@2#3!4%5", terms=("edp-2026",), guesses=("fallback", "a=b~c")
        ),
        PriceRef("b", "1", reason="model_unknown"),
        PriceRef("b", "1", "!odd"),
    ],
)
def test_a_price_reference_can_be_taken_apart(ref: PriceRef) -> None:
    assert parse_price_ref(str(ref)) == ref


def test_a_plain_price_reference_reads_as_it_should() -> None:
    assert str(PriceRef("genai-prices", "0.2.3", "anthropic/claude")) == "genai-prices@0.2.3#anthropic/claude"
    for text in ("", "a", "a@1", "a#b", "@1#b", "a@1#"):
        with pytest.raises(ValueError, match="not a price reference"):
            parse_price_ref(text)
