"""The negative control: an aggregator that commits what it reads before it did anything with it."""

from outlay_aggregator.adapters.books import Books
from outlay_aggregator.service import Aggregator
from outlay_aggregator.settings import Settings
from outlay_kit.clock import SystemClock
from outlay_kit.health import Health, serve_health
from outlay_kit.kafka import Batch, KafkaSink, KafkaSource
from outlay_kit.loop import Loop, Stop
from outlay_kit.settings import load
from outlay_kit.warehouse import Warehouse
from outlay_schemas.topics import COST_EVENTS, DEAD_LETTER


class CommitFirst(KafkaSource):
    """Commits, then works: what every naive consumer does."""

    def poll(self, timeout: float) -> Batch:
        batch = super().poll(timeout)
        self.commit(batch.committable)
        return batch


def main() -> None:
    settings = load(Settings)
    clock = SystemClock()
    health = Health(clock, 60)
    serve_health(health, settings.health)
    source = CommitFirst(settings.kafka, settings.group, [COST_EVENTS.name, DEAD_LETTER.name])
    aggregator = Aggregator(Books(Warehouse(settings.warehouse), 1000), KafkaSink(settings.kafka), clock)
    Loop(source, aggregator.handle, clock=clock, health=health, stop=Stop().on_signals()).run()


if __name__ == "__main__":
    main()
