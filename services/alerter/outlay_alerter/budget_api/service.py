"""The status of a budget, for programs that ask before they spend: from memory, or computed now."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

import msgspec

from outlay_alerter.rules.watch import Budget
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_reports.budgets import BudgetStatus
from outlay_schemas.events import encoder

Fail = Literal["open", "closed"]
FRESH_SECONDS = 2.0
"""An older status is computed again behind the answer, so that frequent callers never wait."""
_Key = tuple[str, str]
_decoder = msgspec.json.Decoder(BudgetStatus)


class UnknownBudgetError(LookupError):
    """The tenant has no such budget."""


class StatusReader(Protocol):
    """Computes the status of a budget from the rollups. Called from threads, one at a time."""

    def standing(self, budget: Budget) -> BudgetStatus:
        """Return its status. Raises Retryable."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a caller. `status` None: it was never read."""

    status: BudgetStatus | None
    age: float
    """Seconds since it was computed."""
    known: bool
    """Whether it is as new as the caller asked for."""
    fail: Fail
    still_over: bool = False
    """Whether the budget was used up at the last reading, in a period that is not over yet."""

    @property
    def allowed(self) -> bool:
        """Whether to spend: money is left, or the status is unknown and the policy is `open`.

        A budget that was used up in this period stays used up, however old the reading is.
        """
        if self.known and self.status is not None:
            return self.status.standing != "over"
        return self.fail == "open" and not self.still_over


class BudgetStatusService:
    """Answers for one process. Use it on one event loop."""

    def __init__(
        self, reader: Callable[[], StatusReader], watchlist: Callable[[], Watchlist], clock: Clock,
        patience: float = 2.0,
    ) -> None:  # fmt: skip
        """`reader()` is called twice: for callers that wait, and for statuses computed behind an answer.

        `patience`: seconds that ClickHouse may take before the status is unknown.
        """
        self._readers = {waits: (asyncio.Lock(), reader()) for waits in (True, False)}
        self._watchlist, self._clock, self._patience = watchlist, clock, patience
        self._read: dict[_Key, tuple[BudgetStatus, float]] = {}
        """The newest status of each budget, and when it was computed, on the monotonic clock."""
        self._running: dict[_Key, asyncio.Task[BudgetStatus]] = {}
        self._catalog: Watchlist | None = None
        self._budgets: dict[_Key, Budget] = {}

    async def ask(self, tenant: str, name: str, max_age: float, fail: Fail | None) -> Answer:
        """Return the status of a budget, at most `max_age` seconds old; 0: computed after this call.

        Raises UnknownBudgetError. If ClickHouse is unavailable, the status is unknown.
        """
        budget = self._budget(tenant, name)
        key, fail = (tenant, name), fail or ("closed" if budget.closed else "open")
        known, at = self._read.get(key, (None, 0.0))
        age = self._clock.monotonic() - at
        if known is not None and max_age > 0 and age <= max_age:
            if age > FRESH_SECONDS and key not in self._running:
                self._start(budget, waits=False)
            return Answer(known, age, known=True, fail=fail)
        running = self._running.get(key) if max_age else None  # strict: it must start after the call
        task = running or self._start(budget, waits=True)
        try:
            status = await asyncio.wait_for(asyncio.shield(task), self._patience)
        except (Retryable, TimeoutError):
            if known is None:
                return Answer(None, 0.0, known=False, fail=fail)
            over = known.standing == "over" and self._clock.now() < known.period_end
            return Answer(known, age, known=False, fail=fail, still_over=over)
        return Answer(status, 0.0, known=True, fail=fail)

    def learn(self, statuses: Iterable[BudgetStatus]) -> None:
        """Remember statuses as of their times. Any thread may call it."""
        self._follow()
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._read |= {
            (one.tenant, one.budget): (one, monotonic - (now - one.at).total_seconds()) for one in statuses
        }

    def _follow(self) -> Watchlist:
        watchlist = self._watchlist()
        if watchlist is not self._catalog:
            self._catalog = watchlist
            self._budgets.clear()
            self._read.clear()
        return watchlist

    def _budget(self, tenant: str, name: str) -> Budget:
        watchlist = self._follow()
        found = self._budgets.get((tenant, name)) or watchlist.budget(tenant, name)
        if found is None:
            raise UnknownBudgetError(name)
        self._budgets[tenant, name] = found
        return found

    def _start(self, budget: Budget, *, waits: bool) -> "asyncio.Task[BudgetStatus]":
        key = (budget.tenant, budget.id)
        task = asyncio.create_task(self._compute(key, budget, waits=waits))
        self._running[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: _Key, done: "asyncio.Task[BudgetStatus]") -> None:
        if self._running.get(key) is done:
            del self._running[key]
        if not done.cancelled():
            done.exception()  # callers that wait get it; behind an answer, the next call tries again

    async def _compute(self, key: _Key, budget: Budget, *, waits: bool) -> BudgetStatus:
        lock, reader = self._readers[waits]
        async with lock:
            began = self._clock.monotonic()
            status = await asyncio.to_thread(reader.standing, budget)
        if self._budgets.get(key) is budget:
            self._read[key] = status, began
        return status


class BudgetStatusStore:
    """Every method raises Retryable when ClickHouse is unavailable."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse
        self._written: dict[tuple[str, str], BudgetStatus] = {}

    def read(self) -> list[BudgetStatus]:
        """Return the newest status of each budget that was not removed."""
        rows = self._clickhouse.rows("SELECT body FROM budget_status FINAL WHERE standing != 'removed'")
        return [_decoder.decode(row["body"]) for row in rows]

    def write(self, statuses: Sequence[BudgetStatus]) -> None:
        """Write the statuses that changed."""
        epoch = datetime.fromtimestamp(0, UTC)
        timeless = {(s.tenant, s.budget): msgspec.structs.replace(s, at=epoch) for s in statuses}
        changed = [s for s in statuses if self._written.get(k := (s.tenant, s.budget)) != timeless[k]]
        self._insert([(s, s.standing, s.at, encoder.encode(s).decode()) for s in changed])
        self._written |= timeless

    def remove(self, statuses: Sequence[BudgetStatus], at: datetime) -> None:
        """Write that budgets are no longer in the catalog."""
        self._insert([(s, "removed", at, "{}") for s in statuses])
        for s in statuses:
            self._written.pop((s.tenant, s.budget), None)

    def _insert(self, rows: Sequence[tuple[BudgetStatus, str, datetime, str]]) -> None:
        lines = [
            {"tenant": s.tenant, "budget": s.budget, "standing": standing, "at": at, "body": body}
            for s, standing, at, body in rows
        ]
        if lines:
            self._clickhouse.insert_json_lines("budget_status", encoder.encode_lines(lines))
