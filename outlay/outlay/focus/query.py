"""The ledger as FOCUS rows: one for each hour or day, thing, owner and meter. Every event's cost is in them once."""

# ruff: noqa: S608 (what is pasted are the constants of columns.py and numbers of ours; values are bound)

from outlay.focus.columns import Column, Version, columns
from outlay.focus.invoices import Invoices
from outlay_kit.time_ranges import TimeRange
from outlay_reports.range_sums import between

SECONDS = {"hour": 3600, "day": 86_400}

_METERS = """
SELECT c.tenant AS tenant, {start} AS start, c.kind AS kind, c.activity AS activity, c.provider AS provider,
    c.sku AS sku, c.project AS project, c.team AS team, c.business_unit AS business_unit, c.use_case AS use_case,
    c.tags AS tags, c.attributes['region'] AS region, c.attributes['service_tier'] AS tier,
    c.price_status AS status, c.price_ref AS price,
    ifNull(c.cost, toDecimal128(0, 12)) AS whole, arraySum(mapValues(c.cost_parts)) AS parted,
    arraySort(arrayDistinct(arrayConcat(mapKeys(c.cost_parts), mapKeys(c.list_parts), c.unpriced_meters))) AS known,
    if(empty(known) OR parted != whole, arrayConcat(known, ['']), known) AS meters,
    arrayJoin(meters) AS meter, meter = '' AND notEmpty(known) AS adjusts, {split} AS split,
    {invoice} AS invoice, {detail} AS detail, {late} AS late,
    if(meter = '', whole - parted, c.cost_parts[meter]) AS part,
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
    "tenant, start, kind, activity, provider, sku, project, team, business_unit, use_case, tags, region, tier,"
    " status, price, meter, adjusts, split, invoice, detail, late"
)
_NO_INVOICES = Invoices()
_TIME = "formatDateTime({sql}, '%Y-%m-%dT%H:%i:%SZ')"


def statement(
    span: TimeRange,
    version: Version,
    grain: str,
    *,
    text: bool,
    tenants: bool,
    split: str = "",
    on: Invoices = _NO_INVOICES,
) -> str:
    """Return the SQL of the rows of a span. `text`: every value as text, as CSV has it, and not typed.

    `split`: the SQL of which split shares an event's cost; with it the rows have one column more, `split`.
    `on`: which statement a row is on.
    """
    start = f"toStartOf{grain.capitalize()}(c.minute)"
    start = f"toDateTime({start}, 'UTC')"
    where = " AND tenant IN {tenants:Array(String)}" if tenants else ""
    meters = _METERS.format(
        start=start,
        span=between("minute", span),
        tenants=where,
        split=split or "''",
        invoice=on.id,
        detail=on.detail,
        late=on.late,
    )
    named = ", ".join(f"{_value(c, grain, text=text)} AS `{c.name}`" for c in columns(version))
    return (
        f"SELECT {named}{', split' if split else ''} FROM (SELECT {_GROUPS}, sum(part) AS spent,"
        " sum(list_part) AS listed,"
        " sum(amount) AS quantity, count() AS events, countIf(status = 'unpriced') AS unpriced"
        f" FROM ({meters}) GROUP BY {_GROUPS}) ORDER BY {_GROUPS}"
    )


def _value(column: Column, grain: str, *, text: bool) -> str:
    sql = column.sql.replace("{seconds}", str(SECONDS[grain]))
    if column.kind == "time":
        return _TIME.format(sql=sql) if text else sql
    if column.kind in ("decimal", "price", "count"):
        return f"toString({sql})" if text else sql
    return sql if column.nullable else f"toString({sql})"
