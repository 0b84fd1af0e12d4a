"""Builds an alert from a decision: since when, how fast, why it costs more, who spends, where to look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import get_args

import msgspec

from outlay_alerter.adapters.rollup_reader import RollupReader, windows_to
from outlay_alerter.alerts.states import Finding, StoredState, Transition
from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.spend_spike import HISTORY
from outlay_alerter.rules.watch import Budget, Scope
from outlay_kit.clock import Clock
from outlay_kit.time_ranges import TimeRange, floor_to, grain_length
from outlay_reports.alert_text import says_something
from outlay_reports.budgets import previous_period
from outlay_reports.compare import compare
from outlay_reports.explore_links import alert_link
from outlay_reports.range_sums import needs_ledger
from outlay_schemas.alerts import SEVERITY_RANK, Alert, Contributor, Effect, EffectKind, Severity, State
from outlay_schemas.dimensions import FREE
from outlay_schemas.events import Grain
from outlay_schemas.money import Usd, to_pico, to_usd

MOST_EXPLAINED = 5
"""Alerts of one evaluation that get contributors and effects (up to five queries each)."""
_RATE = timedelta(minutes=10)
"""The current rate is that of so long."""
_TOTALS = ("budget", "budget_forecast")
"""Rules whose amount is that of a whole period: what is over divided by its hours is not a rate."""

_TOP_DIMENSIONS = ("sku", "user")
"""Model and user come first: they say what is used and whom to ask."""

_REACH: dict[Grain, str] = {"minute": "2 hours", "hour": "7 days", "day": "8 weeks"}
"""How long `HISTORY` windows are."""
_WEEK = timedelta(days=7)


class AlertBuilder:
    """Alerts with their reasons."""

    def __init__(self, rollups: RollupReader, clock: Clock, console: str = "") -> None:
        self._rollups, self._clock, self._console = rollups, clock, console

    def alert(self, change: Transition, *, explained: bool, quiet: str = "") -> Alert:
        """Return the alert of a change. Raises Retryable.

        `quiet`: why people are not notified. Without `explained` it gets no reasons: they take queries.
        """
        finding, key = change.finding, change.finding.key
        span = self._so_far(finding.span)
        over, per_hour = _impact(finding, span)
        now = self._clock.now()
        alert = Alert(
            id=change.id, tenant=key.tenant, rule=key.rule, rule_type=finding.rule_type,
            scope={name: v[0] if len(v) == 1 else list(v) for name, v in key.scope.items()},
            window=span.start if finding.rule_type == "budget_burn" else finding.shown or key.window,
            window_end=span.end, level=key.level, severity=_severity(change), state=_shown_state(change.state),
            title=finding.title, summary=finding.summary, actual=to_usd(finding.actual),
            expected=None if finding.expected is None else to_usd(finding.expected),
            contributors=[], at=now, fired_at=change.fired_at(now), query=_query(key.tenant, span, key.scope),
            unit=finding.unit, started_at=self._began(change, span), impact=over,
            impact_per_hour=per_hour,
            facts={**finding.facts, **({"quiet": quiet} if quiet else {})},
            link=alert_link(self._console, change.id), backfill=finding.backfill, unpriced=finding.unpriced,
            runbook=finding.watch.runbook, owner=finding.watch.owner, mention=list(finding.watch.mention),
        )  # fmt: skip
        if finding.parts:
            effects = [Effect(kind, to_usd(cost)) for kind, cost in finding.parts]
            alert = msgspec.structs.replace(alert, effects=effects, compared="the prices of the day before")
        return self._explained(alert, finding, span) if explained else alert

    def _explained(self, alert: Alert, finding: Finding, span: TimeRange) -> Alert:
        if alert.state != "firing":
            return alert
        key, money = finding.key, finding.unit.startswith("USD")
        amount = finding.watch.counts if isinstance(finding.watch, Budget) else "cost"
        found, total = self._rollups.contributors(finding.watch, span, key.scope, amount)
        alert = msgspec.structs.replace(
            alert, contributors=ranked(found, key.scope), contributors_total=to_usd(total)
        )
        if not money:
            return alert
        end = self._minute_end()
        minutes = windows_to("minute", end - timedelta(minutes=1), _RATE // timedelta(minutes=1))
        lately = self._rollups.series(key.tenant, "minute", minutes, key.scope, amount=amount).values()
        rate = sum(one.cost for one in lately) * (timedelta(hours=1) // _RATE)
        alert = msgspec.structs.replace(
            alert, rate_per_hour=to_usd(rate), rate_unpriced=sum(one.unpriced for one in lately)
        )
        baseline = _baseline_of(finding, span)
        if baseline is None or alert.effects:
            return alert
        earlier = self._rollups.things(key.tenant, baseline.span, key.scope)
        later = self._rollups.things(key.tenant, span, key.scope)
        split = compare(earlier, later, 0, baseline.scale).all.effects
        effects = [Effect(kind, to_usd(split[kind])) for kind in get_args(EffectKind) if split[kind]]
        return msgspec.structs.replace(alert, effects=effects, compared=baseline.text if effects else "")

    def _began(self, change: Transition, span: TimeRange) -> datetime:
        """Return when it began: an episode keeps its beginning until it is over."""
        finding, before = change.finding, change.before
        if before is not None and before.active and before.alert and before.alert.started_at:
            return before.alert.started_at
        if finding.rule_type == "budget_burn" and isinstance(finding.watch, Budget):
            return self._burns_since(finding, span, finding.watch)
        return self._clock.now() if finding.shown else min(finding.key.window, self._clock.now())

    def _burns_since(self, finding: Finding, span: TimeRange, budget: Budget) -> datetime:
        """Return the last moment of a burn window since which spending alone exceeds what the whole may burn."""
        grain: Grain = "minute" if span.length <= timedelta(hours=6) else "hour"
        step = grain_length(grain)
        costs = self._rollups.series(
            finding.key.tenant, grain, windows_to(grain, span.end - step, span.length // step),
            finding.key.scope, amount=budget.counts,
        )  # fmt: skip
        limit, total = budgets.burn_limit(budget, finding), 0
        for start in sorted(costs, reverse=True):
            total += costs[start].cost
            if total >= limit:
                return start
        return span.start

    def _so_far(self, window: TimeRange) -> TimeRange:
        """Cut a window at the end of this minute: what is to come is not compared."""
        end = self._minute_end()
        return TimeRange(window.start, end) if window.start < end < window.end else window

    def _minute_end(self) -> datetime:
        return floor_to(self._clock.now(), "minute") + timedelta(minutes=1)


def ranked(contributors: Sequence[Contributor], scope: Scope) -> list[Contributor]:
    """Return contributors with model and user first, then the dimension whose greatest value has the most.

    Dimensions that say nothing (the scope itself, a single provider, nothing attributed) come last.
    """
    groups: dict[str, list[Contributor]] = {}
    for one in sorted(contributors, key=lambda c: (-to_pico(c.cost), c.value)):
        groups.setdefault(one.dimension, []).append(one)

    def order(name: str) -> tuple[bool, bool, int, int, str]:
        group, known = groups[name], name in _TOP_DIMENSIONS
        place = _TOP_DIMENSIONS.index(name) if known else 0
        return not says_something(name, group, scope), not known, place, -to_pico(group[0].cost), name

    return [one for name in sorted(groups, key=order) for one in groups[name]]


def _impact(finding: Finding, span: TimeRange) -> tuple[Usd | None, Usd | None]:
    """Return how much was spent beyond what was expected, and how much that is each hour, where it is a rate."""
    if not finding.money or finding.expected is None:
        return None, None
    over = finding.actual - finding.expected
    per_hour = round(over / Fraction(span.length // timedelta(seconds=1), 3600))
    return to_usd(over), None if finding.rule_type in _TOTALS else to_usd(per_hour)


def _severity(change: Transition) -> Severity:
    """Return the severity: an alert can get worse while it lasts, and is resolved with the worst that it was."""
    before, now = change.before, change.finding.severity
    if before is None or not before.active or before.alert is None:
        return now
    return max(now, before.alert.severity, key=SEVERITY_RANK.__getitem__)


def _shown_state(state: StoredState) -> State:
    """Return what is shown of a state: what is pending would fire; what people ended is resolved."""
    return state if state == "acknowledged" else "firing" if state in ("firing", "pending") else "resolved"


def _query(tenant: str, span: TimeRange, scope: Scope) -> str:
    wheres = [f"tenant = {_quoted(tenant)}", f"time >= '{span.start:%Y-%m-%d %H:%M:%S}'"]
    wheres += [f"time < '{span.end:%Y-%m-%d %H:%M:%S}'"]
    view = "costs" if needs_ledger(scope) else "costs_minutely"
    wheres += [f"{_column(name)} IN ({', '.join(map(_quoted, values))})" for name, values in scope.items()]
    return f"SELECT * FROM {view} WHERE {' AND '.join(wheres)}"  # noqa: S608 (to be shown, not run)


def _column(name: str) -> str:
    prefix = next((prefix for prefix in FREE if name.startswith(prefix)), "")
    return f"{prefix[:-1]}[{_quoted(name.removeprefix(prefix))}]" if prefix else name


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True, slots=True)
class _Baseline:
    """An earlier time. `scale` times its cost compares with the cost of the alert's window."""

    span: TimeRange
    scale: Fraction
    text: str
    """What it is called: `the average minute of the 2 hours before`."""


