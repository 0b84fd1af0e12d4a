"""What every budget and rule of a tenant finds, as of now: read from the rollups, of tags from the ledger."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.states import EPOCH, AlertRecord, Finding
from outlay_alerter.backtest.view import dense
from outlay_alerter.budget_reader import BudgetReader
from outlay_alerter.rules.base import LOOK_BACK, Evaluation, Evaluator, Total, Values, Windows, marked
from outlay_alerter.rules.price_change import Announced
from outlay_alerter.rules.registry import KINDS
from outlay_alerter.rules.watch import NONE, Budget, Watch
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clock import Clock
from outlay_kit.telemetry import get_logger
from outlay_kit.time_ranges import TimeRange, floor_to, grain_length
from outlay_reports.budgets import BudgetStatus
from outlay_schemas.events import Grain

log = get_logger(__name__)
_LEAST_SECONDS = 15.0
"""Seconds between two readings, at least."""
_QUIET = timedelta(minutes=2)
"""When a tenant's newest minute is as old as this, the clock says which windows are over."""
_TIMES_AS_LONG = 20
"""And so many times as long as a reading took: a twentieth of the time goes into each rule at most."""


class _LiveView:
    """A view of one tenant as of now. Every method raises Retryable."""

    look_back = LOOK_BACK

    def __init__(
        self,
        rollups: RollupReader,
        budgets: BudgetReader,
        tenant: str,
        progress: "Progress",
        *,
        now: datetime,
        changed: Collection[datetime],
    ) -> None:
        """`changed`: minutes that changed since the evaluation before."""
        self._rollups, self._budgets, self._tenant = rollups, budgets, tenant
        self._progress, self.now, self.changed = progress, now, changed

    @cached_property
    def _newest(self) -> datetime | None:
        return self._rollups.newest(self._tenant, self.now)

    @cached_property
    def _complete(self) -> datetime:
        """The moment before which all windows are complete, asked for once for all rules."""
        if self._newest is None:
            return self.now
        return self._progress.complete(self.now, self._newest, self._rollups.counted_until() or self.now)

    def newest(self) -> datetime | None:
        return self._newest

    def over(self, settle: timedelta = NONE) -> datetime:
        return self.now - settle

    def seen(self, settle: timedelta = NONE) -> datetime:
        return self._complete - settle

    def window(self, at: datetime, grain: Grain) -> TimeRange:
        at = floor_to(at, grain)
        return TimeRange(at, at + grain_length(grain))

    def windows(
        self, rule: Watch, grain: Grain, since: datetime, to: datetime, *,
        meters: Sequence[str] = (), least: int = 0, always: Collection[Values] = (),
    ) -> Windows:  # fmt: skip
        first, last, length = floor_to(since, grain), floor_to(to, grain), grain_length(grain)
        starts = [first + length * n for n in range((last - first) // length + 1)]
        if not starts:
            return Windows([], length, {})
        found = self._rollups.windows(rule, starts, grain, meters=meters, least=least, always=always)
        return Windows(starts, length, dense(found, starts))

    def begun(self, grain: Grain, windows: Windows) -> int:
        return self._rollups.first(self._tenant, grain, windows.starts[-1], len(windows.starts))

    def firsts(self, rule: Watch, since: datetime) -> dict[Values, tuple[datetime, Total]]:
        return self._rollups.firsts(rule, self._since(since))

    def lasts(self, rule: Watch, since: datetime) -> dict[Values, datetime]:
        return self._rollups.lasts(rule, self._since(since))

    def _since(self, since: datetime) -> TimeRange:
        """Return the time range up to the end of this minute: a producer's clock may be ahead."""
        return TimeRange(since, self.window(self.now, "minute").end)

    def announced(self) -> list[Announced]:
        return self._rollups.announced(self._tenant, self.now)

    def budget(self, budget: Budget) -> tuple[list[Finding], BudgetStatus]:
        return self._budgets.find(budget, sorted(self.changed))


class Progress:
    """Up to when the minutes of a tenant are complete, as its newest minute and the watermark move on.

    A minute can be in the rollups while another partition still brings events of it: it is complete when the watermark
    passes the moment at which a later minute was seen. When nothing comes, the clock completes minutes.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, datetime]] = deque()
        """When each newest minute was first seen, the oldest first; all but the first may be incomplete."""

    def complete(self, now: datetime, newest: datetime, counted: datetime) -> datetime:
        """Return the moment before which all windows are complete."""
        seen = self._seen
        if not seen or seen[-1][1] < newest:
            seen.append((now, newest))
        while len(seen) > 1 and seen[1][0] <= counted:
            seen.popleft()
        since, complete = seen[0]
        if since > counted:
            return EPOCH
        if len(seen) == 1 and counted - since >= _QUIET:
            return max(complete, counted - _QUIET)
        return complete


class TenantEvaluator:
    """Evaluates; what asks for tags no more often than the ledger can bear."""

    def __init__(self, rollups: RollupReader, budgets: BudgetReader, clock: Clock, most_scopes: int) -> None:
        self._clock, self._most = clock, most_scopes
        self._readers = rollups, budgets
        self._next: dict[tuple[str, str], float] = {}
        """When each rule with tags may be read again."""
        self._evaluators: dict[tuple[str, str], tuple[Watch, Evaluator[Any]]] = {}
        self._progress: defaultdict[str, Progress] = defaultdict(Progress)
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
        live = _LiveView(*self._readers, tenant, self._progress[tenant], now=now, changed=times)
        for watch in watchlist.watches(tenant).values():
            result = self._tagged(watch, times, known) if watch.tagged else self._evaluate(watch, live, known)
            if result is not None:
                found += [marked(finding, now) for finding in result.findings]
                standing += result.standing
        return found, standing

    def _tagged(self, watch: Watch, times: set[datetime], known: dict[str, AlertRecord]) -> Evaluation | None:
        """Evaluate what only the ledger knows, if it is due: then for all minutes that changed since."""
        key, began = (watch.tenant, watch.id), self._clock.monotonic()
        waiting = self._waiting.setdefault(key, set())
        waiting |= times
        if began < self._next.get(key, began):
            return None
        progress = self._progress[watch.tenant]
        now = self._clock.now()
        live = _LiveView(*self._readers, watch.tenant, progress, now=now, changed=waiting)
        result = self._evaluate(watch, live, known)
        took = self._clock.monotonic() - began
        self._next[key] = began + max(_LEAST_SECONDS, took * _TIMES_AS_LONG)
        waiting.clear()
        return result

    def _evaluate(self, watch: Watch, live: _LiveView, known: dict[str, AlertRecord]) -> Evaluation:
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
