"""What stores must hold before services start: topics, tables, a first catalog. `outlay setup` does it for stores of
one's own; for those of this machine `python -m outlay.local.preparation` runs beside `outlay up`."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

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
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("topics", lambda: warnings.extend(create_topics(kafka, wanted, durability or Durability()))),
        ("tables", lambda: migrate(clickhouse, cluster=cluster)),
        ("catalog", lambda: publish_if_absent(kafka, load_default(), clock)),
    )
    deadline = clock.monotonic() + patience
    for name, step in steps:
        report(name)
        retry(step, clock, _BACKOFF, patience=deadline - clock.monotonic())
    return warnings


def main() -> None:
    """Prepare the stores that the environment names, ClickHouse while Kafka is prepared. Ends with 1, and a line that
    says why, if one does not answer."""
    kafka, clickhouse, clock = KafkaSettings(), ClickHouseSettings(), SystemClock()

    def in_kafka() -> None:
        create_topics(kafka, topics.ALL, Durability())
        publish_if_absent(kafka, load_default(), clock)

    works = (in_kafka, lambda: migrate(clickhouse))
    try:
        with ThreadPoolExecutor(len(works)) as pool:
            list(pool.map(lambda work: retry(work, clock, _BACKOFF, patience=_PATIENCE), works))
    except Retryable as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
