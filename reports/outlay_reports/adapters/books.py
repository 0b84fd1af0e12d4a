"""The books as a report reads them: exact sums from days, hours and minutes, or from the ledger."""

# ruff: noqa: S608 (what is pasted are names of our views and dimensions; every value is bound)

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from outlay_kit.spans import Span
from outlay_kit.warehouse import Warehouse
from outlay_reports.adapters.closings import Closed, Closings, closed_within
from outlay_reports.chargeback import Closing
from outlay_reports.question import Cell, Question, Sums
from outlay_schemas.dimensions import FREE
from outlay_schemas.money import to_pico

_DAY = 86_400
_HOUR = 3600


class Books:
    """Reads what was spent, as a user that can only read."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def tenants(self) -> list[str]:
        """Return every tenant that has costs. Raises Retryable, as all here."""
        rows = self._warehouse.rows("SELECT DISTINCT tenant FROM rollup_day ORDER BY tenant")
        return [row["tenant"] for row in rows]

    def extent(self, tenants: Sequence[str] = ()) -> Span | None:
        """Return from the first to after the last minute that has costs; None if there is none."""
        rows = self._warehouse.rows(
            "SELECT toUnixTimestamp(min(window)) AS low, toUnixTimestamp(max(window)) AS high, count() AS n"
            " FROM rollup_minute WHERE (empty({tenants:Array(String)}) OR has({tenants:Array(String)}, tenant))",
            {"tenants": list(tenants)},
        )
        if not rows[0]["n"]:
            return None
        return Span(_instant(rows[0]["low"]), _instant(rows[0]["high"] + 60))

    def cells(self, question: Question) -> list[Cell]:
        """Return the sums of each piece of the span and combination of values that has events."""
        bound: dict[str, Any] = {}
        sums = (
            "toString(sum(spent)) AS cost, sum(n) AS events, sum(lacking) AS unpriced, sumMap(used) AS usage"
        )
        keys = "".join(f", k{n}" for n in range(len(question.by)))
        source = _ledger(question, bound) if question.needs_ledger else _rollups(question, bound)
        rows = self._warehouse.rows(
            f"WITH {_literal(question.bounds)} AS bounds SELECT bucket{keys}, {sums} FROM ({source})"
            f" GROUP BY bucket{keys} HAVING events > 0 ORDER BY bucket{keys}",
            bound,
        )
        return [_cell(row, len(question.by)) for row in rows]

    def users(self, question: Question) -> dict[tuple[str, ...], int]:
        """Return how many users each combination of values has, for the whole span; exact, from the ledger."""
        bound: dict[str, Any] = {}
        keys = [f"k{n}" for n in range(len(question.by))]
        group = f" GROUP BY {', '.join(keys)}" if keys else ""
        rows = self._warehouse.rows(
            f"WITH {_literal(question.bounds)} AS bounds"
            f" SELECT {''.join(f'{key}, ' for key in keys)}uniqExactIf(who, who != '') AS users"
            f" FROM ({_ledger(question, bound)}){group}",
            bound,
        )
        return {tuple(row[key] for key in keys): row["users"] for row in rows}

    def closed(self, question: Question) -> list[Closed]:
        """Return the closed months that a question's span has any part of."""
        return closed_within(self._warehouse, question.tenants, question.span)

    def closings(self, tenant: str, period: str, zone: str) -> list[Closing]:
        """Return every closing of a tenant's month, the first first."""
        return Closings(self._warehouse, tenant).read(period, zone)

    def cache_savings(self, question: Question) -> dict[tuple[str, ...], int]:
        """Return pico-USD that prompt caching saved each combination of values, for the whole span; from the ledger.

        What was read from caches, and written to them, at what an uncached token of the same price came to in this
        time, less what it cost. Below 0: more was written than was worth it.
        """
        bound: dict[str, Any] = {}
        keys = [f"k{n}" for n in range(len(question.by))]
        names = "".join(f"{expression(name, bound)} AS k{n}, " for n, name in enumerate(question.by))
        group = ", ".join([*keys, "provider", "sku", "price_ref"])
        rows = self._warehouse.rows(
            f"SELECT {names}provider, sku, price_ref, toString(sum(c.cost_parts['input_tokens'])) AS plain_cost,"
            f" toString(sum(plain)) AS plain_tokens, toString(sum(cached)) AS cached_tokens,"
            f" toString(sum(paid)) AS cached_cost FROM (SELECT *, {_CACHED} FROM costs"
            f" WHERE kind = 'llm' AND {between('minute', question.span)}{scope(question, bound)}) AS c"
            f" GROUP BY {group}",
            bound,
        )
        return saved_by_caching([(row, tuple(row[key] for key in keys)) for row in rows])


_CACHED = (
    "usage['cache_read_tokens'] + usage['cache_write_tokens'] AS cached,"
    " arraySum(mapValues(mapFilter((k, v) -> startsWith(k, 'cache_'), cost_parts))) AS paid,"
    " greatest(usage['input_tokens'] - cached - arraySum(mapValues(mapFilter((k, v) -> k != 'input_tokens'"
    " AND startsWith(k, 'input_') AND mapContains(cost_parts, k), usage))), toDecimal128(0, 9)) AS plain"
)


