"""Query costs with SQL. `outlay status --json` prints the address and the reader's password."""

import os
from urllib.parse import urlsplit

import clickhouse_connect

url = urlsplit(os.environ["CLICKHOUSE_URL"])
client = clickhouse_connect.get_client(
    host=url.hostname or "",
    port=url.port or 8123,
    username=os.environ["CLICKHOUSE_USER"],
    password=os.environ["CLICKHOUSE_PASSWORD"],
    database="outlay",
)
rows = client.query(
    "SELECT team, sku, sum(cost) AS usd, sum(unpriced_events) AS unpriced FROM costs_daily"
    " WHERE tenant = {tenant:String} AND time >= toStartOfMonth(now()) GROUP BY team, sku ORDER BY usd DESC",
    parameters={"tenant": os.environ.get("OUTLAY_TENANT", "default")},
)
for team, sku, usd, unpriced in rows.result_rows:
    print(f"{team or 'unassigned'} / {sku}: ${usd} ({unpriced} events without a price)")
