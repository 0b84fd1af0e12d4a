"""P12: money is exact to 1e-12 USD. Property tests against fractions.Fraction."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.catalogs import UNITS, catalog, event, model, rates

from outlay_pricer.domain.meters import CompiledMeter
from outlay_pricer.domain.pricing import price
from outlay_pricer.domain.rate_compiler.exact import Contradiction, half_even, price_lines, settle
from outlay_pricer.domain.rate_compiler.rate_card import Card, compile_card
from outlay_pricer.domain.rate_compiler.units import Units
from outlay_pricer.domain.usage import fingerprint
from outlay_schemas.catalog import MeterPrice
from outlay_schemas.events import Quantity, cost_event_decoder, encoder
from outlay_schemas.money import PICO, to_pico

_units = Units(UNITS)
_price = st.decimals(min_value=0, max_value=1000, places=7).map(str)
_whole = st.integers(min_value=0, max_value=10**15)
_small = st.integers(min_value=0, max_value=300_000)
_fine = st.decimals(min_value=0, max_value=10**6, places=9)
_FULL = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_5m_mtok",
    "input_audio_mtok",
    "cache_audio_read_mtok",
)
_meters = st.sampled_from([name for name in UNITS if name != "requests"])


@st.composite
def cards(draw: st.DrawFn) -> Card:
    prices: dict[str, object] = {}
    for key in draw(st.sets(st.sampled_from((*_FULL, "audio_hours", "requests_kcount")), min_size=1)):
        value: object = draw(_price)
        if draw(st.booleans()):
            tiers = [{"start": draw(st.integers(0, 250_000)), "price": draw(_price)} for _ in range(2)]
            value = {"base": value, "tiers": tiers}
        prices[key] = value
    return compile_card(_units, [prices])


@settings(max_examples=400, deadline=None)
@given(cards(), st.dictionaries(_meters, _small | _whole, max_size=6))
def test_the_fast_way_is_the_readable_way(card: Card, usage: dict[str, Quantity]) -> None:
    if card.error:
        with pytest.raises(Contradiction, match=card.error):
            price_lines(card, usage)
        return
    shape = card.shape(tuple(usage))
    amounts = shape.amounts(usage)
    if any(usage[meter] for meter in shape.uncovered):
        return  # the caller asks the readable way, for a part of this has no price
    try:
        lines, _ = price_lines(card, usage)
    except Contradiction:
        assert amounts is None
        return
    if amounts is None:
        meters = {rate.unit.usage_key for rate in card.rates}
        assert meters - set(usage), "a priced meter that is not reported is worked out the readable way"
        return
    exact = {line.meter: line.amount * PICO * shape.denominator for line in lines}
    assert dict(zip(shape.meters, amounts[1:], strict=True)) == exact
    assert amounts[0] == sum(exact.values())


@settings(max_examples=200, deadline=None)
@given(_price, _price, _whole | _fine, _whole | _fine)
def test_p12_cost_is_the_exact_sum_rounded_once(
    a: str, b: str, seconds: Quantity, searches: Quantity
) -> None:
    ready = catalog(rates(model("x", {"audio_hours": a, "web_searches_kcount": b})))
    cost = price(event({"audio_seconds": seconds, "web_searches": searches}, "x"), ready)
    exact = Fraction(a) * Fraction(seconds) / 3600 + Fraction(b) * Fraction(searches) / 1000
    assert cost.cost is not None
    got = Fraction(to_pico(cost.cost))
    assert abs(got - exact * PICO) <= Fraction(1, 2)
    assert sum(to_pico(part) for part in cost.cost_parts.values()) == got


@given(
    st.dictionaries(st.text(max_size=3), st.fractions(min_value=0, max_value=10**20), min_size=1, max_size=8)
)
def test_p12_parts_add_up_and_are_within_one_pico_usd(amounts: dict[str, Fraction]) -> None:
    total, parts = settle(amounts)
    assert total == sum(parts.values())
    assert abs(total - sum(amounts.values(), Fraction(0))) <= Fraction(1, 2)
    assert all(abs(parts[name] - amounts[name]) < 1 for name in amounts)


@given(_whole, st.integers(min_value=1, max_value=10**9))
def test_whole_numbers_are_rounded_as_fractions_are(top: int, bottom: int) -> None:
    assert half_even(top, bottom) == round(Fraction(top, bottom))
    assert half_even(bottom * top + bottom, 2 * bottom) == round(Fraction(top + 1, 2))


def test_half_a_pico_usd_goes_to_the_even_one() -> None:
    assert settle({"a": Fraction(5, 2)}) == (2, {"a": 2})
    assert settle({"a": Fraction(7, 2)}) == (4, {"a": 4})
    assert settle({"a": Fraction(5, 4), "b": Fraction(5, 4)}) == (2, {"a": 1, "b": 1})
    assert settle({"a": Fraction(3, 4), "b": Fraction(3, 4)}) == (2, {"a": 1, "b": 1})
    assert settle({"a": Fraction(1, 2), "b": Fraction(1)}) == (2, {"a": 1, "b": 1})


@given(_small, _small, st.sampled_from(["prod", "dev"]))
def test_p11_the_same_event_under_the_same_catalog_gives_the_same_bytes(a: int, b: int, env: str) -> None:
    one = event({"input_tokens": a, "output_tokens": b}, tags={"env": env, "x": "1"})
    two = event({"output_tokens": b, "input_tokens": a}, tags={"x": "1", "env": env})
    ready, again = catalog(), catalog()
    assert encoder.encode(price(one, ready)) == encoder.encode(price(one, again))
    assert fingerprint(one) == fingerprint(two), "the order of keys is not content"
    assert price(one, ready).cost == price(two, ready).cost


def test_the_fingerprint_has_20_bits_and_changes_with_content() -> None:
    marks = {fingerprint(event({"input_tokens": count})) for count in range(200)}
    assert len(marks) > 190
    assert all(0 <= mark < 2**20 for mark in marks)


def test_a_cost_event_survives_the_wire() -> None:
    cost = price(event({"input_tokens": 5, "audio_seconds": "1.5"}, team="t", time=datetime(2026, 1, 1, tzinfo=UTC)),
                 catalog())  # fmt: skip
    assert cost_event_decoder.decode(encoder.encode(cost)) == cost
    raw = msgspec.json.decode(encoder.encode(cost))
    assert isinstance(raw["cost"], str)
    assert raw["usage"]["audio_seconds"] == "1.5"
    assert Decimal(raw["cost"]) == Decimal("0.000015")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.decimals(min_value=0, max_value=9, places=3)), min_size=1, max_size=4
    ),
    st.sampled_from(["graduated", "volume"]),
    st.integers(0, 20),
    st.fractions(min_value=0, max_value=150),
    st.decimals(min_value=0, max_value=150, places=4),
)
def test_the_fast_way_through_tiers_is_the_explained_one(
    steps: list[tuple[int, Decimal]], mode: str, free: int, position: Fraction, quantity: Decimal
) -> None:
    ends: list[int | None] = []
    for width, _ in steps[:-1]:
        ends.append((ends[-1] or 0) + width if ends else width)
    tiers = [{"up_to": end, "price": cost} for end, (_, cost) in zip([*ends, None], steps, strict=True)]
    meter = CompiledMeter(MeterPrice.model_validate({"tiers": tiers, "mode": mode, "free": free, "per": 3}))
    lines = meter.lines(quantity, position)
    assert meter.amount(quantity, position) == sum((line.amount for line in lines), Fraction(0)) * PICO
