"""How budgets stand."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import AsJson, friendly_errors, out, print_json
from outlay.cli.report_options import Format, reading, write_report

if TYPE_CHECKING:
    from outlay_reports.adapters.cost_reader import CostReader
    from outlay_reports.budgets import BudgetPlan


@friendly_errors
def budgets(
    tenant: Annotated[str, typer.Option(help="Whose; default: of all.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show how each budget stands: what is spent, what will have been spent, and when it is used up.

    Computed now, from the same spending and forecast as the console and the alerts. Programs that want to stop
    ask over HTTP: see docs/rules.md.

    Example:

      outlay budgets
    """
    import msgspec

    from outlay_kit.clock import SystemClock
    from outlay_reports.adapters.forecast_cache import ForecastCache
    from outlay_reports.forecast.summary import budget_table

    with reading() as books:
        plans = planned((tenant,) if tenant else (), books)
        states = ForecastCache().states(books, plans, SystemClock().now())
        if as_json:
            print_json(msgspec.to_builtins(states))
        elif plans:
            write_report(budget_table(plans, states), Format.table, False, None)
        else:
            out.print("there is no budget; write one in budgets.yaml of the catalog")


def planned(tenants: Sequence[str], books: "CostReader") -> "list[BudgetPlan]":
    """Return the budgets of the catalog in force, as some tenants have them; none named: all tenants."""
    from outlay.catalog.publish import newest
    from outlay.local import stores
    from outlay_reports.forecast.summary import plans_of

    catalog = newest(stores()[0])
    if catalog is None:
        return []
    named = {budget.tenant for budget in catalog.budgets} - {"*"}
    return plans_of(catalog.budgets, tenants or sorted({*books.tenants(), *named}))
