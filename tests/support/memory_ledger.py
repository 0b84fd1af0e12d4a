"""Spending in memory that answers as the clickhouse does."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery, Sums

PICO = 10**12


@dataclass
class Memory(CostReader):
    """Costs (USD) at times, each with the values of its dimensions."""

    rows: list[tuple[datetime, float, Mapping[str, str]]] = field(default_factory=list)
    asked: int = 0

    def spend(self, at: datetime, usd: float, **values: str) -> None:
        self.rows.append((at, usd, {"tenant": "acme", **values}))

    def tenants(self) -> list[str]:
        return sorted({values["tenant"] for _, _, values in self.rows})

    def extent(self, tenants: Sequence[str] = ()) -> TimeRange | None:
        raise NotImplementedError

    def totals(self, questions: Sequence[CostQuery]) -> list[Sums]:
        found = []
        for question in questions:
            costs = [cost for _, cost in self._of(question)]
            found.append(Sums(sum(costs), len(costs)))
        return found

    def series(self, questions: Sequence[CostQuery]) -> list[list[int]]:
        self.asked += 1
        found = []
        for question in questions:
            edges = question.bounds
            costs = [0] * (len(edges) - 1)
            for at, cost in self._of(question):
                costs[bisect_right(edges, at) - 1] += cost
            found.append(costs)
        return found

    def _of(self, question: CostQuery) -> list[tuple[datetime, int]]:
        where = {**question.where, **({"tenant": question.tenants} if question.tenants else {})}
        return [
            (at, round(usd * PICO))
            for at, usd, values in self.rows
            if at in question.span
            and all(values.get(name.removeprefix("tags."), "") in wanted for name, wanted in where.items())
        ]
