"""Leader election: the alerter that owns the only partition of `cost.rollups` evaluates and sends."""

from outlay_kit.kafka import Batch, KafkaSource


class LeadingSource(KafkaSource):
    """A source that remembers, for other threads, whether this process owns a partition."""

    leads = False

    def poll(self, timeout: float) -> Batch:
        """Return what arrives within `timeout` seconds. Raises Retryable."""
        batch = super().poll(timeout)
        self.leads = bool(self._consumer.assignment())
        return batch

    def close(self) -> None:
        """Leave the group, without committing, and lead no more."""
        self.leads = False
        super().close()
