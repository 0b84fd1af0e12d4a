"""The channels that always exist: the Kafka topic `cost.alerts`, and the log."""

from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_kit.errors import Retryable
from outlay_kit.kafka import RecordSink, deliver
from outlay_kit.telemetry import get_logger
from outlay_schemas.topics import ALERTS

log = get_logger(__name__)


class KafkaChannel:
    """Puts every alert on the topic `cost.alerts`."""

    name = "bus"
    target = ALERTS.name
    pause = 0.0
    updates = True

    def __init__(self, sink: RecordSink) -> None:
        self._sink = sink

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        bodies = [message.body.encode() for message in notification.messages]
        try:
            deliver(self._sink, ALERTS.name, bodies, notification.alerts[0].tenant.encode())
        except Retryable as error:
            return DeliveryResult("retry", str(error))
        return DeliveryResult("sent")


class LogChannel:
    """Writes every alert to the log."""

    name = "console"
    target = "log"
    pause = 0.0
    updates = True

    def send(self, notification: Notification) -> DeliveryResult:
        """Write it."""
        for alert in notification.alerts:
            known = {
                "state": alert.state,
                "severity": alert.severity,
                "alert": alert.id,
                "summary": alert.summary,
            }
            log.warning(alert.title, **known)
        return DeliveryResult("sent")
