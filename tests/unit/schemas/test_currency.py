"""Conversion at dated rates: additive over any split of time, exact before it is rounded, and never a silent 1:1."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_schemas.catalog import FxRate
from outlay_schemas.currency import USD, Currency, NoRateError

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=60)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def rate(usd: str, start: datetime | None = None, end: datetime | None = None, code: str = "EUR") -> FxRate:
    return FxRate.model_validate(
        {"currency": code, "usd": usd, "from": start, "to": end, "source": f"ECB {usd}"}
    )


STEPS = Currency("EUR", (rate("1.25", None, day(10)), rate("1.6", day(10), day(20)), rate("1.25", day(30))))
moments = st.integers(0, 60 * 24 * 60 - 1).map(lambda minute: START + timedelta(minutes=minute))


@pytest.mark.parametrize(
    ("at", "eur"), [(START, "0.8"), (day(10) - timedelta(seconds=1), "0.8"), (day(10), "0.625"), (END, "0.8")]
)
def test_an_amount_is_converted_at_the_rate_of_its_day(at: datetime, eur: str) -> None:
    assert STEPS.convert(Decimal(1), at) == Decimal(eur)


@pytest.mark.parametrize(("at", "usd"), [(START, "1.25"), (day(22), "1.6"), (day(28), "1.25"), (END, "1.25")])
def test_a_limit_without_a_rate_on_its_day_takes_the_nearest(at: datetime, usd: str) -> None:
    assert STEPS.lasting_usd(at) == Fraction(usd)


def test_a_limit_without_any_rate_is_an_error_and_of_usd_it_is_itself() -> None:
    with pytest.raises(NoRateError, match="no exchange rate for EUR on 2026-01-01"):
        Currency("EUR").lasting_usd(START)
    assert USD.lasting_usd(START) == 1


def test_a_day_without_a_rate_is_an_error_that_names_the_file_the_day_and_the_currency() -> None:
    with pytest.raises(NoRateError, match="no exchange rate for EUR on 2026-01-26") as error:
        STEPS.convert(Decimal(1), day(25))
    assert "fx.yaml" in error.value.hint


def test_usd_needs_no_rate_and_stays_as_it_is() -> None:
    assert USD.convert(Decimal("0.1234567890123"), START) == Decimal("0.1234567890123")
    assert [one.factor for one in USD.segments(START, END)] == [1]


def test_rates_of_other_currencies_are_left_out() -> None:
    mixed = Currency("EUR", (rate("0.01", code="JPY"), rate("1.25")))
    assert mixed.usd(START) == Fraction(5, 4)
    assert mixed.sources == ["ECB 1.25"]


def test_segments_tile_the_range_and_neighbours_with_one_rate_are_one() -> None:
    assert [(one.start, one.end, one.factor) for one in STEPS.segments(START, END)] == [
        (START, day(10), Decimal("0.8")), (day(10), day(20), Decimal("0.625")),
        (day(20), day(30), None), (day(30), END, Decimal("0.8")),
    ]  # fmt: skip
    joined = Currency("EUR", (rate("1.25", None, day(10)), rate("1.25", day(10))))
    assert len(joined.segments(START, END)) == 1


@st.composite
def currencies(draw: st.DrawFn) -> Currency:
    edges = [None, *sorted(draw(st.sets(moments, max_size=8))), None]
    values = st.decimals("0.0001", "1000", allow_nan=False, places=6)
    return Currency("EUR", [rate(str(draw(values)), low, high) for low, high in pairwise(edges)])


@given(
    currencies(),
    st.lists(st.tuples(moments, st.integers(-(10**20), 10**20)), max_size=20),
    st.sets(moments, max_size=5),
)
def test_a_sum_is_that_of_its_parts_over_any_split(
    currency: Currency, spent: list[tuple[datetime, int]], cuts: set[datetime]
) -> None:
    def converted(low: datetime, high: datetime) -> Fraction:
        return sum(
            (
                Fraction(one.factor or 0) * sum(pico for at, pico in spent if one.start <= at < one.end)
                for one in currency.segments(low, high)
            ),
            Fraction(0),
        )

    whole = converted(START, END)
    assert whole == sum(converted(low, high) for low, high in pairwise(sorted({START, END, *cuts})))
    exact = sum((pico / (currency.usd(at) or Fraction(0)) for at, pico in spent), Fraction(0))
    assert abs(whole - exact) <= Fraction(sum(abs(pico) for _, pico in spent), 10**30)


@given(currencies(), moments, st.decimals("-1000000", "1000000", allow_nan=False, places=12))
def test_one_amount_is_the_exact_quotient_rounded_once(
    currency: Currency, at: datetime, usd: Decimal
) -> None:
    exact = Fraction(usd) / (currency.usd(at) or Fraction(0))
    assert abs(Fraction(currency.convert(usd, at)) - exact) <= Fraction(501, 1000 * 10**12)
