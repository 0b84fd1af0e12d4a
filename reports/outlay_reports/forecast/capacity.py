"""How many GPUs are used: GPU seconds, and the seconds of machines times the GPUs that the price books give them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase

from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.history import History, read_history
from outlay_schemas.catalog import PriceBook

GPU_METER = "gpu_seconds"
_MACHINES = "compute_seconds"


def gpus_of(price_books: Iterable[PriceBook], provider: str, sku: str) -> float:
    """Return the GPUs of a machine type by the first rule that names it; 0 if it has none or is unknown."""
    wanted = sku.lower()
    for book in price_books:
        for rule in book.rules:
            if rule.gpus is None or (rule.provider and provider.lower() not in map(str.lower, rule.provider)):
                continue
            if any(fnmatchcase(wanted, name.lower()) for name in rule.sku):
                return float(rule.gpus)
    return 0.0


def gpu_seconds(
    reader: CostReader, question: CostQuery, now: datetime, price_books: Sequence[PriceBook]
) -> tuple[History, list[str]]:
    """Return the GPU seconds of every whole day before `now`, and the machine types that are part of them."""
    days = replace(question, by=(), unit="day")
    found = read_history(reader, days, now, GPU_METER)
    machines = read_history(reader, replace(days, by=("provider", "sku")), now, _MACHINES)
    counted = []
    for (provider, sku), seconds in zip(machines.keys, machines.values, strict=True):
        gpus = gpus_of(price_books, provider, sku) if seconds.any() else 0.0
        if gpus:
            found.values[0] += seconds * gpus
            counted.append(f"{sku} ({gpus:g} GPUs)" if gpus != 1 else f"{sku} (1 GPU)")
    return found, sorted(counted)
