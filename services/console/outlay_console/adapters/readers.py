"""ClickHouse for pages: a few connections, and one rule: the tenant of a query is the session's."""

import asyncio
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from clickhouse_connect.driver.exceptions import DatabaseError

from outlay_console.adapters.probe import EngineAway, Probe
from outlay_console.domain.queries import FOR_TEAMS, SHARED
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.errors import Retryable
from outlay_kit.settings import ClickHouseSettings
from outlay_reports.range_sums import Query

T = TypeVar("T")
_TENANT = "{tenant:String}"
_TEAMS = "{only_teams:Array(String)}"
_LAST_TABLE = re.compile(r"FROM (\w+)((?:(?!FROM \w).)*)\Z", re.DOTALL)
"""The table that a condition follows, and what stands between them."""
_NOT_THERE = {60, 81}  # UNKNOWN_TABLE, UNKNOWN_DATABASE


class Readers:
    """Threads with a connection each."""

    def __init__(self, settings: ClickHouseSettings, count: int, seconds: float, ping_seconds: float) -> None:
        """`seconds`: how long a query may take; `ping_seconds`: how long ClickHouse may be silent meanwhile."""
        self._settings = settings
        self._seconds = seconds
        self._own = threading.local()
        self._count = count
        self._threads = self._pool()
        self._probe = Probe(settings, ping_seconds)

    async def shared(self, sql: str, **bound: object) -> list[dict[str, Any]]:
        """Return the rows of a question that is about no tenant. Raises Retryable; ValueError for any other."""
        if sql not in SHARED:
            raise ValueError("a query takes its tenant from the session")
        return await self.run(sql, bound)

    async def run(self, sql: str, bound: Mapping[str, object]) -> list[dict[str, Any]]:
        """Ask in a thread. Raises Retryable if ClickHouse is away, or slower than pages may wait for."""
        return await self.call(lambda clickhouse: clickhouse.rows(sql, bound))

    async def call(self, ask: Callable[[ClickHouseClient], T]) -> T:
        """Run in a thread what asks the clickhouse. Who calls sees to it that it asks for one tenant only."""
        await self._probe.check()
        threads = self._threads
        try:
            async with asyncio.timeout(self._seconds):
                work = asyncio.get_running_loop().run_in_executor(threads, self._asked, ask)
                return await self._probe.wait(work)
        except TimeoutError as error:
            raise Retryable(f"ClickHouse took longer than {self._seconds:g} s") from error
        except EngineAway:
            if threads is self._threads:  # its threads may hang for minutes: the next query needs others
                threads.shutdown(wait=False)
                self._threads = self._pool()
            raise

    def close(self) -> None:
        """Let go of the threads; what they ask now is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._count, thread_name_prefix="reader")

    def _asked(self, ask: Callable[[ClickHouseClient], T]) -> T:
        if not hasattr(self._own, "clickhouse"):
            self._own.clickhouse = ClickHouseClient(self._settings)
        clickhouse: ClickHouseClient = self._own.clickhouse
        try:
            return ask(clickhouse)
        except DatabaseError as error:
            if error.code in _NOT_THERE:
                raise Retryable("the database has no tables yet; run: outlay setup") from error
            raise


@dataclass(frozen=True)
class TenantReader:
    """Asks for one tenant. No query can be asked that does not bind it, nor one that brings another."""

    readers: Readers
    tenant: str
    teams: tuple[str, ...] = ()
    """Only costs of these teams; empty: of the whole tenant."""

    async def rows(self, question: Query | str, **bound: object) -> list[dict[str, Any]]:
        """Return the rows of a question. Raises Retryable; ValueError for one that leaves the tenant open."""
        asked = Query(question, dict(bound)) if isinstance(question, str) else question
        tables = asked.sql.count("FROM costs") + asked.sql.count("FROM rollup_")
        if tables > asked.sql.count(f"tenant = {_TENANT}"):
            raise ValueError("a query reads a table for all tenants")
        if _TENANT not in asked.sql or "tenant" in asked.bound:
            raise ValueError("a query takes its tenant from the session, and from nothing else")
        sql, bound = asked.sql, {**asked.bound, "tenant": self.tenant}
        if self.teams:
            sql, bound = of_teams(sql), {**bound, "only_teams": list(self.teams)}
        return await self.readers.run(sql, bound)


def of_teams(sql: str) -> str:
    """Return a question about a tenant as one about the teams `{only_teams:Array(String)}` of it. Raises ValueError for
    a table that does not say whose its rows are, unless the statement is one that a viewer of a team may ask."""
    if sql in FOR_TEAMS:
        return sql
    parts = sql.split(f"tenant = {_TENANT}")
    limited = parts[0]
    for before, after in pairwise(parts):
        table = _LAST_TABLE.search(before)
        if table is None or not table[1].startswith(("costs", "rollup_")):
            raise ValueError("a viewer of a team may not ask this")
        if table[1].startswith("costs"):
            limited += f"tenant = {_TENANT} AND team IN {_TEAMS}{after}"
            continue
        head, where, rest = limited.rpartition(" WHERE ")
        if "ARRAY JOIN" not in table[2] or rest:
            raise ValueError("a viewer of a team may not ask this")
        limited = (
            f"{head}, groups.team AS only_team{where}tenant = {_TENANT} AND only_team IN {_TEAMS}{after}"
        )
    return limited
