"""Makes what the services expect to find: topics, tables, and a first catalog. Safe to repeat."""

from collections.abc import Callable, Sequence

from outlay.catalog import load_default
from outlay.catalog.publish import publish_if_absent
from outlay_kit.backoff import Backoff, retry
from outlay_kit.clock import Clock
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_kit.topics import Durability, create_topics
from outlay_schemas import topics

_BACKOFF = Backoff(most=1.0)


def prepare(
    kafka: KafkaSettings,
    clickhouse: ClickHouseSettings,
    clock: Clock,
    report: Callable[[str], None],
    patience: float = 60.0,
    *,
    direct_tenants: Sequence[str] = (),
    durability: Durability | None = None,
    cluster: str = "",
) -> list[str]:
    """Create topics and tables, and publish the default catalog if none exists yet; return warnings about topics.
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
