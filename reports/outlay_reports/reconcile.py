"""Our ledger against a bill: by day and model, with what each side has and the other has not."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction

from outlay_kit.time_ranges import TimeRange
from outlay_reports.cost_query import Sums, total
from outlay_reports.money import dollars, percent, share
from outlay_reports.report_table import Column, ReportTable, Row, Spent, spent
from outlay_schemas.alerts import Alert, Contributor
from outlay_schemas.digests import digest
from outlay_schemas.money import Exact, rounded_usd, to_usd

_DATED = re.compile(r"[-@](\d{8}|\d{4}-\d{2}-\d{2}|\d{6})(?=$|[-:.])")
_BEFORE = re.compile(
    r"^(models/|.*/|(us|eu|apac|global|jp|au)\.|(anthropic|openai|google|meta|amazon|mistral|cohere|deepseek)\.)"
)
_AFTER = re.compile(r"(-v\d+(:\d+)?|:\d+|-latest)$")


@dataclass(frozen=True)
class BillLine:
    """What a bill says of a day and model; cost in pico-USD."""

    day: date
    model: str
    cost: int


@dataclass
class Pair:
    """Both sides of one day and model. `billed` is None where the bill has no such line, `ours` where we have none."""

    day: date
    model: str
    billed: int | None = None
    ours: Sums | None = None

    @property
    def difference(self) -> int:
        """Bill minus ledger, pico-USD."""
        return (self.billed or 0) - (round(self.ours.cost) if self.ours else 0)


@dataclass
class ModelPair:
    """All days of one model."""

    model: str
    days: list[Pair] = field(default_factory=list)

    @property
    def billed(self) -> int:
        """Pico-USD of the bill."""
        return sum(day.billed or 0 for day in self.days)

    @property
    def ours(self) -> Sums:
        """What the ledger has."""
        return total(day.ours for day in self.days if day.ours)

    @property
    def drift(self) -> Fraction | None:
        """The difference as a share of the bill; None without a bill."""
        return share(self.billed - self.ours.cost, self.billed)

    @property
    def note(self) -> str:
        """What is missing."""
        if all(day.billed is None for day in self.days):
            return "not on the bill"
        if all(day.ours is None for day in self.days):
            return "not in the ledger"
        return ""


def canonical(model: str) -> str:
    """Return a model's name without region, provider, date, version and what a bill adds to it.

    `us.anthropic.claude-sonnet-4-5-20250929-v1:0` and `claude-sonnet-4-5` are one model; `gpt-4o, input` is gpt-4o.
    """
    name = model.split(",", maxsplit=1)[0].strip().lower().replace(" ", "-")
    for _ in range(3):
        name = _BEFORE.sub("", name)
    return _DATED.sub("", _AFTER.sub("", name))


def reconcile(bill: Iterable[BillLine], ours: Iterable[tuple[date, str, str, Sums]]) -> list[ModelPair]:
    """Pair a bill with the ledger's days of the same providers, the largest difference first."""
    ours = list(ours)
    pairs: dict[tuple[str, date], Pair] = {}
    shown: dict[str, str] = {}
    for line in bill:
        name = canonical(line.model)
        shown.setdefault(name, line.model)
        pair = pairs.setdefault((name, line.day), Pair(line.day, name, 0))
        pair.billed = (pair.billed or 0) + line.cost
    providers = {provider for _, provider, model, _ in ours if canonical(model) in shown}
    for day, provider, model, sums in ours:
        if provider not in providers:
            continue
        name = canonical(model)
        shown[name] = model
        pair = pairs.setdefault((name, day), Pair(day, name))
        pair.ours = pair.ours or Sums()
        pair.ours.add(sums)
    found: dict[str, ModelPair] = {}
    for (name, _), pair in sorted(pairs.items()):
        found.setdefault(name, ModelPair(shown[name])).days.append(pair)
    return sorted(
        found.values(), key=lambda model: (-abs(model.billed - round(model.ours.cost)), model.model)
    )


def drifting(models: Iterable[ModelPair], tolerance: Fraction) -> list[ModelPair]:
    """Return the models whose ledger is off by more than `tolerance` of their bill, or that one side has alone."""
    return [model for model in models if _off(model.drift, tolerance, model.ours.cost)]


def _off(drift: Fraction | None, tolerance: Fraction, alone: Exact) -> bool:
    return abs(drift) > tolerance if drift is not None else bool(alone)


