"""What the press of a button in Slack does: checks, writes the action, and replies in the channel."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from outlay_alerter.alerts.store import Store
from outlay_alerter.notify.channels.slack import clock as slack_time
from outlay_alerter.notify.channels.slack import escape
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.routing import Routing
from outlay_alerter.notify.sample import is_sample
from outlay_alerter.slack_actions.requests import Press
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_kit.telemetry import get_logger
from outlay_reports.adapters.alert_actions import store_alert_actions
from outlay_reports.incidents import Incident
from outlay_schemas.alerts import ActionKind, AlertAction
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.channels import SlackBotChannel
from outlay_schemas.events import encoder

log = get_logger(__name__)

RESPONSE_URLS = "https://hooks.slack.com/"
"""How the address of a reply begins: nothing is posted elsewhere, whatever a request says."""
_OVER = {
    "resolved": "the alert is resolved already",
    "ended": "the alert is over: its period has ended",
    "expected": "the alert was marked as expected",
}
_SAME = timedelta(minutes=1)
"""Two snoozes of an alert that end so close together are one."""


class RefusedAction(Exception):
    """Why an action is not taken, for people."""


class SlackActions:
    """Applies presses, from any thread, one at a time."""

    def __init__(
        self, clickhouse: ClickHouseClient, catalog: Callable[[], Catalog], poster: HttpPoster, clock: Clock,
        response_urls: str = RESPONSE_URLS,
    ) -> None:  # fmt: skip
        """`response_urls` is another prefix only in tests."""
        self._store, self._catalog, self._poster, self._clock = Store(clickhouse), catalog, poster, clock
        self._response_urls = response_urls
        self._lock = threading.Lock()

    def apply(self, press: Press) -> None:
        """Act and reply. If it is refused, or ClickHouse is unavailable, the reply gives the reason."""
        with self._lock:
            try:
                text = self._act(press)
            except RefusedAction as refusal:
                text = f"{press.button.label}: not done, {escape(str(refusal))}"
            except Retryable as error:
                log.warning("a button in Slack could not be applied", reason=str(error))
                text = f"{press.button.label}: not done, the store is unavailable; try again in a minute"
        self._reply(press, text)

    def _act(self, press: Press) -> str:
        if is_sample(press.target.incident):
            return f"The button works. <@{press.user}> pressed it under a test alert, which needs no action."
        incident = self._store.incident(press.target.tenant, press.target.incident)
        if incident is None or not self._reaches(press.channel, incident):
            raise RefusedAction("this channel gets no such alert")
        if not incident.open:
            raise RefusedAction(_OVER[incident.state])
        button, decided = press.button, max(alert.at for alert in incident.alerts)
        # By Slack's signature, so that the same request at another alerter is the same action; but never before what
        # it is about, and never later than what people do next.
        at = max(min(press.at, self._clock.now()), decided)
        until = at + button.length if button.length else None
        self._refuse_repeated(incident, button.action, until, decided)
        target = AlertAction(press.target.tenant, incident.id, button.action, at, until, "", press.actor)
        store_alert_actions(self._store.clickhouse, [target])
        log.info("alert action from Slack", action=button.action, alert=incident.id, actor=press.actor)
        done = f"Snoozed until {slack_time(until)}" if until else "Acknowledged"
        return f"{done} by <@{press.user}>: {escape(incident.text.title)}"

    def _reaches(self, place: str, incident: Incident) -> bool:
        """Return whether a channel of Slack gets this incident."""
        catalog = self._catalog()
        ours = {
            spec.id
            for spec in catalog.channels
            if isinstance(spec, SlackBotChannel) and spec.channel == place
        }
        if not ours:
            return False
        notified = self._store.outbox.channels(incident.main.tenant, [incident.id]).get(incident.id, set())
        route = Routing(catalog.channels, catalog.routes)
        return any(ours & route(alert, notified).keys() for alert in incident.alerts)

    def _refuse_repeated(
        self, incident: Incident, kind: ActionKind, until: datetime | None, decided: datetime
    ) -> None:
        """Raise RefusedAction for an action that was taken before and still holds; `decided`: the last decision."""
        targets = {incident.id, *(alert.id for alert in incident.alerts)}
        taken = [
            one
            for one in self._store.actions(incident.main.tenant)
            if one.target in targets and one.action == kind
        ]
        last = max(taken, key=lambda one: one.at, default=None)
        by = f" by {last.actor}" if last and last.actor else ""
        if kind == "acknowledged" and (incident.state == kind or (last and last.at >= decided)):
            raise RefusedAction(f"the alert is acknowledged already{by}")
        if until and last and last.until and abs(last.until - until) < _SAME:
            raise RefusedAction(f"the alert is snoozed already{by}")

    def _reply(self, press: Press, text: str) -> None:
        if not press.response_url.startswith(self._response_urls):
            log.warning("a request from Slack names no address of Slack to reply to", user=press.user)
            return
        body = {"replace_original": False, "response_type": "in_channel", "text": text}
        headers = {"content-type": "application/json; charset=utf-8"}
        answer = self._poster.post(press.response_url, encoder.encode(body), headers)
        if answer.outcome != "sent":
            log.warning("no reply to a button in Slack", reason=answer.reason)
