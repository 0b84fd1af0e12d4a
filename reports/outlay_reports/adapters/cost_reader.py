"""The reader as a report reads them: exact sums from days, hours and minutes, or from the ledger."""

# ruff: noqa: S608 (what is pasted are names of our views and dimensions; every value is bound)

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.closed_periods import ClosedPeriod, ClosedPeriods, closed_within
from outlay_reports.adapters.savings import newest_analysis
from outlay_reports.chargeback import Closing
from outlay_reports.cost_query import Amount, Cell, CostQuery, Keys, Sums
from outlay_reports.range_sums import Selection, column, conditions, sums
from outlay_reports.savings import SavingsAnalysis
from outlay_reports.time_sql import between, piece
from outlay_schemas.currency import Currency, NoRateError, Segment
from outlay_schemas.dimensions import condition_of
from outlay_schemas.money import Exact, exact_pico, to_pico

_SPANS = 30
"""Most time ranges of one statement: ClickHouse reads at most 256 KiB of SQL."""


class CostReader:
    """Reads costs, as a read-only user."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def tenants(self) -> list[str]:
        """Return every tenant that has costs. Raises Retryable, as all here."""
        sql = "SELECT DISTINCT tenant FROM rollup_day ORDER BY tenant"
        return [row["tenant"] for row in self._clickhouse.rows(sql)]

    def known_tenants(self) -> set[str]:
        """Return every tenant that has costs or dead letters."""
        sql = "SELECT tenant FROM rollup_day UNION DISTINCT SELECT tenant FROM dead_letters"
        return {row["tenant"] for row in self._clickhouse.rows(sql)}

    def extent(self, tenants: Sequence[str] = ()) -> TimeRange | None:
        """Return from the first to after the last minute that has costs; None without costs."""
        (row,) = self._clickhouse.rows(
            "SELECT toUnixTimestamp(min(window)) AS low, toUnixTimestamp(max(window)) + 60 AS high, count() AS n"
            " FROM rollup_minute WHERE (empty({tenants:Array(String)}) OR has({tenants:Array(String)}, tenant))",
            {"tenants": list(tenants)},
        )
        low, high = (datetime.fromtimestamp(row[name], UTC) for name in ("low", "high"))
        return TimeRange(low, high) if row["n"] else None

    def savings(self, tenant: str) -> SavingsAnalysis | None:
        """Return what the newest analysis of a tenant's events found; None before the first."""
        return newest_analysis(self._clickhouse, tenant)

    def cells(self, question: CostQuery) -> list[Cell]:
        """Return the sums of each piece of the span and combination of values that has events."""
        query = sums(
            [Selection(question.span, question.where)], question.by, bounds=question.bounds[:-1],
            tenants=question.tenants, usage=True, exact=True, currency=question.currency,
        )  # fmt: skip
        keys = [f"k{n}" for n in range(len(question.by))]
        rows = self._clickhouse.rows(
            f"SELECT * FROM ({query.sql}) WHERE events_0 > 0 ORDER BY {', '.join(['bucket', *keys])}",
            query.bound,
        )
        return [_cell(row, keys, question.amount) for row in rows]

    def totals(self, questions: Sequence[CostQuery]) -> list[Sums]:
        """Return the sums of the whole span of each question, without meters. Questions with conditions on the same
        dimensions share one read, which is by their values, so that its SQL does not grow with their number."""
        found = [Sums() for _ in questions]
        for places in _alike([_total_key(question) for question in questions]):
            first = questions[places[0]]
            names = sorted(first.where) if len({_values(questions[place]) for place in places}) > 1 else []
            where = {
                name: tuple(
                    dict.fromkeys(value for place in places for value in questions[place].where[name])
                )
                for name in first.where
            }
            measures = (first.amount, "events", "unpriced_events")
            every = list(dict.fromkeys(questions[place].span for place in places))
            for spans in (every[n : n + _SPANS] for n in range(0, len(every), _SPANS)):
                query = sums(
                    [Selection(span, where) for span in spans], names, measures=measures, tenants=first.tenants,
                    exact=True, currency=first.currency,
                )  # fmt: skip
                for row in self._clickhouse.rows(query.sql, query.bound):
                    for place in places:
                        asked = questions[place]
                        if asked.span in spans and _holds(row, names, asked):
                            n = spans.index(asked.span)
                            cost, events, unpriced = (row[f"{name}_{n}"] for name in measures)
                            found[place].add(Sums(exact_pico(cost), events, unpriced))
        return found

    def series(self, questions: Sequence[CostQuery]) -> list[list[int]]:
        """Return pico-USD of each piece of each query's range; queries that differ in values only share one read."""
        found: list[list[Exact]] = [[0] * (len(question.bounds) - 1) for question in questions]
        for places in _alike(
            [
                (q.span, q.zone.key, q.unit, q.cuts, q.tenants, q.amount, q.currency, *sorted(q.where))
                for q in questions
            ]
        ):
            first = questions[places[0]]
            names = sorted(first.where) if len(places) > 1 else []
            where = {
                name: tuple({value for place in places for value in questions[place].where[name]})
                for name in first.where
            }
            query = sums(
                [Selection(first.span, where)], names, measures=(first.amount,), bounds=first.bounds[:-1],
                tenants=first.tenants, exact=True, currency=first.currency,
            )  # fmt: skip
            for row in self._clickhouse.rows(query.sql, query.bound):
                for place in places:
                    if _holds(row, names, questions[place]):
                        found[place][row["bucket"]] += exact_pico(row[f"{first.amount}_0"])
        return [list(map(round, costs)) for costs in found]

    def users(self, question: CostQuery) -> dict[Keys, int]:
        """Return how many users each combination of values has, for the whole span; exact, from the ledger."""
        query = sums(
            [Selection(question.span, question.where)], (*question.by, "user"), measures=("events",),
            tenants=question.tenants, exact=True,
        )  # fmt: skip
        keys = [f"k{n}" for n in range(len(question.by))]
        user = f"k{len(keys)}"
        rows = self._clickhouse.rows(
            f"SELECT {''.join(f'{key}, ' for key in keys)}uniqExactIf({user}, {user} != '') AS users"
            f" FROM ({query.sql}){' GROUP BY ' if keys else ''}{', '.join(keys)}",
            query.bound,
        )
        return {tuple(row[key] for key in keys): row["users"] for row in rows}

    def closed(self, question: CostQuery) -> list[ClosedPeriod]:
        """Return the closed months that a question's span has any part of."""
        return closed_within(self._clickhouse, question.tenants, question.span)

    def closings(self, tenant: str, period: str, zone: str) -> list[Closing]:
        """Return every closing of a tenant's month, the first first."""
        return ClosedPeriods(self._clickhouse, tenant).read(period, zone)

    def cache_savings(self, question: CostQuery) -> dict[Keys, int]:
        """Return what prompt caching saved: the cached tokens at the uncached price, less their cost."""
        bound: dict[str, object] = {}
        rates = question.currency.segments(question.span.start, question.span.end)
        keys = [f"k{n}" for n in range(len(question.by))]
        names = "".join(f"toString({column(name, bound)}) AS k{n}, " for n, name in enumerate(question.by))
        scope = conditions({"tenant": question.tenants, **question.where}, bound)
        group = ", ".join([*keys, "provider", "sku", "price_ref", "rate"])
        rows = self._clickhouse.rows(
            f"SELECT {names}provider, sku, price_ref, {piece('minute', [one.start for one in rates])} AS rate,"
            f" toString(sum(c.cost_parts['input_tokens'])) AS plain_cost,"
            f" toString(sum(plain)) AS plain_tokens, toString(sum(cached)) AS cached_tokens,"
            f" toString(sum(paid)) AS cached_cost FROM (SELECT *, {_CACHED} FROM costs"
            f" WHERE kind = 'llm' AND {between('minute', question.span)}{scope}) AS c"
            f" GROUP BY {group}",
            bound,
        )
        return _saved_by_caching(
            [(row, tuple(row[key] for key in keys)) for row in rows], question.currency, rates
        )


