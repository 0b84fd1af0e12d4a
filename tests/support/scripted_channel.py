"""A channel that answers as its script says, and keeps what it was sent."""

from dataclasses import dataclass, field

from outlay_alerter.notify.notification import DeliveryResult, Notification


@dataclass
class Scripted:
    """A channel that answers as its script says."""

    answers: list[DeliveryResult]
    name: str = "webhook"
    target: str = "https://example.org/hook"
    pause: float = 0.0
    updates: bool = True
    sent: list[Notification] = field(default_factory=list)

    def send(self, notification: Notification) -> DeliveryResult:
        self.sent.append(notification)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
