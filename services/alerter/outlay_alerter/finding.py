"""What every budget and rule of a tenant finds, as of now."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from outlay_alerter.adapters.measures import Measures
from outlay_alerter.adapters.sums import Sums
from outlay_alerter.adapters.watchlist import Watchlist
from outlay_alerter.anomalies import Anomalies
from outlay_alerter.budgeting import Budgets
from outlay_alerter.domain import episodes
from outlay_alerter.domain.states import Finding, Known, open_of
from outlay_alerter.domain.status import Status
from outlay_alerter.domain.watches import Anomaly, Budget, SpendSpike, Watch, matches
from outlay_alerter.pacing import Pace
from outlay_alerter.ruling import Rules
from outlay_kit.clock import Clock
from outlay_kit.spans import Span, floor_to, grain_length

Found = list[tuple[Finding, Span]]


class Finder:
    """Evaluates; what asks for tags no more often than the ledger can bear."""

    def __init__(self, sums: Sums, measures: Measures, clock: Clock, most_scopes: int) -> None:
        self._sums, self._pace = sums, Pace(clock)
        self._budgets, self._anomalies = Budgets(sums, clock), Anomalies(sums, most_scopes)
        self._rules = Rules(measures, clock)
        self._late: dict[tuple[str, str], set[datetime]] = {}
        """Minutes that changed, of budgets that were not due since."""

    def forget(self) -> None:
        """Begin anew: what detectors found could not be written down."""
        self._anomalies.forget()

    def find(
        self, watchlist: Watchlist, tenant: str, times: Iterable[datetime], known: dict[str, Known]
    ) -> tuple[Found, list[Status]]:
        """Return all that holds, breached or not, and how budgets stand. Raises Retryable."""
        found: Found = []
        standing: list[Status] = []
        times = set(times)
        self._budgets.begin()
        for watch in watchlist.watches(tenant).values():
            if isinstance(watch, Budget):
                findings, statuses = self._budget(watch, times)
                found += findings
                standing += statuses
            elif not watch.tagged:
                found += self._rule(watch, known)
            else:
                found += self._pace.read(tenant, watch.id, partial(self._rule, watch, known)) or []
        return found, standing

    def _budget(self, budget: Budget, times: set[datetime]) -> tuple[Found, list[Status]]:
        if not budget.tagged:
            findings, status = self._budgets.find(budget, sorted(times))
            return findings, [status]
        late = self._late.setdefault((budget.tenant, budget.id), set())
        late |= times
        read = self._pace.read(
            budget.tenant, budget.id, lambda: self._budgets.find(budget, sorted(late))
        )  # fmt: skip
        if read is None:
            return [], []
        late.clear()
        return read[0], [read[1]]

    def _rule(self, rule: Watch, known: dict[str, Known]) -> Found:
        if isinstance(rule, SpendSpike):
            return self._spike(rule, known)
        if isinstance(rule, Anomaly):
            return self._anomalies.find(rule, known)
        return self._rules.find(rule, known)

    def _spike(self, rule: SpendSpike, known: dict[str, Known]) -> list[tuple[Finding, Span]]:
        newest_minute = self._sums.newest(rule.tenant)
        if newest_minute is None:
            return []
        newest, length = floor_to(newest_minute, rule.grain), grain_length(rule.grain)
        count = episodes.reach(rule.grain)
        names = sorted({*rule.scope, *rule.by})
        series: dict[tuple[str, ...], list[int]] = {}
        opened = open_of(rule.id, known)
        alone = (
            set(names) == set(rule.by) and not opened.alerts
        )  # what costs less than a spike must cannot be one
        least = (rule.min_cost if alone else 0, episodes.LOOK_BACK)
        for place, cell, cost in self._sums.series(
            rule.tenant, rule.grain, newest, count, names, of_late=least
        ):
            if matches(rule.scope, cell):
                line = series.setdefault(tuple(cell[name] for name in rule.by), [0] * count)
                line[place] += cost
        first = self._sums.first(rule.tenant, rule.grain, newest, count) if series else count
        span = Span(newest, newest + length)
        return [
            (finding, span)
            for values, line in series.items()
            for scope in (rule.scope_of(values),)
            for finding in episodes.findings(
                rule, scope, line[first:], newest, opened.since(rule.tenant, rule.id, scope, episodes.LEVEL)
            )
        ]
