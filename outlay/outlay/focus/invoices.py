"""Which statement a charge is on: InvoiceId, and InvoiceDetailId for the part of the unit that pays.

A charge is on the first closing of its month after its event was accepted. What was accepted after the last closing
is on none yet: it is a correction of a period that was invoiced before, until the month is closed again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from outlay_reports.adapters.closed_periods import ClosedPeriod
from outlay_reports.range_sums import between, bind, column
from outlay_schemas.dimensions import UNASSIGNED

NONE = "''"


@dataclass(frozen=True)
class Invoices:
    """SQL over the ledger's rows, and what it binds."""

    id: str = NONE
    detail: str = NONE
    late: str = "0"
    """Whether the month was closed before the event was accepted."""
    bound: dict[str, object] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    """InvoiceId to the dimension whose values have a part of it each."""


def invoices(closed: Sequence[ClosedPeriod]) -> Invoices:
    """Return how a charge finds its statement. Of a month that was closed in several zones, UTC's count."""
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
    return Invoices(
        f"multiIf({', '.join(ids)}, '')", f"multiIf({', '.join(details)}, '')", " OR ".join(late),
        found.bound, found.units,
    )  # fmt: skip
