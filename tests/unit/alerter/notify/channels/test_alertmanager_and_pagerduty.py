"""What PagerDuty and receivers of Alertmanager's webhooks are sent."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator
from tests.support.alerts import alert, notification
from tests.support.receiver import Receiver, receiving

from outlay_alerter.notify.channels.alertmanager import Alertmanager, AlertmanagerApi, alertmanager
from outlay_alerter.notify.channels.pagerduty import PagerDuty, pagerduty
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_alerter.notify.notification import Notification
from outlay_schemas.alerts import Alert, Effect
from outlay_schemas.money import Usd

KEY = "k" * 32
POSTER = HttpPoster(read_networks("127.0.0.0/8"), 5)


def of(*alerts: Alert) -> Notification:
    return replace(notification(), id="msg_bundle", alerts=alerts)


def duty(receiver: Receiver) -> PagerDuty:
    return PagerDuty(KEY, receiver.url, "warning", POSTER)


@pytest.mark.parametrize(
    ("state", "action"), [("firing", "trigger"), ("acknowledged", "acknowledge"), ("resolved", "resolve")]
)
def test_pagerduty_gets_the_alert_under_its_id(state: str, action: str) -> None:
    one = alert(
        state=state, link="https://o.example/a", effects=[Effect("price", Usd("2"))], title="t" * 2000
    )
    with receiving() as receiver:
        receiver.script = [(202, {}, b"{}")]
        assert duty(receiver).send(of(one)).outcome == "sent"
    event = json.loads(receiver.got[0].body)
    assert (event["routing_key"], event["event_action"], event["dedup_key"]) == (KEY, action, "a1")
    payload = event["payload"]
    assert {"summary", "source", "severity", "timestamp", "component", "group", "class"} <= set(payload)
    assert payload["severity"] in ("critical", "error", "warning", "info")
    assert len(payload["summary"]) == 1024
    assert payload["custom_details"]["effects_usd"] == {"price": "2"}
    assert event["links"][0]["href"] == "https://o.example/a"


def test_a_storm_is_one_incident_and_says_the_worst() -> None:
    storm = [alert(f"a{n}") for n in range(1000)] + [alert("worst", severity="critical", title="Worst")]
    event = pagerduty(of(*storm), KEY)
    assert event["dedup_key"] == "msg_bundle"
    assert "1,001 alerts from growth: 1,001 firing, 0 not, such as: Worst" in json.dumps(event)
    assert len(json.dumps(event)) < 512 * 1024


def test_an_alert_below_the_severity_of_the_pager_is_not_sent() -> None:
    with receiving() as receiver:
        assert duty(receiver).send(of(alert(severity="info"))).outcome == "sent"
    assert receiver.got == []


def test_an_event_that_pagerduty_refuses_is_given_up_and_one_that_waits_is_not() -> None:
    with receiving() as receiver:
        receiver.answer(400)
        assert duty(receiver).send(of(alert())).outcome == "failed"
        receiver.answer(429, retry_after="7")
        assert duty(receiver).send(of(alert())).retry_after == 7


def test_alertmanager_s_receivers_get_its_format() -> None:
    with receiving() as receiver:
        bundle = of(alert("a" * 32), alert("b" * 32, state="resolved", scope={"sku": ["x", "y"]}))
        assert Alertmanager("alertmanager", receiver.url, POSTER).send(bundle).outcome == "sent"
    body = json.loads(receiver.got[0].body)
    assert set(body) == {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels",
        "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert (body["version"], body["status"]) == ("4", "firing")
    firing, resolved = body["alerts"]
    assert firing["labels"]["alertname"] == "growth"
    assert firing["endsAt"] == "0001-01-01T00:00:00Z"
    assert resolved["labels"]["sku"] == "x|y"
    assert resolved["endsAt"] == "2026-11-24T12:00:00.000Z"
    assert resolved["fingerprint"] == "b" * 16
    assert body["commonLabels"]["severity"] == "warning"
    assert "team" not in body["commonLabels"]
    assert alertmanager(of(alert(state="resolved")))["status"] == "resolved"


POSTABLE = {
    "type": "array",
    "items": {
        "type": "object", "required": ["labels"], "additionalProperties": False,
        "properties": {
            "startsAt": {"type": "string", "format": "date-time"},
            "endsAt": {"type": "string", "format": "date-time"},
            "generatorURL": {"type": "string", "format": "uri"},
            "labels": {"$ref": "#/$defs/words"}, "annotations": {"$ref": "#/$defs/words"},
        },
    },
    "$defs": {
        "words": {"type": "object", "additionalProperties": {"type": "string"},
                  "propertyNames": {"pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}},
    },
}  # fmt: skip
"""`postableAlerts` of Alertmanager's OpenAPI document for /api/v2/alerts."""


def test_an_alertmanager_is_given_alerts_that_end_by_their_labels() -> None:
    firing, over = alert(link="https://o.example/a"), alert(state="resolved")
    with receiving() as receiver:
        receiver.script = [(200, {}, b"")]
        channel = AlertmanagerApi("am", receiver.url.removesuffix("/hook"), POSTER)
        assert channel.send(of(firing, alert("a2"))).outcome == "sent"
        assert channel.send(of(over)).outcome == "sent"
        receiver.script = [(400, {}, b'{"code":601}')]
        assert channel.send(of(firing)).outcome == "failed"
    assert receiver.got[0].path == "/api/v2/alerts"
    first, second = (json.loads(got.body) for got in receiver.got[:2])
    for body in (first, second):
        assert list(Draft202012Validator(POSTABLE).iter_errors(body)) == []
    assert first[0]["labels"] == second[0]["labels"], "the same labels are the same alert"
    assert first[0]["startsAt"] < first[0]["endsAt"]
    assert second[0]["endsAt"] == "2026-11-24T12:00:00.000Z"
