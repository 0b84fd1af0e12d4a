"""Applies what people did with alerts, and ends those whose period is over."""

from collections.abc import Callable, Container, Sequence

import msgspec

from outlay_alerter.alerts.incidents import with_incidents
from outlay_alerter.alerts.states import AlertRecord
from outlay_alerter.alerts.store import AlertUpdate, Router, Store, no_route
from outlay_alerter.alerts.user_actions import ActionChange, action_changes
from outlay_kit.clock import Clock
from outlay_schemas.alerts import Alert, AlertAction, State

MACHINE_CHANNELS = ("bus",)
"""Channels that also get suppressed alerts."""


class UserActionApplier:
    """Changes alerts without a new finding."""

    def __init__(
        self, store: Store, clock: Clock, channels: Sequence[str], decided: Callable[[], None],
        routed: Router = no_route,
    ) -> None:  # fmt: skip
        self._store, self._clock, self._channels, self._decided = store, clock, channels, decided
        self._routed = routed

    def apply(
        self,
        tenant: str,
        actions: Sequence[AlertAction],
        known: dict[str, AlertRecord],
        rules: Container[str],
    ) -> dict[str, AlertRecord]:
        """Store the changes, and return the alerts after them; `rules`: the ids that exist. Raises Retryable."""
        changes = action_changes(actions, known, self._clock.now(), rules)
        if not changes:
            return known
        bodies = self._store.bodies(tenant, [change.record.id for change in changes])
        alerts = [self._changed(change, bodies[change.record.id]) for change in changes]
        grouped = with_incidents(alerts, known, {})
        updates = [_update(change, alert) for change, alert in zip(changes, grouped, strict=True)]
        machines = [name for name in self._channels if name in MACHINE_CHANNELS]
        self._store.decide([u for u in updates if u.notified], self._channels, self._routed)
        self._store.decide([u for u in updates if not u.notified], machines)
        self._decided()
        return self._store.known(tenant)

    def _changed(self, change: ActionChange, alert: Alert) -> Alert:
        state: State = "acknowledged" if change.state == "acknowledged" else "resolved"
        facts = {**alert.facts, change.fact[0]: change.fact[1]}
        return msgspec.structs.replace(alert, state=state, at=self._clock.now(), facts=facts)


def _update(change: ActionChange, alert: Alert) -> AlertUpdate:
    ended, seq = change.state if change.state in ("expected", "ended") else "", change.record.seq + 1
    return AlertUpdate(
        alert, seq, f"msg_{alert.id}_{seq}", ended_reason=ended, notified=change.record.notified
    )
