"""A budget of a pipeline's tenant, the messages about it, and those that should have been sent."""

import json
from collections import Counter
from decimal import Decimal

from tests.support.chaos.rig import Pipeline
from tests.support.oracle import cells
from tests.support.processes import Service, tail
from tests.support.receiver import Receiver

from outlay.catalog.publish import newest, publish
from outlay_kit.clock import SystemClock
from outlay_schemas.alerts import alert_decoder
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import UsageEvent
from outlay_schemas.topics import ALERTS

LEVELS = {"50", "80", "100"}
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


class Watch:
    """A budget of half of what the events cost, so that each of its three levels is crossed once."""

    def __init__(self, pipeline: Pipeline, receiver: Receiver, events: list[UsageEvent]) -> None:
        self._pipeline, self._receiver = pipeline, receiver
        self.group = f"alerter-{pipeline.tenant}"
        cost = sum((cost for cost, _, _ in cells(events).values()), Decimal(0))
        budget = Budget(
            id=pipeline.tenant, name="B", tenant=pipeline.tenant, amount=round(cost / 2, 2), period="year"
        )
        kafka = pipeline.stores.kafka
        catalog = newest(kafka)
        assert catalog is not None
        publish(kafka, catalog.model_copy(update={"budgets": (budget,), "rules": ()}), SystemClock())

    def alerter(self) -> Service:
        """Return an alerter; those of one watch stand by for each other."""
        return self._pipeline.service(
            "alerter",
            OUTLAY_ALERTER_GROUP=self.group,
            OUTLAY_ALERTER_WEBHOOK_URL=self._receiver.url,
            OUTLAY_ALERTER_WEBHOOK_SECRET=SECRET,
            OUTLAY_ALERTER_ALLOW_NETWORKS="127.0.0.0/8",
            OUTLAY_ALERTER_TICK_SECONDS="5",
        )

    def notified(self) -> bool:
        """Whether the receiver got a message for each level."""
        return set(self._sent_levels()) >= LEVELS

    def mismatches(self) -> int:
        """Levels that were never sent, or under several ids, and ids whose messages differ."""
        with tail(self._pipeline.stores.kafka, ALERTS.name, self._pipeline.tenant) as reading:
            reading.wait(lambda records: len(records) >= len(LEVELS))
        levels = {alert_decoder.decode(record.value).level for record in reading.records}
        sent = self._sent_levels()
        differing = sum(len(each) - 1 for each in self._bodies().values())
        return len(LEVELS ^ levels) + sum(abs(sent[level] - 1) for level in LEVELS | set(sent)) + differing

    def _sent_levels(self) -> Counter[str]:
        """Under how many ids each level was sent. Levels that are crossed at once may share a message."""
        bodies = [min(each) for each in self._bodies().values()]
        return Counter(str(alert["level"]) for body in bodies for alert in _alerts(body))

    def _bodies(self) -> dict[str, set[bytes]]:
        """What came under each id; not that the budgets of earlier watches, which are in no catalog now, are over."""
        bodies: dict[str, set[bytes]] = {}
        for got in self._receiver.got:
            if any(alert["tenant"] == self._pipeline.tenant for alert in _alerts(got.body)):
                bodies.setdefault(got.headers["webhook-id"], set()).add(got.body)
        return bodies


def _alerts(body: bytes) -> list[dict[str, object]]:
    """Return the alerts of a message: one, or several that were sent together."""
    data = json.loads(body)["data"]
    return data.get("alerts", [data]) if isinstance(data, dict) else []
