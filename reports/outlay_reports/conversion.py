"""SQL that converts USD into a reporting currency, each row at the rate of its own time. Pure: it only writes text.

    rates = Conversion.over(currency, span)
    f"SELECT {rates.total(f'sum({rates.amount("cost", "minute")})')} FROM costs WHERE ..."

The products are exact, so a sum does not depend on how its range is split. Who shows a sum rounds it, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from zoneinfo import ZoneInfo

from outlay_kit.time_ranges import TimeRange
from outlay_reports.periods import range_text
from outlay_reports.time_sql import between, next_minute, piece
from outlay_schemas.currency import FACTOR_PLACES, USD, Currency, Segment

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Conversion:
    """How the amounts of a time range become another currency."""

    currency: Currency = USD
    segments: Sequence[Segment] = ()
    """The exchange rates over the range; empty: nothing is converted."""

    @classmethod
    def over(cls, currency: Currency, span: TimeRange) -> Self:
        """Return how the amounts of a time range are converted into a currency; of USD, not at all."""
        return cls(currency, () if currency.code == USD.code else currency.segments(span.start, span.end))

    @property
    def gaps(self) -> list[TimeRange]:
        """The parts of the range, in whole minutes, for which the catalog has no rate."""
        gaps = [TimeRange(next_minute(one.start), one.end) for one in self.segments if one.factor is None]
        return [gap for gap in gaps if gap.start < gap.end]

    def missing(self, gaps: Sequence[TimeRange]) -> str:
        """Return what is wrong where money has no rate in some parts of the range."""
        days = [range_text(gap, _UTC) for gap in gaps]
        return self.currency.missing(f"{'from' if ' to ' in one else 'on'} {one}" for one in days)

    def amount(self, usd: str, time: str) -> str:
        """Return the SQL of an amount of one row, not rounded, from that of its USD and that of its minute or window.
        The query fails where there is money without a rate, and the client raises NoRateError."""
        if not self.segments:
            return usd
        return f"({usd}) * {self._factor(time)}{self._without_rate(usd, time)}"

    def total(self, amounts: str) -> str:
        """Return the SQL of a sum of such amounts, rounded to 12 places."""
        return f"CAST(round({amounts}, 12) AS Decimal(38, 12))" if self.segments else amounts

    def _factor(self, time: str) -> str:
        factors = [f"toDecimal256('{one.factor or 0:f}', {FACTOR_PLACES})" for one in self.segments]
        if len(factors) == 1:
            return factors[0]
        return f"[{', '.join(factors)}][{piece(time, [one.start for one in self.segments])} + 1]"

    def _without_rate(self, usd: str, time: str) -> str:
        if not self.gaps:
            return ""
        times = " OR ".join(between(time, gap) for gap in self.gaps)
        return f" + throwIf(({usd}) != 0 AND ({times}), '{self.missing(self.gaps)}')"


NO_CONVERSION = Conversion()
