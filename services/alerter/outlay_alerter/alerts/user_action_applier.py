"""Heeds what people say about alerts, and ends those whose period is over."""

from collections.abc import Callable, Container, Sequence

import msgspec

from outlay_alerter.alerts.incidents import with_incidents
from outlay_alerter.alerts.states import AlertRecord
from outlay_alerter.alerts.store import AlertUpdate, Router, Store, no_route
from outlay_alerter.alerts.user_actions import ActionChange, action_changes
from outlay_kit.clock import Clock
from outlay_schemas.alerts import Alert, AlertAction, State

MACHINE_CHANNELS = ("bus",)
"""Channels that are told what people are not."""


class UserActionApplier:
    """Changes alerts without a new finding."""

    def __init__(
        self, store: Store, clock: Clock, channels: Sequence[str], decided: Callable[[], None],
        routed: Router = no_route,
    ) -> None:  # fmt: skip
        self._store, self._clock, self._channels, self._decided = store, clock, channels, decided
        self._routed = routed

    def apply(
        self, tenant: str, words: Sequence[AlertAction], known: dict[str, AlertRecord], rules: Container[str]
    ) -> dict[str, AlertRecord]:
        """Write down what changes, and return how alerts stand then; `rules`: the ids that there are.

        Raises Retryable.
        """
        changes = action_changes(words, known, self._clock.now(), rules)
        if not changes:
            return known
        bodies = self._store.bodies(tenant, [change.record.id for change in changes])
        alerts = [self._changed(change, bodies[change.record.id]) for change in changes]
        decided = [
            _decided(change, alert)
            for change, alert in zip(changes, with_incidents(alerts, known, {}), strict=True)
        ]
        machines = [name for name in self._channels if name in MACHINE_CHANNELS]
        self._store.decide([d for d in decided if d.notified], self._channels, self._routed)
        self._store.decide([d for d in decided if not d.notified], machines)
        self._decided()
        return self._store.known(tenant)

    def _changed(self, change: ActionChange, alert: Alert) -> Alert:
        state: State = "acknowledged" if change.state == "acknowledged" else "resolved"
        facts = {**alert.facts, change.fact[0]: change.fact[1]}
        return msgspec.structs.replace(alert, state=state, at=self._clock.now(), facts=facts)


def _decided(change: ActionChange, alert: Alert) -> AlertUpdate:
    ended_reason, seq = change.state if change.state in ("expected", "ended") else "", change.record.seq + 1
    return AlertUpdate(
        alert, seq, f"msg_{alert.id}_{seq}", ended_reason=ended_reason, notified=change.record.notified
    )
