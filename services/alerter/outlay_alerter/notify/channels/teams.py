"""Microsoft Teams: an Adaptive Card for a workflow, whose URL is a secret. Teams accepts 28 KB.

Version 1.4: the newest that Teams shows on phones and desktops alike.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from outlay_alerter.notify.channel import ChannelKind, HttpChannel
from outlay_alerter.notify.notification import Notification, Outcome, Review
from outlay_reports.alert_text import OPEN, AlertList, AlertText, text_of, title_of
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog.channels import TeamsChannel
from outlay_schemas.events import encoder

Element = dict[str, object]

MOST_BYTES = 27_000
_VERSION = "1.4"
_COLORS = {"critical": "attention", "warning": "warning", "info": "accent"}
_LINE = 280
_TITLE = 500
_DIGEST_LINES = 8
"""Lines shown of each point of a digest."""
_DIGEST_LINE = 300


class Teams(HttpChannel):
    """Posts each notification as one Adaptive Card. A workflow accepts a few a second."""

    pause = 1.0
    updates = False
    results: ClassVar[Mapping[int, Outcome]] = {404: "disabled"}

    def render(self, notification: Notification) -> object:
        """Return the card."""
        return (
            card(notification.content) if notification.review is None else teams_review(notification.review)
        )


def card(alerts: Sequence[Alert]) -> dict[str, object]:
    """Return the body for a workflow that posts cards: one incident in full, or many as one list."""
    found = text_of(alerts)
    if isinstance(found, AlertList):
        return fitted(list(_many(found)), [], found.headline)
    return fitted(list(_one(found)), _actions(found.links), found.title)


def teams_review(review: Review) -> dict[str, object]:
    """Return the card of a digest."""
    body = [banner(review.title, "accent"), text(review.headline, weight="bolder")]
    for point in review.points:
        body.append(text(point.heading, weight="bolder", spacing="medium"))
        body += [text(line[:_DIGEST_LINE], spacing="small") for line in point.lines[:_DIGEST_LINES]]
    body.append(text(review.foot, subtle=True, size="small"))
    return fitted(body, _actions([(OPEN, review.link)]), f"{review.title}: {review.headline}")


def fitted(body: list[Element], actions: list[Element], fallback: str) -> dict[str, object]:
    """Return a message with a card of as many elements as there is room for; the last, the foot, stays."""
    while True:
        made = _message(body, actions, fallback)
        if len(encoder.encode(made)) <= MOST_BYTES or len(body) <= 2:
            return made
        body = [*body[:-2], body[-1]]


def _message(body: list[Element], actions: list[Element], fallback: str) -> dict[str, object]:
    content: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": _VERSION,
        "fallbackText": fallback[:_TITLE],
        "body": body,
    }
    if actions:
        content["actions"] = actions
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attachment]}


def _one(found: AlertText) -> Iterator[Element]:
    style = "good" if found.state == "resolved" else _COLORS[found.severity]
    yield banner(found.title[:_TITLE], style)
    yield text(found.amounts, weight="bolder")
    yield text(f"{found.when(clock)} · {plain(found.scope)}", raw=True, subtle=True)
    yield text(found.summary)
    if found.effects:
        yield text(f"Why, compared with {found.compared}", weight="bolder", spacing="medium")
        yield facts(found.effects)
    if found.contributors:
        yield text("Top contributors", weight="bolder", spacing="medium")
        yield facts(found.contributors)
    if found.parts:
        yield text("Alerts of this incident", weight="bolder", spacing="medium")
        for _, part in found.parts:
            yield text(part[:_LINE], spacing="small")
    if found.facts:
        yield facts(found.facts)
    for what, command in found.actions:
        yield text(f"{what}: {command}", subtle=True)
    yield text(found.footer, subtle=True, size="small")


def _many(found: AlertList) -> Iterator[Element]:
    yield banner(found.headline, _COLORS[found.worst])
    for alert in found.shown:
        color = "good" if alert.state == "resolved" else _COLORS[alert.severity]
        yield text(title_of(alert)[:_LINE], color=color)
    if found.rest:
        yield text(found.rest)
    yield text(found.footer, subtle=True, size="small")


def banner(title: str, style: str) -> Element:
    """Return the title on a coloured ground."""
    items = [text(title, weight="bolder", size="medium")]
    return {"type": "Container", "style": style, "bleed": True, "items": items}


def text(words: str, *, raw: bool = False, **looks: object) -> Element:
    """Return a paragraph. `raw`: what is not ours in it went through `plain` already."""
    known = {"isSubtle" if name == "subtle" else name: value for name, value in looks.items()}
    return {"type": "TextBlock", "text": (words if raw else plain(words)) or "…", "wrap": True, **known}


def facts(pairs: Sequence[tuple[str, str]]) -> Element:
    """Return a table of names and values."""
    rows = [{"title": plain(name)[:100], "value": plain(value)[:1000]} for name, value in pairs]
    return {"type": "FactSet", "facts": rows}


def clock(at: datetime) -> str:
    """Write an instant so that everybody sees it in their own zone."""
    stamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return f"{{{{DATE({stamp}, SHORT)}}}} {{{{TIME({stamp})}}}}"


def plain(value: str) -> str:
    """Make text harmless: no links, no emphasis, no dates of strangers."""
    for sign in "\\`*_[]":
        value = value.replace(sign, "\\" + sign)
    return value.replace("{{", "{ {").replace("<", "&lt;")


def _actions(links: Sequence[tuple[str, str]]) -> list[Element]:
    return [{"type": "Action.OpenUrl", "title": label, "url": link} for label, link in links if link]


KIND = ChannelKind(TeamsChannel, lambda spec, context: Teams(spec.id, spec.url, context.poster))
