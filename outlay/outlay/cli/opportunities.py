"""The command that shows possible savings."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Annotated

import msgspec
from typer import Option

from outlay.cli.actor import actor
from outlay.cli.audit_log import store_action
from outlay.cli.options import FromWeek, Tenant, To, Tz, a_line
from outlay.cli.output import CommandError, err, line, unknown
from outlay.cli.report_query import Output
from outlay.cli.stores import open_clickhouse, read_published
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_pricer.ledger import Selection
from outlay_pricer.opportunities.search import Opportunities, find
from outlay_reports.adapters.savings import decisions
from outlay_reports.periods import parse_time_range, parse_zone
from outlay_reports.savings import Decision, Effort, Saving, SavingsAnalysis, Status, savings_table


def opportunities(
    *,
    start: FromWeek = "7d",
    end: To = None,
    tz: Tz = "UTC",
    tenant: Tenant = "",
    limit: Annotated[int, Option(min=1, help="Number of rows.")] = 15,
    least: Annotated[float, Option(min=0, help="Leave out savings below this, in USD a month.")] = 1.0,
    most: Annotated[int, Option("--events", min=1, help="Price at most this many events.")] = 500_000,
    change: Annotated[
        str | None, Option("--set", metavar="ID", help="Set --status, --owner or --effort of this one.")
    ] = None,
    status: Annotated[Status | None, Option(help="What was decided.")] = None,
    owner: Annotated[str | None, Option(help="Who takes care of it.")] = None,
    effort: Annotated[Effort | None, Option(metavar="<low|medium|high>", help="How much work it is.")] = None,
    dismiss: Annotated[str | None, Option(metavar="ID", help="Stop showing this one.")] = None,
    restore: Annotated[str | None, Option(metavar="ID", help="Show this one again.")] = None,
    reason: Annotated[str, Option(callback=a_line, help="Why it is dismissed, or a note.")] = "",
    dismissed: Annotated[bool, Option("--dismissed", help="Also show dismissed and done ones.")] = False,
    to: Output,
) -> None:
    """Show possible savings: each event of the ledger is priced again under cheaper alternatives.

    Prompt caching, batch and flex tiers, newer and smaller models, repeated calls, idle and oversized machines,
    commitments that would pay, colder storage classes, transfer across regions; ranked by dollars, with example events
    (--json adds the query that lists them all). Savings overlap: do not add them up.

    Examples:

        outlay opportunities
        outlay opportunities --from 30d --least 100 --json
        outlay opportunities --dismiss 55afbdab --reason "kept for the launch"
        outlay opportunities --set 55afbdab --status planned --owner kim --effort low
    """
    span = parse_time_range(start, end, parse_zone(tz), SystemClock().now())
    wanted = Selection(since=span.start, until=span.end, tenant=tenant)
    name = dismiss or restore or change
    if name is None and (status or owner is not None or effort is not None):
        raise CommandError("--status, --owner and --effort need an opportunity", "name it: --set ID")
    with open_clickhouse(tenant, write=name is not None) as clickhouse:
        known = decisions(clickhouse)
        if name is not None:
            if restore and not known.get(restore, Decision()).closed:
                see = "list them: outlay opportunities --dismissed"
                raise unknown(
                    "dismissed opportunity", restore, [k for k, v in known.items() if v.closed], see
                )
            if not restore:
                _require_opportunity(clickhouse, name, wanted, most)
            old = known.get(name, Decision())
            wished = "dismissed" if dismiss else "open" if restore else status or old.status
            new = replace(
                old, status=wished, reason=reason or old.reason, owner=old.owner if owner is None else owner,
                effort=old.effort if effort is None else effort,
            )  # fmt: skip
            _decide(clickhouse, name, old, new, tenant)
            return
        found = _find(clickhouse, wanted, most)
    to.write(savings_table(analysis_of(found, known), limit, least, closed=dismissed))


def _decide(clickhouse: ClickHouseClient, name: str, old: Decision, new: Decision, tenant: str) -> None:
    """Write what was decided about an opportunity, to the audit log first."""
    action = new.action(old)
    store_action(clickhouse, action, name, tenant=tenant, **asdict(new))
    row = asdict(new) | {"id": name, "dismissed": new.closed, "by": actor(), "at": SystemClock().now()}
    clickhouse.insert_json_lines("dismissals", msgspec.json.encode(row))
    line(f"{name} is {'shown again' if action == 'opportunities.restore' else new.status}")


def _find(clickhouse: ClickHouseClient, wanted: Selection, most: int) -> Opportunities:
    catalog = read_published()
    with err.status("pricing the ledger as it might have been") as status:
        return find(
            clickhouse, catalog, wanted, most=most, progress=lambda n: status.update(f"{n:,} events priced")
        )


def _require_opportunity(clickhouse: ClickHouseClient, name: str, wanted: Selection, most: int) -> None:
    known = {row["id"] for row in clickhouse.rows("SELECT DISTINCT id FROM opportunities WHERE id != ''")}
    if name not in known:
        known |= {one.id for one in _find(clickhouse, wanted, most).findings}
    if name not in known:
        raise unknown("opportunity", name, sorted(known))


def analysis_of(found: Opportunities, decided: Mapping[str, Decision]) -> SavingsAnalysis:
    """Return what a search found in the form that reports read, with what was decided."""
    savings = [
        Saving(
            one.id, one.method.kind, *one.where[1:], one.method.recommendation, one.method.prerequisite, one.saving,
            one.cost, one.events, [f"{source}#{name}" for source, name in one.examples],
            one.query(found.since, found.until), decided.get(one.id, Decision()),
        )
        for one in found.findings
    ]  # fmt: skip
    return SavingsAnalysis(
        savings, found.since, found.until, found.events, found.cached, at=found.until, whole=found.whole
    )
