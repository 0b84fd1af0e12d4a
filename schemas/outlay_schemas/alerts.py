"""What the watch says: one alert per (rule, scope, window, level), under an id that never changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from outlay_schemas.money import Usd

Severity = Literal["info", "warning", "critical"]
State = Literal["firing", "acknowledged", "resolved"]
SEVERITY_RANK: Mapping[Severity, int] = {"info": 0, "warning": 1, "critical": 2}
EffectKind = Literal["volume", "price", "mix", "new", "gone"]


class Contributor(Struct, omit_defaults=True, frozen=True):
    """One value of one dimension and what it cost in the alert's window."""

    dimension: str
    value: str
    """Empty: not attributed."""
    cost: Usd
    unpriced: int = 0
    """Events of it without a price: `cost` is a lower bound if there are any."""
    partial: bool = False
    """Whether `cost` is a lower bound since the rollups of the window name only some users."""


class Effect(Struct, frozen=True):
    """One part of the difference between expected and actual. The parts of an alert add up to it exactly."""

    kind: EffectKind
    """volume: more or fewer units; price: per unit; mix: other units; new and gone: started or stopped."""
    cost: Usd


class Part(Struct, frozen=True):
    """An alert of an incident."""

    id: str
    rule: str
    rule_type: str
    title: str
    severity: Severity
    state: State
    at: datetime
    """When this state was decided."""


class Incident(Struct, frozen=True):
    """What one cause makes: alerts of overlapping scopes that started together, sent as one message."""

    id: str
    """Id of the alert that opened it: the same until all of its parts are resolved."""
    opened_at: datetime
    """When its first alert was decided, UTC."""
    started_at: datetime
    """When the first of its parts began, UTC."""
    severity: Severity
    """The highest that any of its parts had."""
    state: State
    """resolved: all of its parts are."""
    parts: list[Part]
    """The worst first."""


class Alert(Struct, omit_defaults=True, frozen=True):
    """A crossing of one level by one rule in one window, or its end. `id` is the same for both."""

    id: str
    """Hash of rule, scope, window and level: the same crossing always has the same id."""
    tenant: str
    rule: str
    """Id of the budget or rule in the catalog."""
    rule_type: str
    """budget, spend_spike, and so on: docs/alerts.md lists them."""
    scope: dict[str, str | list[str]]
    window: datetime
    """Start of the period or window that crossed, UTC."""
    level: str
    """What was crossed: a percentage of a budget (`80`), `forecast-100`, `burn-fast`, `spike`, and so on."""
    severity: Severity
    state: State
    title: str
    """One line, no markup."""
    summary: str
    """Why, in a sentence or two."""
    expected: Usd | None
    """USD: what a budget's level allows, or what earlier windows make likely. None: nothing to compare with."""
    actual: Usd
    """USD in the window when this was written."""
    contributors: list[Contributor]
    """The greatest values of each dimension: models and users first, then the dimension that explains most."""
    at: datetime
    """When this was decided."""
    query: str
    """SQL on the views that shows the same figures."""
    unit: str = "USD"
    """What `actual` and `expected` count."""
    impact: Usd | None = None
    """USD above what was expected so far. None: it cannot be said."""
    impact_per_hour: Usd | None = None
    """USD above what is expected each hour, if it goes on so."""
    effects: list[Effect] = []
    """Why it costs more than in the time it is compared with; adds up to the difference exactly."""
    compared: str = ""
    """What `effects` compare with: `the average minute of the 2 hours before`."""
    facts: dict[str, str] = {}
    """More that is known, by name, such as `gone_on`: docs/alerts.md lists them."""
    link: str = ""
    """Where to look in the console; empty: nowhere is set."""
    window_end: datetime | None = None
    """End of the time that `actual` sums, UTC, exclusive. None: written by a release that did not know."""
    started_at: datetime | None = None
    """When it began, UTC: the same until it resolves. None: written by a release that did not know."""
    fired_at: datetime | None = None
    """When it fired, or became more severe, last, UTC: reminders do not change it. None: written by a release that did
    not know."""
    rate_per_hour: Usd | None = None
    """USD an hour, as in the last 10 minutes. None: it was not summed."""
    incident: Incident | None = None
    """What it is a part of, as it was when this was written. None: it was never notified."""
    backfill: bool = False
    """Whether it is about a time that had ended long before its events came: it never pages anyone."""
    unpriced: int = 0
    """Events without a price in `actual`, where that is USD: it is a lower bound if there are any."""
    rate_unpriced: int = 0
    """Events without a price in `rate_per_hour`."""
    contributors_total: Usd | None = None
    """USD in the window when `contributors` were read, a moment after `actual`: their shares are of this."""

    as_of: datetime | None = None
    """When `actual` and `contributors` were summed. None: when this was decided."""
    runbook: str = ""
    """Address of what to do, from the rule."""
    owner: str = ""
    """Who takes care of it, from the rule."""
    mention: list[str] = []
    """Whom Slack notifies, from the rule."""

    @property
    def incident_id(self) -> str:
        """The id of its incident; its own, if it has none."""
        return self.incident.id if self.incident else self.id

    @property
    def figures_at(self) -> datetime:
        """When its figures were summed."""
        return self.as_of or self.at

    @property
    def incident_severity(self) -> Severity:
        """The severity of its incident; its own, if it has none."""
        return self.incident.severity if self.incident else self.severity

    @property
    def scope_values(self) -> dict[str, tuple[str, ...]]:
        """The scope with a tuple of values for each dimension."""
        return {name: (v,) if isinstance(v, str) else tuple(v) for name, v in self.scope.items()}


ActionKind = Literal["acknowledged", "snoozed", "expected"]
"""Acknowledged: not sent again until it resolves. Snoozed: not sent until a time. Expected: closed, and learned."""


class AlertAction(Struct, frozen=True):
    """What a person did with an alert: a row of the table `alert_actions`. The newest of each kind counts.

    Insert it as JSON (`outlay_schemas.events.encoder`); the alerter applies it within seconds."""

    tenant: str
    target: str
    """Id of an alert; of a snooze also the id of a rule or budget, for all of its alerts."""
    action: ActionKind
    at: datetime
    until: datetime | None = None
    """When it ends; a snooze needs one. In the past: the action was undone. None: as long as the alert lasts."""
    comment: str = ""
    actor: str = ""


alert_decoder = msgspec.json.Decoder(Alert)
