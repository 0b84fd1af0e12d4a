"""What every budget and rule of a tenant finds, as of now."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from outlay_alerter.adapters.live_view import LiveView
from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.states import AlertRecord, Finding
from outlay_alerter.budget_reader import BudgetReader
from outlay_alerter.rules.base import Evaluation, Evaluator, marked
from outlay_alerter.rules.registry import KINDS
from outlay_alerter.rules.watch import Watch
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clock import Clock
from outlay_kit.telemetry import get_logger
from outlay_reports.budgets import BudgetStatus

log = get_logger(__name__)
T = TypeVar("T")
_LEAST_SECONDS = 15.0
"""Seconds between two readings, at least."""
_TIMES_AS_LONG = 20
"""And so many times as long as a reading took: a twentieth of the time goes into each rule at most."""


class TenantEvaluator:
    """Evaluates; what asks for tags no more often than the ledger can bear."""

    def __init__(self, rollups: RollupReader, budgets: BudgetReader, clock: Clock, most_scopes: int) -> None:
        self._clock, self._most = clock, most_scopes
        self._readers = rollups, budgets
        self._pace = LedgerReadThrottle(clock)
        self._evaluators: dict[tuple[str, str], tuple[Watch, Evaluator[Any]]] = {}
        self._waiting: dict[tuple[str, str], set[datetime]] = {}
        """Minutes that changed, of rules with tags that were not due since."""

    def forget(self) -> None:
        """Drop the state of all evaluators: what they found could not be written down."""
        self._evaluators.clear()

    def find(
        self, watchlist: Watchlist, tenant: str, times: Iterable[datetime], known: dict[str, AlertRecord]
    ) -> tuple[list[Finding], list[BudgetStatus]]:
        """Return all that holds, breached or not, and how budgets stand. Raises Retryable."""
        found: list[Finding] = []
        standing: list[BudgetStatus] = []
        now, times = self._clock.now(), set(times)
        self._readers[1].begin(watchlist.budgets(tenant))
        live = LiveView(self._readers, tenant, now, times)
        for watch in watchlist.watches(tenant).values():
            result = self._tagged(watch, times, known) if watch.tagged else self._evaluate(watch, live, known)
            if result is not None:
                found += [marked(finding, now) for finding in result.findings]
                standing += result.standing
        return found, standing

    def _tagged(self, watch: Watch, times: set[datetime], known: dict[str, AlertRecord]) -> Evaluation | None:
        """Evaluate what only the ledger knows, if it is due: then for all minutes that changed since."""
        key = (watch.tenant, watch.id)
        waiting = self._waiting.setdefault(key, set())
        waiting |= times
        now = self._clock.now()
        live = LiveView(self._readers, watch.tenant, now, waiting)
        result = self._pace.read(*key, lambda: self._evaluate(watch, live, known))
        if result is not None:
            waiting.clear()
        return result

    def _evaluate(self, watch: Watch, live: LiveView, known: dict[str, AlertRecord]) -> Evaluation:
        key = (watch.tenant, watch.id)
        before, evaluator = self._evaluators.get(key, (None, None))
        if evaluator is None or before != watch:
            evaluator = KINDS[watch.type].evaluator(watch, self._most)
            self._evaluators[key] = watch, evaluator
        result = evaluator.evaluate(live, known)
        if result.left_out:
            log.warning(
                "too many scopes; the smallest are not watched", rule=watch.id, scopes=result.left_out
            )
        return result


class LedgerReadThrottle:
    """Remembers when each rule with tags may be read again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next: dict[tuple[str, str], float] = {}

    def read(self, tenant: str, rule: str, work: Callable[[], T]) -> T | None:
        """Do the work if it is due; None: it is not yet."""
        began = self._clock.monotonic()
        if began < self._next.get((tenant, rule), began):
            return None
        found = work()
        took = self._clock.monotonic() - began
        self._next[tenant, rule] = began + max(_LEAST_SECONDS, took * _TIMES_AS_LONG)
        return found
