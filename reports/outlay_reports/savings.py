"""Possible savings: what an analysis found, what people decided, the saving of a month, and the table. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, get_args

from outlay_reports.money import about, counted, dollars, from_pico, share
from outlay_reports.report_table import Column, ExpectedCost, ReportTable, Row, Spent, Value
from outlay_schemas.currency import USD, Currency
from outlay_schemas.dimensions import name_of
from outlay_schemas.money import PICO, to_pico

NEWEST_ANALYSIS = """
SELECT id, kind, team, project, provider, sku, recommendation, prerequisite, saving, cost, events,
    toUnixTimestamp(since) AS low,
    toUnixTimestamp(until) AS high, toUnixTimestamp(evaluated_at) AS looked, example_source, example_id,
    if(d.status = '', 'open', d.status) AS status, d.effort AS effort, d.owner AS owner, d.reason AS reason,
    d.who AS who
FROM opportunities AS o
LEFT JOIN (SELECT id, status, effort, owner, reason, by AS who FROM dismissals FINAL) AS d ON d.id = o.id
WHERE tenant = {tenant:String}
    AND evaluated_at = (SELECT max(evaluated_at) FROM opportunities WHERE tenant = {tenant:String})
ORDER BY saving DESC, id"""
"""What the repricer found last for a tenant, and what was decided since. The row without an id is about all events."""

Status = Literal["open", "planned", "done", "dismissed"]
Effort = Literal["", "low", "medium", "high"]
STATUSES: tuple[Status, ...] = get_args(Status)
EFFORTS: tuple[Effort, ...] = get_args(Effort)
"""Empty: not estimated."""
CLOSED: frozenset[Status] = frozenset({"done", "dismissed"})
"""The statuses of what is not a possible saving any more."""
_MONTH = timedelta(days=30)
_LEAST = timedelta(days=3)
"""A shorter time says too little about a month: an hour of a test is not 720 hours of it."""


@dataclass(frozen=True)
class Decision:
    """What people decided about an opportunity."""

    status: Status = "open"
    effort: Effort = ""
    owner: str = ""
    reason: str = ""

    @property
    def closed(self) -> bool:
        """Whether it is done or dismissed."""
        return self.status in CLOSED

    def action(self, old: "Decision") -> str:
        """Return what the audit log calls it to decide this after `old`."""
        if self.status == "dismissed" != old.status:
            return "opportunities.dismiss"
        return "opportunities.restore" if old.closed and not self.closed else "opportunities.change"


@dataclass(frozen=True)
class Saving:
    """What one recommendation would have saved in one place. Amounts are pico-USD."""

    id: str
    kind: str
    team: str
    project: str
    provider: str
    sku: str
    recommendation: str
    prerequisite: str
    saving: int
    cost: int
    events: int
    examples: Sequence[str]
    """Some of the events, each as `source#id`."""
    query: str = ""
    """SQL that lists the events; empty: not known."""
    decision: Decision = Decision()


@dataclass(frozen=True)
class SavingsAnalysis:
    """What was found in the events from `since` to `until`, the largest first."""

    found: Sequence[Saving]
    since: datetime
    until: datetime
    events: int
    cached: int
    """Pico-USD that prompt caching has saved already."""
    at: datetime
    """When it was made: the rate of this time converts its amounts."""
    whole: bool = True
    """Whether all events of the period were priced."""

    def in_currency(self, currency: Currency) -> "SavingsAnalysis":
        """Return it with its amounts in a currency. Raises NoRateError."""
        if currency.code == USD.code:
            return self

        def converted(pico: int) -> int:
            return to_pico(str(currency.convert(from_pico(pico), self.at)))

        found = [replace(one, saving=converted(one.saving), cost=converted(one.cost)) for one in self.found]
        return replace(self, found=found, cached=converted(self.cached))


def analysis_of(rows: Iterable[Mapping[str, Any]]) -> SavingsAnalysis | None:
    """Return the analysis that the rows of `NEWEST_ANALYSIS` hold; None: there was none yet."""
    every = list(rows)
    whole = next((row for row in every if not row["id"]), None)
    if whole is None:
        return None
    since, until, at = (datetime.fromtimestamp(whole[name], UTC) for name in ("low", "high", "looked"))
    found = [
        Saving(
            row["id"], row["kind"], row["team"], row["project"], row["provider"], row["sku"], row["recommendation"],
            row["prerequisite"], to_pico(row["saving"]), to_pico(row["cost"]), row["events"],
            (f"{row['example_source']}#{row['example_id']}",),
            decision=Decision(row["status"], row["effort"], row["owner"], row["reason"]),
        )
        for row in every
        if row["id"]
    ]  # fmt: skip
    return SavingsAnalysis(found, since, until, whole["events"], to_pico(whole["saving"]), at)


NO_ANALYSIS = ReportTable(
    "opportunities", "Possible savings", (), (),
    notes=("no analysis yet: the first one starts within a minute of the first event",),
)  # fmt: skip
"""The report before the first analysis."""


def distinct_savings(found: Iterable[tuple[str, str, str, int]]) -> int:
    """Return what can be saved together at least, of (provider, SKU, recommendation, saving): savings of a SKU overlap,
    so of each SKU one recommendation counts, the one that saves most."""
    ways: dict[tuple[str, str], dict[str, int]] = {}
    for provider, sku, recommendation, saving in found:
        of_sku = ways.setdefault((provider, sku), {})
        of_sku[recommendation] = of_sku.get(recommendation, 0) + saving
    return sum(max(of_sku.values()) for of_sku in ways.values())


def monthly_saving(saving: int, since: datetime, until: datetime) -> int | None:
    """Scale a saving in the events from `since` to `until` to 30 days, pico-USD; None below three days."""
    length = until - since
    return None if length < _LEAST else round(saving * _MONTH.total_seconds() / length.total_seconds())


def saving_basis(since: datetime, until: datetime) -> str:
    """Say what monthly figures are made from."""
    length = until - since
    unit, name = (timedelta(days=1), "days") if length >= timedelta(days=2) else (timedelta(hours=1), "hours")
    text = f"{length / unit:.1f} {name}"
    if length < _LEAST:
        return f"observed in {text}; a monthly figure needs at least three days of events"
    return f"monthly amounts are extrapolated from {text} of events"


def savings_table(
    analysis: SavingsAnalysis, limit: int, least: float, *, closed: bool = False, currency: Currency = USD
) -> ReportTable:
    """Return the `limit` greatest savings of at least `least` a month, with `closed` those done and dismissed too.

    Amounts, and `least`, are in `currency`. Under three days of events have no monthly figure: `least` then applies to
    the observed saving. Raises NoRateError.
    """
    analysis = analysis.in_currency(currency)
    months = {one.id: monthly_saving(one.saving, analysis.since, analysis.until) for one in analysis.found}
    least_pico = round(Decimal(str(least)) * PICO)
    large = [
        one
        for one in analysis.found
        if (one.saving if (month := months[one.id]) is None else month) >= least_pico
    ]
    listed = [one for one in large if closed or not one.decision.closed]
    kept = not any(one.decision != Decision() for one in listed[:limit])  # nothing decided: no columns for it
    queries = any(one.query for one in listed)
    rows = []
    for one in listed[:limit]:
        month, decided = months[one.id], one.decision
        values: tuple[Value, ...] = (
            one.id, one.kind, name_of(one.team), one.project, one.provider, one.sku, one.recommendation,
            Spent(one.saving), None if month is None else ExpectedCost(month), share(one.saving, one.cost), one.events,
            one.prerequisite, one.examples[0], " ".join(one.examples), *([one.query] if queries else []),
            decided.status, decided.owner, decided.effort,
        )  # fmt: skip
        rows.append(Row(values))
    columns = (
        Column("id", "id"), Column("kind", "kind"), Column("team", "team"), Column("project", "project"),
        Column("provider", "provider", wide=True),
        Column("sku", "model or SKU"), Column("what", "recommendation"), Column("saving_usd", "saves", "usd"),
        Column("monthly_usd", "per month", "usd"), Column("share", "of cost", "share"),
        Column("events", "events", "count"), Column("check", "check first"), Column("example", "example"),
        Column("examples", "examples", wide=True), *([Column("evidence", "query", wide=True)] if queries else []),
        Column("status", "status", wide=kept), Column("owner", "owner", wide=kept),
        Column("effort", "effort", wide=kept),
    )  # fmt: skip
    notes = _notes(analysis, limit, len(listed), len(large) - len(listed), currency)
    facts = {
        "from": analysis.since.isoformat(),
        "to": analysis.until.isoformat(),
        "events": analysis.events,
    }
    since = f"since {analysis.since:%Y-%m-%d %H:%M} UTC"
    return ReportTable(
        "opportunities", f"Possible savings, from {counted(analysis.events, 'event')} {since}", columns, tuple(rows),
        notes=tuple(notes), facts=facts, empty="no savings found",
    ).in_currency(currency)  # fmt: skip


def _notes(analysis: SavingsAnalysis, limit: int, listed: int, hidden: int, currency: Currency) -> list[str]:
    since, until = analysis.since, analysis.until
    notes = [saving_basis(since, until), "savings overlap: do not add them up"]
    if listed:
        together = distinct_savings(
            (one.provider, one.sku, one.recommendation, one.saving)
            for one in analysis.found  # `least` only shortens the list
            if not one.decision.closed
        )
        month, code = monthly_saving(together, since, until), currency.code
        total = (
            dollars(together, currency=code)
            if month is None
            else f"{about(from_pico(month), currency=code)} a month"
        )
        notes.append(f"together at least {total}: the best way for each model or SKU")
    if analysis.cached:
        saved = dollars(analysis.cached, currency=currency.code)
        notes.append(f"prompt caching already saved {saved} in this period")
    if hidden:
        notes.append(f"{hidden} dismissed or done: --dismissed shows them")
    if listed > limit:
        notes.append(f"{listed - limit} more: --limit")
    if not analysis.whole:
        end = f"{until:%Y-%m-%d %H:%M} UTC"
        notes.append(f"only the first {counted(analysis.events, 'event')} were priced, until {end}: --events")
    return notes
