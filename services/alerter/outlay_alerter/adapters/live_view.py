"""The present as evaluators see it: read from the rollups, of tags from the ledger."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.states import Finding
from outlay_alerter.backtest.view import dense
from outlay_alerter.budget_reader import BudgetReader
from outlay_alerter.rules.base import LOOK_BACK, Values, Windows
from outlay_alerter.rules.price_change import Announced
from outlay_alerter.rules.watch import NONE, Budget, Watch
from outlay_kit.time_ranges import TimeRange, floor_to, grain_length
from outlay_reports.budgets import BudgetStatus
from outlay_schemas.events import Grain


class LiveView:
    """A view of one tenant as of now. Every method raises Retryable."""

    look_back = LOOK_BACK

    def __init__(
        self,
        readers: tuple[RollupReader, BudgetReader],
        tenant: str,
        now: datetime,
        changed: Collection[datetime],
    ) -> None:
        """`changed`: minutes that changed since the evaluation before."""
        self._rollups, self._budgets = readers
        self._tenant = tenant
        self.now, self.changed = now, changed
        self._newest: list[datetime | None] = []

    def newest(self) -> datetime | None:
        """Return the newest minute with events, not after now. It is read once."""
        if not self._newest:
            self._newest = [self._rollups.newest(self._tenant, self.now)]
        return self._newest[0]

    def over(self, settle: timedelta = NONE) -> datetime:
        """Return the moment by which a window must have ended, by the clock, to be over."""
        return self.now - settle

    def seen(self, settle: timedelta = NONE) -> datetime:
        """Return the same by the newest event."""
        return (self.newest() or self.now) - settle

    def window(self, at: datetime, grain: Grain) -> TimeRange:
        """Return the window of `grain` that holds `at`, UTC."""
        at = floor_to(at, grain)
        return TimeRange(at, at + grain_length(grain))

    def windows(
        self, rule: Watch, grain: Grain, since: datetime, to: datetime, *,
        meters: Sequence[str] = (), least: int = 0,
    ) -> Windows:  # fmt: skip
        """Return the windows of each scope of a rule."""
        first, last, length = floor_to(since, grain), floor_to(to, grain), grain_length(grain)
        starts = [first + length * n for n in range((last - first) // length + 1)]
        if not starts:
            return Windows([], length, {})
        found = self._rollups.windows(
            rule, starts, grain, meters=meters, least=least, look_back=self.look_back
        )
        return Windows(starts, length, dense(found, starts))

    def begun(self, grain: Grain, windows: Windows) -> int:
        """Return the index of the first window in which the tenant has anything."""
        return self._rollups.first(self._tenant, grain, windows.starts[-1], len(windows.starts))

    def firsts(self, rule: Watch, since: datetime) -> dict[Values, tuple[datetime, int]]:
        """Return the first day with cost of each scope, and the cost since then."""
        return self._rollups.firsts(rule, self._since(since))

    def lasts(self, rule: Watch, since: datetime) -> dict[Values, datetime]:
        """Return the start of the last minute with events of each scope."""
        return self._rollups.lasts(rule, self._since(since))

    def _since(self, since: datetime) -> TimeRange:
        """Return the time range up to the end of this minute: a producer's clock may be ahead."""
        return TimeRange(since, self.window(self.now, "minute").end)

    def announced(self) -> list[Announced]:
        """Return the price changes to come."""
        return self._rollups.announced(self._tenant, self.now)

    def budget(self, budget: Budget) -> tuple[list[Finding], BudgetStatus]:
        """Evaluate a budget."""
        return self._budgets.find(budget, sorted(self.changed))
