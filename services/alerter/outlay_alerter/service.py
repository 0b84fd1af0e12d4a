"""What the alerter does with a batch of rollups: evaluate each tenant once, decide, write down; then commit."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.builder import MOST_EXPLAINED, AlertBuilder
from outlay_alerter.alerts.incidents import with_incidents
from outlay_alerter.alerts.states import AlertRecord, RenotifyPolicy, Transition, transitions
from outlay_alerter.alerts.store import AlertUpdate, Router, Store, no_route
from outlay_alerter.alerts.suppression import SuppressionContext, joined_snoozed, suppressed, unnotified
from outlay_alerter.alerts.user_actions import action_changes, expectations, snoozes
from outlay_alerter.budget_api.service import BudgetStatusStore
from outlay_alerter.budget_reader import BudgetReader
from outlay_alerter.changed_minutes import changed_minutes
from outlay_alerter.evaluator import TenantEvaluator
from outlay_alerter.watchlist import Watchlist
from outlay_kit.catalog_feed import CatalogFeed
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.kafka import Batch
from outlay_kit.telemetry import get_logger
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.budgets import BudgetStatus
from outlay_schemas.alerts import SEVERITY_RANK, AlertAction
from outlay_schemas.catalog import Catalog

MACHINE_CHANNELS = ("bus",)
"""Channels that also get suppressed alerts."""
_LOOK, _CALM_LOOK = 2.0, 10.0
"""Seconds between two looks for user actions, while an alert is open, and else."""

_MOST_NEW = 100
"""Tenants without rollups that a batch may name: the first minute of a new one comes before its first day."""

log = get_logger(__name__)


class Alerter:
    """Rollups in, alerts out. Repeating any of it sends nothing twice under two ids."""

    def __init__(
        self,
        rollups: RollupReader,
        store: Store,
        clock: Clock,
        *,
        watchlist: Callable[[], Watchlist],
        channels: Sequence[str],
        routed: Router = no_route,
        decided: Callable[[], None] = lambda: None,
        renotify: timedelta | None = None,
        console: str = "",
        most_scopes: int = 2000,
        outlook: ForecastCache | None = None,
        stood: Callable[[Sequence[BudgetStatus]], None] = lambda _: None,
    ) -> None:
        """`channels` get every change, others what `routed` says; `decided()` is called when there is a message.

        `renotify` is how long an alert fires before it is notified again; `console` is the console's URL.
        `most_scopes`: scopes of one anomaly rule of one tenant that are watched, those that cost most.
        """
        self._rollups, self._store, self._clock = rollups, store, clock
        budgets = BudgetReader(rollups, outlook or ForecastCache(), clock)
        self._evaluator = TenantEvaluator(rollups, budgets, clock, most_scopes)
        self._builder, self._renotify = AlertBuilder(rollups, clock, console), renotify
        self._watchlist, self._channels, self._decided = watchlist, tuple(channels), decided
        self._routed, self._stood = routed, stood
        self._statuses = BudgetStatusStore(store.clickhouse)
        self._calm: dict[str, datetime] = {}
        self._known_tenants: set[str] = set()
        self._open: set[str] = set()
        """Tenants that have an open alert, as far as is known."""
        self._looked, self._heard = clock.monotonic(), 0

    def handle(self, batch: Batch) -> None:
        """Evaluate every tenant of the batch once, for the minutes that changed. Raises Retryable."""
        changed = changed_minutes(batch, self._clock.now())
        for tenant in self._strangers(changed):
            del changed[tenant]
        for tenant, minutes in changed.items():
            self.evaluate(tenant, minutes)

    def _strangers(self, tenants: Iterable[str]) -> set[str]:
        """Return the tenants without rollups, if they are too many to be new ones. Raises Retryable."""
        unknown = set(tenants) - self._known_tenants
        if len(unknown) <= _MOST_NEW:
            return set()
        self._known_tenants = set(self._rollups.tenants())
        unknown -= self._known_tenants
        if len(unknown) <= _MOST_NEW:
            return set()
        log.warning("rollup windows of tenants that have no rollups", count=len(unknown))
        return unknown

    def evaluate_all(self) -> None:
        """Evaluate every tenant as of now and as of its newest minute: at the start, and for a new catalog."""
        for tenant in self._rollups.tenants():
            now = self._clock.now()
            self.evaluate(tenant, {now, self._rollups.newest(tenant, now) or now})
        watchlist = self._watchlist()
        gone = [s for s in self._statuses.read() if watchlist.budget(s.tenant, s.budget) is None]
        self._statuses.remove(gone, self._clock.now())

    def asked(self) -> bool:
        """Return, by a look into the store every few seconds, whether somebody acted on an alert."""
        if self._clock.monotonic() - self._looked < (_LOOK if self._open else _CALM_LOOK):
            return False
        self._looked, before = self._clock.monotonic(), self._heard
        try:
            self._heard = self._store.newest_action()
        except Retryable:
            return False  # whoever evaluates next will say so
        return self._heard != before

    def tick(self) -> None:
        """Evaluate every tenant as of now: time passes though nothing is spent. Raises Retryable."""
        for tenant in self._rollups.tenants():
            self.evaluate(tenant, {self._clock.now()})

    def evaluate(self, tenant: str, minutes: Iterable[datetime]) -> None:
        """Decide what changed for a tenant, and write it down. Raises Retryable."""
        try:
            self._evaluate(tenant, minutes)
        except Retryable:
            self._evaluator.forget()  # what its detectors found may not have been written: let them find it again
            raise

    def _evaluate(self, tenant: str, minutes: Iterable[datetime]) -> None:
        watchlist, times = self._watchlist(), sorted(set(minutes))
        words = self._store.actions(tenant)
        watches = watchlist.watches(tenant)
        known = self._apply(tenant, words, self._store.known(tenant), watches)
        findings, standing = self._evaluator.find(watchlist, tenant, times, known)
        fresh = {f.key.id() for f in findings if f.breached} - set(known)
        known |= self._store.known_of(tenant, sorted(fresh))
        again = RenotifyPolicy(
            self._clock.now(), self._renotify, snoozes(words, known), expectations(words, known), self._calm
        )
        changes = transitions(findings, known, again)
        incidents = {one.id: one.incident for one in known.values()}
        reasons = SuppressionContext(again.now, again.snoozes, watchlist.mutes(tenant), incidents)
        suppressed_ids = suppressed(findings, changes, known, reasons)
        changes = [c for c in changes if not (c.repeats and c.id in suppressed_ids)]
        changes += unnotified(findings, changes, known, suppressed_ids)
        self._write_down(changes, suppressed_ids, reasons, known)
        self._note_open(tenant, known, changes)
        self._stood(standing)
        self._statuses.write(standing)

    def _note_open(
        self, tenant: str, known: Mapping[str, AlertRecord], changes: Iterable[Transition]
    ) -> None:
        began = any(change.state != "resolved" for change in changes)
        still = any(record.state != "resolved" for record in known.values())
        (self._open.add if began or still else self._open.discard)(tenant)

    def _apply(
        self,
        tenant: str,
        actions: Sequence[AlertAction],
        known: dict[str, AlertRecord],
        rules: Container[str],
    ) -> dict[str, AlertRecord]:
        """Store what people did and whose period is over; return the alerts after it. Raises Retryable.

        `rules`: the ids that exist.
        """
        now = self._clock.now()
        changes = action_changes(actions, known, now, rules)
        if not changes:
            return known
        alerts = [
            msgspec.structs.replace(
                c.record.alert, at=now, as_of=c.record.alert.figures_at,
                facts={**c.record.alert.facts, c.fact[0]: c.fact[1]},
                state="acknowledged" if c.state == "acknowledged" else "resolved",
            )
            for c in changes
            if c.record.alert is not None
        ]  # fmt: skip
        updates = [
            AlertUpdate(alert, c.record.seq + 1, c.state, c.record.notified)
            for c, alert in zip(changes, with_incidents(alerts, known, {}), strict=True)
        ]
        self._decide([u for u in updates if u.notified], [u for u in updates if not u.notified])
        return self._store.known(tenant)

    def _decide(self, to_all: Sequence[AlertUpdate], machines_only: Sequence[AlertUpdate]) -> None:
        self._store.decide(to_all, self._channels, self._routed)
        self._store.decide(machines_only, [name for name in self._channels if name in MACHINE_CHANNELS])
        if to_all or machines_only:
            self._decided()

    def _write_down(
        self, changes: list[Transition], suppressed_ids: dict[str, str], reasons: SuppressionContext,
        known: Mapping[str, AlertRecord],
    ) -> None:  # fmt: skip
        if not changes:
            return
        changes.sort(
            key=lambda c: (
                c.id in suppressed_ids,
                -SEVERITY_RANK[c.finding.severity],
                -c.finding.actual,
                c.id,
            )
        )
        alerts = {
            change.id: self._builder.alert(
                change, explained=n < MOST_EXPLAINED, quiet=suppressed_ids.get(change.id, "")
            )
            for n, change in enumerate(changes)
        }
        shown = [change for change in changes if not change.silent]
        begun = [change.message_id for change in shown if change.state == "firing"]
        before = self._store.outbox.incidents(changes[0].finding.key.tenant, begun)
        grouped = with_incidents([alerts[change.id] for change in shown], known, before)
        alerts |= {alert.id: alert for alert in grouped}
        for alert, why in joined_snoozed(grouped, known, reasons).items():
            suppressed_ids[alert] = why
            facts = {**alerts[alert].facts, "quiet": why}
            alerts[alert] = msgspec.structs.replace(alerts[alert], facts=facts)
        updates = [
            (
                change,
                AlertUpdate(alerts[change.id], change.seq, change.state, change.notified(suppressed_ids)),
            )
            for change in changes
        ]
        loud = [(c, u) for c, u in updates if not c.silent]
        self._decide(
            [u for c, u in loud if c.id not in suppressed_ids], [u for c, u in loud if c.id in suppressed_ids]
        )
        self._store.decide([u for c, u in updates if c.silent], ())


class CatalogFollower:
    """The alerter under the newest catalog: a new one evaluates everything again, though nothing is spent."""

    def __init__(
        self, alerter: Alerter, feed: CatalogFeed[Watchlist], changed: Callable[[Catalog], None]
    ) -> None:
        """`changed()` is called with each new catalog before anything is evaluated under it."""
        self._alerter, self._feed, self._changed = alerter, feed, changed
        self._seen = feed.revision

    def is_behind(self) -> bool:
        """Return whether a catalog came that nothing was evaluated under, or somebody acted on an alert."""
        return self._feed.revision != self._seen or self._alerter.asked()

    def tick(self) -> None:
        """Evaluate as of now. Raises Retryable."""
        if not self._catch_up():
            self._alerter.tick()

    def handle(self, batch: Batch) -> None:
        """Evaluate what a batch changed. Raises Retryable."""
        self._catch_up()
        self._alerter.handle(batch)

    def _catch_up(self) -> bool:
        revision = self._feed.revision
        if revision == self._seen:
            return False
        self._changed(self._feed.current().catalog)
        self._alerter.evaluate_all()
        self._seen = revision
        return True