def reconcile_table(models: list[ModelPair], tolerance: Fraction, name: str, *, every: bool) -> ReportTable:
    """Return both sides by model, and by day where they differ (`every`: all days)."""

    def row(model: str | None, day: str | None, billed: int | None, ours: Sums | None, note: str = "") -> Row:
        difference = (billed or 0) - (ours.cost if ours else 0)
        bill, ledger = None if billed is None else Spent(billed), None if ours is None else spent(ours)
        values = (model, day, bill, ledger, difference, share(difference, billed or 0), note)
        return Row(values, int(day is not None), leaf=day is not None)

    rows = []
    for model in models:
        rows.append(row(model.model, None, model.billed, model.ours, model.note))
        rows += [
            row(model.model, one.day.isoformat(), one.billed, one.ours)
            for one in model.days
            if every or _off(share(one.difference, one.billed or 0), tolerance, one.difference)
        ]
    billed, whole = sum(model.billed for model in models), total(model.ours for model in models)
    columns = (
        Column("model", "model"), Column("day", "day"), Column("bill_usd", "bill", "usd"),
        Column("ledger_usd", "ledger", "usd"), Column("difference_usd", "bill - ledger", "change"),
        Column("drift", "drift", "growth"), Column("note", ""),
    )  # fmt: skip
    notes = (*_notes(billed, whole, tolerance), *_alone(models))
    title, last = f"Reconcile with {name}", row(None, None, billed, whole)
    return ReportTable("reconcile", title, columns, tuple(rows), last, notes, tree=2)


def _notes(total_billed: int, whole: Sums, tolerance: Fraction) -> list[str]:
    drift = share(total_billed - whole.cost, total_billed)
    off = percent(drift, sign=True) or "all"
    notes = [f"the ledger is off by {off} of the bill; {percent(tolerance)} is taken as none"]
    if drift and whole.cost:
        ratio = Fraction(total_billed, whole.cost)
        notes.append(f"calibration: what the ledger says, times {float(ratio):.6f}, is the bill")
    if whole.unpriced:
        least = dollars(whole.cost, lower_bound=True)
        notes.append(f"{least}, {whole.unpriced:,} events of the ledger are unpriced: it is a lower bound")
    return notes


def _alone(models: Sequence[ModelPair]) -> list[str]:
    """Say what one side has alone: a gap, and no drift of prices."""
    found = []
    unknown = [model for model in models if model.note == "not in the ledger" and model.billed]
    if unknown:
        cost = dollars(sum(model.billed for model in unknown))
        found.append(f"{cost} of the bill is for what the ledger does not have: {_named(unknown)}")
    absent = [model for model in models if model.note == "not on the bill" and model.ours.events]
    if absent:
        sums = total(model.ours for model in absent)
        cost = dollars(sums.cost, lower_bound=bool(sums.unpriced))
        found.append(f"{cost} of the ledger is for what is not on the bill: {_named(absent)}")
    return found


def _named(models: Sequence[ModelPair]) -> str:
    names = ", ".join(model.model for model in models[:5])
    return f"{names} and {len(models) - 5} more" if len(models) > 5 else names


def drift_alert(name: str, span: TimeRange, off: Sequence[ModelPair], tenant: str, now: datetime) -> Alert:
    """Return the alert of a bill that the ledger is not like. The same bill has the same id; `off`: the worst first."""
    billed, ours = sum(model.billed for model in off), total(model.ours for model in off)
    words = [f"{one.model}: bill {dollars(one.billed)}, ledger {dollars(one.ours.cost)}" for one in off[:5]]
    drift = percent(share(billed - ours.cost, billed), sign=True) or "all"
    identity = digest((tenant, name, span.start.isoformat()))
    low, high = (int(at.timestamp()) for at in (span.start, span.end))
    return Alert(
        id=identity, tenant=tenant, rule="reconcile", rule_type="bill_drift",
        scope={"sku": [model.model for model in off[:20]]}, window=span.start, level="drift", severity="warning",
        state="firing", title=f"The bill {name} is {drift} off the ledger", summary="; ".join(words) + ".",
        expected=rounded_usd(ours.cost), actual=to_usd(billed),
        contributors=[Contributor("sku", model.model, to_usd(model.billed)) for model in off[:10]], at=now,
        query=(
            f"SELECT toDate(time) AS day, sku, sum(cost) AS cost FROM costs_hourly WHERE time >= {low}"  # noqa: S608
            f" AND time < {high} GROUP BY day, sku ORDER BY day, sku"
        ),
        impact=to_usd(abs(billed - round(ours.cost))),
    )  # fmt: skip
