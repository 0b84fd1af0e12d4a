"""Bounds and corners of the rate cards that no ordinary event meets."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import catalogs
from tests.support.catalogs import BATCH, DATED, NIGHT, NOW, TIERED, UNITS, catalog, event, model

from outlay_pricer.domain import plain_cases
from outlay_pricer.domain.pricing import price
from outlay_pricer.domain.rate_compiler import rate_book, rate_card, rate_codegen
from outlay_pricer.domain.rate_compiler.exact import Contradiction, price_lines
from outlay_pricer.domain.rate_compiler.rate_book import RateBook
from outlay_pricer.domain.rate_compiler.rate_card import Card, compile_card
from outlay_pricer.domain.rate_compiler.units import Units
from outlay_pricer.domain.usage import normalise


def _card(**prices: Any) -> Card:
    return compile_card(Units(UNITS), [prices])


FULL = {"input_mtok": "1", "cache_read_mtok": "1", "input_audio_mtok": "1", "cache_audio_read_mtok": "1"}


@pytest.mark.parametrize(
    ("usage", "message"),
    [
        ({"cache_read_tokens": 5, "output_tokens": 1},
         ("Missing usage for input_tokens: reported descendant usage keys "
         "cache_read_tokens require explicit input_tokens")),
        ({"input_tokens": 4, "cache_read_tokens": 5},
         "Invalid usage data: cache_read_tokens (5) cannot exceed input_tokens (4)"),
        ({"input_tokens": 9, "input_audio_tokens": 5, "cache_read_tokens": 6, "cache_audio_read_tokens": 1},
         ("Invalid usage data: more-specific usage for cache_audio_read_tokens, cache_read_tokens, input_audio_tokens "
         "totals 10, which exceeds input_tokens (9)")),
    ],
)  # fmt: skip
def test_contradictions_in_the_librarys_words(usage: dict[str, int], message: str) -> None:
    card = _card(**FULL)
    assert card.shape(tuple(usage)).amounts(usage) is None
    with pytest.raises(Contradiction) as refused:
        price_lines(card, usage)
    assert str(refused.value) == message


def test_overlap_that_was_counted_is_taken_off_once() -> None:
    usage = {
        "input_tokens": 10,
        "input_audio_tokens": 5,
        "cache_read_tokens": 4,
        "cache_audio_read_tokens": 2,
    }
    counts = {line.meter: line.quantity for line in price_lines(_card(**FULL), usage)[0]}
    assert counts == {
        "input_tokens": 3,
        "cache_read_tokens": 2,
        "input_audio_tokens": 3,
        "cache_audio_read_tokens": 2,
    }


def test_a_tier_by_an_input_that_only_its_parts_report_is_refused() -> None:
    card = _card(output_mtok={"base": "1", "tiers": [{"start": 5, "price": "2"}]})
    assert card.shape(("output_tokens",)).amounts({"output_tokens": 1}) == (1_000_000, 1_000_000)
    usage = {"output_tokens": 1, "cache_read_tokens": 9}
    assert card.shape(tuple(usage)).amounts(usage) is None
    assert card.shape(("output_tokens", "input_tokens")).amounts({"output_tokens": 1, "input_tokens": 6}) == (
        2_000_000,
        2_000_000,
    )


def test_a_card_without_rates_costs_nothing_and_covers_nothing() -> None:
    shape = _card().shape(("input_tokens",))
    assert shape.amounts({"input_tokens": 5}) == (0,)
    assert (shape.meters, shape.uncovered, shape.free) == ((), ("input_tokens",), False)
    assert _card().shape(()).amounts({}) == (0,)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (rate_card, "MAX_SHAPES"),
        (rate_card, "MAX_CARDS"),
        (plain_cases, "MAX_CALLS"),
        (rate_codegen, "MAX_PLANS"),
    ):
        monkeypatch.setattr(module, name, 2)
    monkeypatch.setattr(rate_book, "MAX_LINES", 3)


@pytest.mark.usefixtures("small")
def test_what_is_remembered_is_bounded_and_changes_no_answer() -> None:
    ready = catalog(catalogs.rates(catalogs.PLAIN, TIERED, DATED, NIGHT, BATCH))
    fresh = catalog(catalogs.rates(catalogs.PLAIN, TIERED, DATED, NIGHT, BATCH))
    meters = ["input_tokens", "output_tokens", "cache_read_tokens", "web_searches", "crates"]
    for sku in ("plain", "tiered", "dated", "night", "batch"):
        for hour in (1, 5, 23):
            for count in range(1, len(meters)):
                usage = dict.fromkeys(meters[:count], 0)
                for mode in ("batch", "a", "b", "c"):
                    one = event(usage, sku, attributes={"processing": mode}, time=NOW.replace(hour=hour))
                    assert price(one, ready) == price(one, fresh)
    assert ready.rates.line.cache_info().currsize <= 3
    assert 0 < len(ready.plain_calls) <= 2
    line = ready.rates.find("acme", "batch")
    for guess in "abcd":
        line.ref((guess,))
    assert len(line.refs) == 2


def test_a_line_is_remembered_with_its_time() -> None:
    book, ready = RateBook(catalogs.rates(DATED)), catalog(catalogs.rates(DATED))
    usage = {"input_tokens": 1_000_000}
    for at, usd in [
        (NOW, 1),
        (datetime(2026, 10, 1, tzinfo=UTC), 2),
        (NOW, 1),
        (datetime(2026, 11, 1, tzinfo=UTC), 1),
    ]:
        amounts = book.quote("acme", "dated", usage, at)[2]
        assert amounts is not None
        assert amounts[0] == usd * 10**12
        assert price(event(usage, "dated", time=at), ready).cost == str(usd)
    assert book.line("acme", "dated") is book.line("acme", "dated")


def test_litellm_names_its_provider_in_the_model() -> None:
    book = RateBook(catalogs.rates())
    assert book.find("litellm", "acme/plain").provider == "acme"
    unknown = book.find("litellm", "zip/plain").refused
    assert unknown is not None
    assert unknown.message == "genai-prices has no provider of a model zip/plain"
    assert book.find("litellm", "plain").refused is not None
    nothing = book.finder.find_provider("", None, None)
    assert getattr(nothing, "code", "") == "provider_unknown"


def test_seconds_may_be_parts_beside_whole_tokens() -> None:
    usage, _ = normalise(
        {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "audio_seconds": Decimal("0.1")}
    )
    assert usage == {"input_tokens": 1, "output_tokens": 2, "audio_seconds": Decimal("0.1")}


def test_model_options_without_a_constraint_hold_always() -> None:
    listed = model("listed", [{"prices": {"input_mtok": "1"}}, {"prices": {"input_mtok": "2"}}])
    assert price(event({"input_tokens": 1_000_000}, "listed"), catalog(catalogs.rates(listed))).cost == "2"


_MOMENTS = st.integers(0, 4 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(st.lists(_MOMENTS, min_size=2, max_size=12))
def test_a_price_of_a_time_of_day_is_remembered_until_it_switches(times: list[datetime]) -> None:
    book, usage = RateBook(catalogs.rates(NIGHT)), {"input_tokens": 1_000_000}
    ready = catalog(catalogs.rates(NIGHT))
    for at in times:
        fresh = RateBook(catalogs.rates(NIGHT)).quote("acme", "night", usage, at)
        night = at.time() >= time(22, 30) or at.time() < time(5)
        assert book.quote("acme", "night", usage, at)[2] == fresh[2] == ((1 if night else 4) * 10**12,) * 2
        assert price(event(usage, "night", time=at), ready).cost == ("1" if night else "4")
