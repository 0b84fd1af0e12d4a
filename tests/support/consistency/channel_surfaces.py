"""Alerts as each channel renders them, read back as a person reads them: these figures are text."""

import html
import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from tests.support.consistency.data import NOW, TENANT
from tests.support.consistency.surfaces import Figures, System, evaluate_alerts

from outlay_alerter.notify.channels import email, slack, teams
from outlay_alerter.notify.notification import Notification, group_messages
from outlay_alerter.notify.outbox import Outbox
from outlay_schemas.alerts import alert_decoder

_PATTERNS = {
    "budget_used": r"All AI budget: \d+% used \((\W*\$[\d,.]+) of \$2,000\.00\)",
    "forecast": r"All AI budget: forecast to reach 0\.001% \((\W*\$[\d,.]+) of \$2,000\.00\)",
    "interval": r"between (\$[\d,.]+ and \$[\d,.]+) in 8 of 10 cases",
    "top": r"\bUser:?\s+(\S+ \W*\$[\d,.]+)",
}


class Written(str):
    """A figure as it is written for people."""

    __slots__ = ()


def slack_message(system: System, zone: str) -> Figures:
    """The message in Slack."""
    return _figures("\n".join(_texts(slack.render(_notification(system)))))


def teams_card(system: System, zone: str) -> Figures:
    """The card in Teams."""
    return _figures("\n".join(_texts(teams.card(_notification(system).content))))


def mail(system: System, zone: str) -> Figures:
    """Both parts of the mail."""
    body = email.alert_body(_notification(system).content, None)
    found = [_figures(text) for text in (body.text, html.unescape(re.sub(r"<[^>]*>", "\n", body.html)))]
    assert found[0] == found[1]
    assert re.fullmatch(rf"\[\w+\] \[{TENANT}\] .*All AI budget.*", body.subject)
    return found[0]


def _notification(system: System) -> Notification:
    """Return the notification of the budget's alerts, from the outbox: as if nothing else had happened."""
    evaluate_alerts(system)
    waiting = Outbox(system.clickhouse).due("bus", NOW + timedelta(days=1))
    mine = [message for message in waiting if alert_decoder.decode(message.body).rule == "all"]
    (found,), _ = group_messages(mine)
    assert len(found.alerts) == 2
    return found


def _texts(value: object) -> Iterator[str]:
    """Yield every text of a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _figures(text: str) -> Figures:
    found = {name: re.search(pattern, text) for name, pattern in _PATTERNS.items()}
    missing = [name for name, match in found.items() if match is None]
    assert not missing, (missing, text)
    return {name: Written(match[1]) for name, match in found.items() if match}


CHANNELS: dict[str, Callable[[System, str], Figures]] = {
    "alerts in Slack": slack_message,
    "alerts in Teams": teams_card,
    "alerts in mail": mail,
}
