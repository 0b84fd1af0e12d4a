"""The ledger as FOCUS rows: one for each hour or day, resource, owner and meter. Each event's cost is in them once."""

# ruff: noqa: S608 (only constants of columns.py and numbers are inserted; values are bound)

from collections.abc import Sequence
from dataclasses import dataclass, field

from outlay.focus.columns import Column, Version, columns
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.closed_periods import ClosedPeriod
from outlay_reports.conversion import Conversion
from outlay_reports.range_sums import bind, column
from outlay_reports.time_sql import between
from outlay_schemas.currency import USD, Currency
from outlay_schemas.dimensions import EXACT, UNASSIGNED

SECONDS = {"hour": 3600, "day": 86_400}

_METERS = """
SELECT c.tenant AS tenant, c.minute AS minute, {start} AS start, {dimensions},
    c.tags AS tags, c.attributes['region'] AS region, c.attributes['service_tier'] AS tier,
    c.price_status AS status, c.price_ref AS price,
    ifNull(c.cost, toDecimal128(0, 12)) AS whole, arraySum(mapValues(c.cost_parts)) AS parted,
    arraySort(arrayDistinct(arrayConcat(mapKeys(c.cost_parts), mapKeys(c.list_parts), c.unpriced_meters))) AS known,
    if(empty(known) OR parted != whole, arrayConcat(known, ['']), known) AS meters,
    arrayMap(m -> if(m = '', whole - parted, c.cost_parts[m]), meters) AS parts,
    ifNull(c.charged, whole) - whole AS markup,
    -- The markup of the meters so far, in proportion to their cost; the last one makes it whole, exactly.
    arrayMap((n, cost) -> if(n = length(parts), markup, toDecimal128(if(whole = 0, toDecimal256(0, 12),
        divideDecimal(multiplyDecimal(markup, cost, 24), whole, 12)), 12)), arrayEnumerate(parts), arrayCumSum(parts))
        AS markups,
    arrayJoin(arrayEnumerate(meters)) AS place, meters[place] AS meter, meter = '' AND notEmpty(known) AS adjusts,
    {split} AS split, {invoice} AS invoice, {detail} AS detail, {late} AS late,
    parts[place] AS part, part + markups[place] - if(place = 1, toDecimal128(0, 12), markups[place - 1]) AS charge,
    multiIf(empty(c.list_parts), part + if(meter = meters[1], ifNull(c.list_cost, whole) - whole, toDecimal128(0, 12)),
        meter = '', ifNull(c.list_cost, whole) - arraySum(mapValues(c.list_parts)), c.list_parts[meter]) AS list_part,
    multiIf(meter = '', toDecimal128(1, 9),
        c.kind = 'llm' AND meter IN ('input_tokens', 'output_tokens'), greatest(c.usage[meter] - arraySum(mapValues(
            mapFilter((k, v) -> (meter = 'input_tokens' AND k IN ('cache_read_tokens', 'cache_write_tokens'))
                OR (k != meter AND startsWith(k, substring(meter, 1, position(meter, '_'))) AND endsWith(k, '_tokens')
                    AND has(known, k)), c.usage))), toDecimal128(0, 9)),
        c.usage[meter]) AS amount
FROM (SELECT *, minute FROM ledger FINAL WHERE {span}{tenants}) AS c"""
_GROUPS = (
    f"tenant, start, {', '.join(EXACT)}, tags, region, tier,"
    " status, price, meter, adjusts, split, invoice, detail, late"
)
_TIME = "formatDateTime({sql}, '%Y-%m-%dT%H:%i:%SZ')"


@dataclass(frozen=True)
class Invoices:
    """SQL expressions over the ledger's rows that find the statement of a charge, and their bound values."""

    id: str = "''"
    detail: str = "''"  # InvoiceDetailId: the part of the invoice of the unit that pays
    late: str = "0"  # whether the month was closed before the event was accepted
    bound: dict[str, object] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    """InvoiceId to the dimension whose values have a part of it each."""


_NO_INVOICES = Invoices()