def saved_by_caching(rows: Sequence[tuple[dict[str, Any], tuple[str, ...]]]) -> dict[tuple[str, ...], int]:
    """Return what caching saved by values; a price that no uncached token was paid at says nothing."""
    costs: dict[tuple[str, ...], Fraction] = defaultdict(Fraction)
    tokens: dict[tuple[str, ...], Fraction] = defaultdict(Fraction)
    for row, _ in rows:
        price = (row["provider"], row["sku"], row["price_ref"])
        costs[price] += to_pico(row["plain_cost"])
        tokens[price] += Fraction(row["plain_tokens"])
    found: dict[tuple[str, ...], Fraction] = defaultdict(Fraction)
    for row, keys in rows:
        price = (row["provider"], row["sku"], row["price_ref"])
        cached = Fraction(row["cached_tokens"])
        if cached and tokens[price]:
            found[keys] += cached * costs[price] / tokens[price] - to_pico(row["cached_cost"])
    return {keys: round(saved) for keys, saved in found.items()}


def _literal(instants: Sequence[datetime]) -> str:
    """Write instants into SQL: numbers of ours, too many to be bound, for a bound value goes into the URL."""
    return f"[{', '.join(str(int(at.timestamp())) for at in instants)}]::Array(UInt32)"


def _cell(row: dict[str, Any], keys: int) -> Cell:
    usage = {meter: quantity.normalize() for meter, quantity in sorted(row["usage"].items())}
    sums = Sums(to_pico(row["cost"]), row["events"], row["unpriced"], usage)
    return Cell(row["bucket"], tuple(row[f"k{n}"] for n in range(keys)), sums)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def expression(name: str, bound: dict[str, Any]) -> str:
    """Return the SQL of a dimension; the name of a tag is bound."""
    for prefix in FREE:
        if name.startswith(prefix):
            key = f"m{len(bound)}"
            bound[key] = name.removeprefix(prefix)
            return f"{prefix[:-1]}[{{{key}:String}}]"
    return f"toString({name})"


def scope(question: Question, bound: dict[str, Any]) -> str:
    """Return the SQL of the conditions on dimensions, beginning with AND where there is one."""
    found = ""
    for name, values in [("tenant", question.tenants), *question.where.items()]:
        if values:
            key = f"w{len(bound)}"
            bound[key] = list(values)
            found += f" AND {expression(name, bound)} IN {{{key}:Array(String)}}"
    return found


def _ledger(question: Question, bound: dict[str, Any]) -> str:
    names = "".join(f", {expression(name, bound)} AS k{n}" for n, name in enumerate(question.by))
    return (
        f"SELECT {_bucket('minute')} AS bucket{names}, user AS who, ifNull(c.cost, toDecimal128(0, 12)) AS spent,"
        " 1 AS n, toUInt64(c.unpriced) AS lacking, c.usage AS used FROM costs AS c"
        f" WHERE {between('minute', question.span)}{scope(question, bound)}"
    )


def _rollups(question: Question, bound: dict[str, Any]) -> str:
    """Days where no bound cuts them, hours of the days that are cut, minutes of the hours that are cut.

    So a month of any time zone reads days and a few hours, and only a zone of half hours reads minutes.
    """
    names = "".join(f", {expression(name, bound)} AS k{n}" for n, name in enumerate(question.by))
    condition = scope(question, bound)
    days, hours = _cut(question.bounds, _DAY), _cut(question.bounds, _HOUR)
    in_days = f"toUnixTimestamp(toStartOfDay(time)) IN {_literal(days)}"
    in_hours = f"toUnixTimestamp(toStartOfHour(time)) IN {_literal(hours)}"
    parts = [("costs_daily", f" AND NOT {in_days}" if days else "")]
    if days:
        parts.append(("costs_hourly", f" AND {in_days}" + (f" AND NOT {in_hours}" if hours else "")))
    if hours:
        parts.append(("costs_minutely", f" AND {in_hours}"))
    return " UNION ALL ".join(
        f"SELECT {_bucket('time')} AS bucket{names}, v.cost AS spent, v.events AS n, v.unpriced_events AS lacking,"
        f" v.usage AS used FROM {view} AS v WHERE {between('time', question.span)}{grain}{condition}"
        for view, grain in parts
    )


def _cut(instants: Sequence[datetime], seconds: int) -> list[datetime]:
    """Return the starts of the UTC days or hours that an instant cuts in two."""
    starts = {int(at.timestamp()) // seconds * seconds for at in instants if int(at.timestamp()) % seconds}
    return [_instant(start) for start in sorted(starts)]


def _bucket(column: str) -> str:
    """Return the SQL of which piece of the span a row belongs to, from 0."""
    return f"toUInt32(indexOf(bounds, roundDown(toUInt32(toUnixTimestamp({column})), bounds)) - 1)"


def between(column: str, span: Span) -> str:
    """Return the SQL of a span of time."""
    low, high = int(span.start.timestamp()), int(span.end.timestamp())
    return f"{column} >= toDateTime({low}, 'UTC') AND {column} < toDateTime({high}, 'UTC')"
