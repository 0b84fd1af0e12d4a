"""How a budget stands, from memory or reckoned now; and what is said when nobody can say."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from outlay_alerter.rules.watch import Budget
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_reports.budgets import BudgetStatus

Fail = Literal["open", "closed"]
FRESH_SECONDS = 2.0
"""What is older is reckoned anew behind the answer, so that who asks often never waits."""


class UnknownBudgetError(LookupError):
    """The tenant has no such budget."""


class Reckons(Protocol):
    """Says how a budget stands now, from the rollups. Raises Retryable. Called from threads, one at a time."""

    def standing(self, budget: Budget) -> BudgetStatus:
        """Return how it stands."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller is told. `status` None: it cannot be read, and never was."""

    status: BudgetStatus | None
    age: float
    """Seconds since it was reckoned."""
    known: bool
    """Whether it is as new as was asked for."""
    fail: Fail
    still_over: bool = False
    """Whether it was used up when it was last read, in a period that is not over yet."""

    @property
    def allowed(self) -> bool:
        """Whether to spend: money is left; or it cannot be known, and the policy is to go on.

        What was used up in this period stays used up, however long ago that was read.
        """
        if self.known and self.status is not None:
            return self.status.standing != "over"
        return self.fail == "open" and not self.still_over


@dataclass(slots=True)
class _Known:
    status: BudgetStatus
    at: float


class BudgetStatusService:
    """Answers for one process. Use it on one event loop."""

    def __init__(
        self,
        lane: Callable[[], Reckons],
        watchlist: Callable[[], Watchlist],
        clock: Clock,
        patience: float = 2.0,
    ) -> None:
        """`lane()` is called twice: for those who wait, and for what is reckoned behind an answer.

        `patience`: how many seconds ClickHouse may take before nobody can say.
        """
        self._lanes = {waits: (asyncio.Lock(), lane()) for waits in (True, False)}
        self._watchlist, self._clock, self._patience = watchlist, clock, patience
        self._known: dict[tuple[str, str], _Known] = {}
        self._running: dict[tuple[str, str], asyncio.Task[BudgetStatus]] = {}
        self._catalog: Watchlist | None = None
        self._budgets: dict[tuple[str, str], Budget] = {}

    async def ask(self, tenant: str, name: str, max_age: float, fail: Fail | None) -> Answer:
        """Return how a budget stands, at most `max_age` seconds old; 0: reckoned after this call came.

        Raises UnknownBudgetError. Never raises because ClickHouse is away: then it is not known.
        """
        budget = self._budget(tenant, name)
        key, fail = (tenant, name), fail or ("closed" if budget.closed else "open")
        known, now = self._known.get(key), self._clock.monotonic()
        if known is not None and max_age > 0 and now - known.at <= max_age:
            if now - known.at > FRESH_SECONDS and key not in self._running:
                self._start(budget, waits=False)
            return Answer(known.status, now - known.at, known=True, fail=fail)
        running = self._running.get(key) if max_age else None  # strict: begun after the question came
        task = running or self._start(budget, waits=True)
        try:
            status = await asyncio.wait_for(asyncio.shield(task), self._patience)
        except (Retryable, TimeoutError):
            if known is None:
                return Answer(None, 0.0, known=False, fail=fail)
            over = known.status.standing == "over" and self._clock.now() < known.status.period_end
            return Answer(known.status, now - known.at, known=False, fail=fail, still_over=over)
        return Answer(status, 0.0, known=True, fail=fail)

    def learn(self, statuses: Iterable[BudgetStatus]) -> None:
        """Remember how budgets stood at their times. Any thread may call it."""
        self._follow()
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._known |= {
            (one.tenant, one.budget): _Known(one, monotonic - (now - one.at).total_seconds())
            for one in statuses
        }

    def _follow(self) -> Watchlist:
        watchlist = self._watchlist()
        if watchlist is not self._catalog:
            self._catalog = watchlist
            self._budgets.clear()
            self._known.clear()
        return watchlist

    def _budget(self, tenant: str, name: str) -> Budget:
        watchlist = self._follow()
        found = self._budgets.get((tenant, name))
        if found is None:
            found = watchlist.budget(tenant, name)
            if found is None:
                raise UnknownBudgetError(name)
            self._budgets[tenant, name] = found
        return found

    def _start(self, budget: Budget, *, waits: bool) -> "asyncio.Task[BudgetStatus]":
        key = (budget.tenant, budget.id)
        task = asyncio.create_task(self._reckon(key, budget, waits=waits))
        self._running[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: tuple[str, str], done: "asyncio.Task[BudgetStatus]") -> None:
        if self._running.get(key) is done:
            del self._running[key]
        if not done.cancelled():
            done.exception()  # who waits has it; a task behind an answer is tried again at the next

    async def _reckon(self, key: tuple[str, str], budget: Budget, *, waits: bool) -> BudgetStatus:
        lock, reckons = self._lanes[waits]
        async with lock:
            began = self._clock.monotonic()
            status = await asyncio.to_thread(reckons.standing, budget)
        if self._budgets.get(key) is budget:
            self._known[key] = _Known(status, began)
        return status