_CACHED = (
    "usage['cache_read_tokens'] + usage['cache_write_tokens'] AS cached,"
    " arraySum(mapValues(mapFilter((k, v) -> startsWith(k, 'cache_'), cost_parts))) AS paid,"
    " greatest(usage['input_tokens'] - cached - arraySum(mapValues(mapFilter((k, v) -> k != 'input_tokens'"
    " AND startsWith(k, 'input_') AND mapContains(cost_parts, k), usage))), toDecimal128(0, 9)) AS plain"
)


def _saved_by_caching(
    rows: Sequence[tuple[dict[str, Any], Keys]], currency: Currency, rates: Sequence[Segment]
) -> dict[Keys, int]:
    """Return what caching saved by values; a price that no uncached token was paid at says nothing."""
    costs: dict[Keys, Fraction] = defaultdict(Fraction)
    tokens: dict[Keys, Fraction] = defaultdict(Fraction)
    prices = [(row["provider"], row["sku"], row["price_ref"]) for row, _ in rows]
    for price, (row, _) in zip(prices, rows, strict=True):
        costs[price] += to_pico(row["plain_cost"])
        tokens[price] += Fraction(row["plain_tokens"])
    found: dict[Keys, Fraction] = defaultdict(Fraction)
    for price, (row, keys) in zip(prices, rows, strict=True):
        cached = Fraction(row["cached_tokens"])
        if cached and tokens[price]:
            saved = cached * costs[price] / tokens[price] - to_pico(row["cached_cost"])
            factor = currency.factor(rates[row["rate"]].start)
            if factor is None:
                raise NoRateError(currency.missing([f"on {rates[row['rate']].start:%Y-%m-%d}"]))
            found[keys] += saved * Fraction(factor)
    return {keys: round(saved) for keys, saved in found.items()}


def _cell(row: dict[str, Any], keys: Sequence[str], amount: Amount) -> Cell:
    usage = {meter: quantity.normalize() for meter, quantity in sorted(row["usage"].items())}
    asked, beside = ("cost", "charged") if amount == "cost" else ("charged", "cost")
    measured = Sums(
        exact_pico(row[f"{asked}_0"]), row["events_0"], row["unpriced_events_0"], usage,
        exact_pico(row[f"{beside}_0"]), row["estimated_events_0"], exact_pico(row["estimated_cost_0"]),
        row["free_events_0"],
    )  # fmt: skip
    return Cell(row["bucket"], tuple(row[key] for key in keys), measured)


def _total_key(question: CostQuery) -> object:
    """Return what questions have in common whose totals are read at once: of conditions other than `is`, all."""
    plain = all(not condition_of(name) and values for name, values in question.where.items())
    same = tuple(sorted(question.where)) if plain else _values(question)
    return question.tenants, question.amount, question.currency, same


def _values(question: CostQuery) -> object:
    return tuple(sorted((name, tuple(values)) for name, values in question.where.items()))


def _holds(row: dict[str, Any], names: Sequence[str], question: CostQuery) -> bool:
    """Tell whether a row that is by `names` is one of a question's."""
    return all(row[f"k{n}"] in question.where[name] for n, name in enumerate(names))


def _alike(keys: Sequence[object]) -> Iterable[list[int]]:
    alike: dict[object, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        alike[key].append(place)
    return alike.values()
