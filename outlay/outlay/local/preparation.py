"""What stores must hold before services start: topics, tables, a first catalog. `outlay setup` does it for stores of
one's own; for those of this machine `python -m outlay.local.preparation` runs beside `outlay up`."""

import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from outlay.catalog import load_default
from outlay.catalog.publish import publish_if_absent
from outlay_kit.backoff import Backoff, retry
from outlay_kit.clock import Clock, SystemClock
from outlay_kit.errors import Retryable
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_kit.topics import Durability, create_topics
from outlay_schemas import topics

_BACKOFF = Backoff(most=1.0)
_PATIENCE = 60.0


class _Steps(NamedTuple):
    """What is to be done, each with what it needs; all of it can be repeated."""

    topics: Callable[[], object]
    tables: Callable[[], object]
    catalog: Callable[[], object]


def prepare(
    kafka: KafkaSettings,
    clickhouse: ClickHouseSettings,
    clock: Clock,
    report: Callable[[str], None],
    patience: float = _PATIENCE,
    *,
    direct_tenants: Sequence[str] = (),
    durability: Durability | None = None,
    cluster: str = "",
) -> list[str]:
    """Create topics and tables, and publish a first catalog if none exists; repeatable. Returns warnings about topics.
    `direct_tenants` publish to Kafka themselves: each has its own topic. `cluster`: of ClickHouse, whose nodes get the
    tables. Raises Retryable if a store does not answer for `patience` seconds, or at once if it refuses the user."""
    warnings: list[str] = []
    wanted = [*topics.ALL, *map(topics.usage_topic, direct_tenants)]
    steps = _steps(
        kafka, clickhouse, clock, wanted=wanted, warnings=warnings, durability=durability or Durability(),
        cluster=cluster,
    )  # fmt: skip
    deadline = clock.monotonic() + patience
    for name, step in zip(steps._fields, steps, strict=True):
        report(name)
        _do([step], clock, deadline)
    return warnings


def _steps(
    kafka: KafkaSettings,
    clickhouse: ClickHouseSettings,
    clock: Clock,
    *,
    wanted: Sequence[topics.Topic],
    warnings: list[str],
    durability: Durability,
    cluster: str = "",
) -> _Steps:
    return _Steps(
        lambda: warnings.extend(create_topics(kafka, wanted, durability)),
        lambda: migrate(clickhouse, cluster=cluster),
        lambda: publish_if_absent(kafka, load_default(), clock),
    )


def _do(steps: Iterable[Callable[[], object]], clock: Clock, deadline: float) -> None:
    """Take steps one after the other, each again until the deadline. Raises Retryable."""
    for step in steps:
        retry(step, clock, _BACKOFF, patience=deadline - clock.monotonic())


def main() -> None:
    """Prepare the stores that the environment names, ClickHouse while Kafka is prepared. Ends with 1, and a line that
    says why, if one does not answer."""
    clock = SystemClock()
    steps = _steps(
        KafkaSettings(), ClickHouseSettings(), clock, wanted=topics.ALL, warnings=[], durability=Durability()
    )
    works, deadline = ([steps.topics, steps.catalog], [steps.tables]), clock.monotonic() + _PATIENCE
    try:
        with ThreadPoolExecutor(len(works)) as pool:
            list(pool.map(lambda work: _do(work, clock, deadline), works))
    except Retryable as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