def _baseline_of(finding: Finding, so_far: TimeRange) -> _Baseline | None:
    """Return what the cost of `so_far`, the part of a finding's span that is over, compares with; None: nothing."""
    rule_type, watch, window = finding.rule_type, finding.watch, finding.span
    if rule_type in ("budget", "budget_forecast") and isinstance(watch, Budget):
        if watch.rolling is not None:
            return _Baseline(so_far.before, Fraction(1), f"the {watch.rolling.days} days before")
        earlier = previous_period(watch, window)
        end = min(earlier.end, earlier.start + so_far.length)
        return _Baseline(
            TimeRange(earlier.start, end), Fraction(1), f"the same part of the {watch.period} before"
        )
    if rule_type == "budget_burn":
        hours = Fraction(int(so_far.length.total_seconds()), 3600)
        text = "the hour before" if hours == 1 else f"the {float(hours):g} hours before"
        return _Baseline(so_far.before, Fraction(1), text)
    grain = next((name for name in _REACH if grain_length(name) == window.length), None)
    if grain is None or rule_type not in ("spend_spike", "anomaly", "threshold"):
        return None
    if rule_type == "anomaly" and grain != "day":
        windows, reach = _WEEK // window.length, "7 days"  # each time of the day, and of the week
    else:
        windows, reach = HISTORY[grain], _REACH[grain]
    earlier = TimeRange(window.start - window.length * windows, window.start)
    return _Baseline(earlier, Fraction(1, windows), f"the average {grain} of the {reach} before")
