"""Asks ClickHouse, as the user that can only read."""

from typing import Annotated

import typer

from outlay.cli.common import AsJson, CommandError, friendly_errors, show


@friendly_errors
def query(
    sql: Annotated[str, typer.Argument(help="A SELECT on costs, costs_hourly, costs_daily …")],
    as_json: AsJson = False,
) -> None:
    """Ask the books in SQL. The views costs, costs_minutely, costs_hourly and costs_daily say what was spent.

    Examples:

      outlay query "SELECT team, sum(cost) FROM costs_daily GROUP BY team"

      outlay query "SELECT * FROM costs WHERE unpriced LIMIT 5" --json
    """
    from clickhouse_connect.driver.exceptions import DatabaseError

    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient

    _, settings = stores()
    clickhouse = ClickHouseClient(settings)
    try:
        rows = clickhouse.rows(sql)
    except DatabaseError as error:
        raise CommandError(str(error).strip(), 'see the columns: outlay query "DESCRIBE costs"') from error
    finally:
        clickhouse.close()
    show(as_json, rows, "", "no rows")
