"""How budgets stand."""

from decimal import Decimal
from typing import Annotated

import typer

from outlay.cli.common import AsJson, print_json, show, told


@told
def budgets(
    tenant: Annotated[str, typer.Option(help="Whose; default: of all.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show how each budget stands: what is spent and left, what will have been spent, and when it is gone.

    As the alerter reckoned it last, within seconds. Programs that want to stop ask it over HTTP: see docs/alerts.md.

    Example:

      outlay budgets
    """
    import msgspec

    from outlay.local import stores
    from outlay_alerter.domain.status import Status
    from outlay_kit.warehouse import Warehouse
    from outlay_reports.money import about, percent, usd

    warehouse = Warehouse(stores()[1])
    rows = warehouse.rows(
        "SELECT body FROM budget_status FINAL WHERE ({tenant:String} = '' OR tenant = {tenant:String})"
        " ORDER BY tenant, budget",
        {"tenant": tenant},
    )
    warehouse.close()
    found = [msgspec.json.decode(row["body"], type=Status) for row in rows]
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    shown: list[dict[str, object]] = [
        {
            "tenant": one.tenant, "budget": one.budget, "stands": one.standing, "spent": usd(one.spent),
            "of": usd(one.amount), "used": percent(Decimal(one.percent) / 100),
            "will be": "" if one.forecast is None else about(Decimal(one.forecast)),
            "gone on": "" if one.gone_on is None else f"{one.gone_on:%Y-%m-%d}",
            "until": f"{one.period_end:%Y-%m-%d %H:%M}",
        }
        for one in found
    ]  # fmt: skip
    show(False, shown, "Budgets (UTC)", "there is no budget; write one in budgets.yaml of the catalog")
