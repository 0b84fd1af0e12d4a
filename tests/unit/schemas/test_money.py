from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_schemas.money import to_pico, to_usd


@pytest.mark.parametrize(
    ("pico", "usd"),
    [
        (0, "0"),
        (1, "0.000000000001"),
        (1_500_000_000_000, "1.5"),
        (-250_000_000_000, "-0.25"),
        (10**12 * 12_345, "12345"),
    ],
)
def test_money_is_written_plainly(pico: int, usd: str) -> None:
    assert to_usd(pico) == usd
    assert to_pico(usd) == pico


@given(st.integers(-(10**26), 10**26))
def test_money_survives_the_wire(pico: int) -> None:
    assert to_pico(to_usd(pico)) == pico


@given(st.integers(0, 10**26))
def test_money_on_the_wire_is_the_exact_fraction(pico: int) -> None:
    assert Fraction(to_usd(pico)) == Fraction(pico, 10**12)


@pytest.mark.parametrize("bad", ["0.0000000000001", "1e-13", "NaN", "Infinity", "-Infinity"])
def test_what_is_no_amount_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"finer|not an amount"):
        to_pico(bad)


def test_exponents_are_read() -> None:
    assert to_pico(Decimal("2.5E-7")) == 250_000
    assert to_pico("1E+3") == 1000 * 10**12