def invoices(closed: Sequence[ClosedPeriod]) -> Invoices:
    """Return how to find the statement of a charge: the first closing of its month after its event was accepted.
    An event accepted after the last closing corrects an invoiced period: it has no statement until the month is closed
    again. If a month was closed in several zones, UTC counts."""
    found = Invoices(bound={})
    ids, details, late = [], [], []
    for month in sorted(closed, key=lambda one: (one.zone != "UTC", one.zone, one.period)):
        inside = f"tenant = {bind(month.tenant, found.bound)} AND {between('minute', month.span)}"
        unit = f"toString({column(month.unit, found.bound)})"
        named = f"if({unit} = '', {bind(UNASSIGNED, found.bound)}, {unit})"
        for closing in month.closings:
            by_then = f"{inside} AND accepted_ms <= {int(closing.at.timestamp() * 1000)}"
            name = month.invoice(closing.seq)
            ids.append(f"{by_then}, {bind(name, found.bound)}")
            details.append(f"{by_then}, concat({bind(f'{name}/', found.bound)}, {named})")
            found.units[name] = month.unit
        ids.append(f"{inside}, ''")
        details.append(f"{inside}, ''")
        late.append(f"({inside} AND accepted_ms > {int(month.closings[-1].at.timestamp() * 1000)})")
    if not ids:
        return found
    id_sql, detail_sql = (f"multiIf({', '.join(cases)}, '')" for cases in (ids, details))
    return Invoices(id_sql, detail_sql, " OR ".join(late), found.bound, found.units)


def statement(
    span: TimeRange,
    version: Version,
    grain: str,
    *,
    text: bool,
    tenants: bool,
    split: str = "",
    on: Invoices = _NO_INVOICES,
    currency: Currency = USD,
) -> str:
    """Return the SQL of the rows of a time range. `text`: every value as text, for CSV. `split`: SQL for the id of the
    split that shares an event's cost, as one more column. `currency`: of amounts; where money has no rate the query
    fails, and the client raises NoRateError."""
    rates = Conversion.over(currency, span)
    named = ", ".join(
        f"{_value(c, grain, currency.code, text=text)} AS `{c.name}`" for c in columns(version, currency)
    )
    spent, charged, listed = (
        rates.total(f"sum({rates.amount(amount, 'minute')})") for amount in ("part", "charge", "list_part")
    )
    exact = " sum(part) AS spent_usd, sum(list_part) AS listed_usd," if rates.segments else ""
    return (
        f"SELECT {named}{', split' if split else ''} FROM (SELECT {_GROUPS}, {spent} AS spent,"
        f" {charged} AS charged, {listed} AS listed,{exact}"
        " sum(amount) AS quantity, count() AS events, countIf(status = 'unpriced') AS unpriced"
        f" FROM ({_meters(span, grain, tenants, split, on)}) GROUP BY {_GROUPS}) ORDER BY {_GROUPS}"
    )


def charges(span: TimeRange, *, tenants: bool) -> str:
    """Return the SQL that counts, as `n`, what costs something in a time range."""
    meters = _meters(span, "hour", tenants, "", _NO_INVOICES)
    return f"SELECT count() AS n FROM ({meters}) WHERE part != 0 OR charge != 0 OR list_part != 0"


def _meters(span: TimeRange, grain: str, tenants: bool, split: str, on: Invoices) -> str:
    return _METERS.format(
        dimensions=", ".join(f"c.{name} AS {name}" for name in EXACT),
        start=f"toDateTime(toStartOf{grain.capitalize()}(c.minute), 'UTC')",
        span=between("minute", span),
        tenants=" AND tenant IN {tenants:Array(String)}" if tenants else "",
        split=split or "''",
        invoice=on.id,
        detail=on.detail,
        late=on.late,
    )


def _value(column: Column, grain: str, code: str, *, text: bool) -> str:
    sql = column.sql.replace("{seconds}", str(SECONDS[grain])).replace("{currency}", code)
    if column.kind == "time":
        return _TIME.format(sql=sql) if text else sql
    if column.kind in ("decimal", "price", "count"):
        return f"toString({sql})" if text else sql
    return sql if column.nullable else f"toString({sql})"
