"""What a rate of events takes: processes, brokers, shards, disk and money, from the measured costs of an event.

    python benchmarks/capacity.py [--events 1000000] [--busy 0.5] [--days 30]

The CPU of an event is that which `pipeline.py` measures (docs/benchmarks.md), Kafka's and ClickHouse's times their
copies. `busy`: the share of a core that is used on average: a peak or a lost machine needs the rest. `days`: how
long the ledger keeps events. `core_hour` and `gb_month`: USD, on demand in us-east-1 in 2026, half of an m7g.large and
gp3 storage. A service has a process for each core, and `cost.events` at least a partition for each pricer.
"""

from math import ceil
from typing import NamedTuple

from harness import options, show

MONTH_HOURS, DAY_SECONDS = 730, 86_400
KAFKA_COPIES, CLICKHOUSE_COPIES, KAFKA_DAYS = 3, 2, 7


class Part(NamedTuple):
    """A part of the system: µs of CPU and bytes on disk of an event with all its copies, and the cores of a machine."""

    name: str
    microseconds: float
    cores: int = 1
    bytes: float = 0.0
    seconds: int = 0
    """How long the bytes are kept."""


def main() -> None:
    chosen = options(
        __doc__, events=1_000_000, busy=0.5, days=30, core_hour=0.0408, gb_month=0.08, ingest_us=5.5, pricer_us=13.8,
        aggregator_us=5.7, kafka_us=4.9, clickhouse_us=14.5, kafka_bytes=120.0, row_bytes=100.0,
    )  # fmt: skip
    parts = (
        Part("ingest", chosen.ingest_us),
        Part("pricer", chosen.pricer_us),
        Part("aggregator", chosen.aggregator_us),
        Part(
            f"Kafka, {KAFKA_COPIES} copies",
            chosen.kafka_us * KAFKA_COPIES,
            8,
            chosen.kafka_bytes * KAFKA_COPIES,
            KAFKA_DAYS * DAY_SECONDS,
        ),
        Part(
            f"ClickHouse, {CLICKHOUSE_COPIES} copies",
            chosen.clickhouse_us * CLICKHOUSE_COPIES,
            16,
            chosen.row_bytes * CLICKHOUSE_COPIES,
            chosen.days * DAY_SECONDS,
        ),
    )
    total = 0.0
    for part in parts:
        machines = ceil(chosen.events * part.microseconds / 1e6 / chosen.busy / part.cores)
        disk = chosen.events * part.bytes * part.seconds
        money = machines * part.cores * chosen.core_hour * MONTH_HOURS + disk / 1e9 * chosen.gb_month
        total += money
        show(
            part=part.name,
            machines=machines,
            cores=machines * part.cores,
            disk_tb=disk / 1e12,
            usd_a_month=round(money),
        )
    a_month = chosen.events * 3600 * MONTH_HOURS
    show(events_a_second=chosen.events, usd_a_month=round(total), usd_a_million_events=total / a_month * 1e6)


if __name__ == "__main__":
    main()
