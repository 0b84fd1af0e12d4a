"""Slack: Block Kit messages by an incoming webhook, whose URL is a secret.

Limits (docs.slack.dev): 50 blocks, 150 characters of a header, 3000 of a section, 10 fields of 2000; and in all about
13,200 characters, which is not documented (`msg_blocks_too_long`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from outlay_alerter.notify.channel import Channel, ChannelContext, ChannelKind, HttpChannel
from outlay_alerter.notify.notification import Notification, Outcome, Review
from outlay_alerter.slack_actions.buttons import LABELS, button_elements
from outlay_reports.alert_text import OPEN, AlertList, AlertText, text_of, title_of
from outlay_schemas.alerts import Alert, Severity, State
from outlay_schemas.catalog.channels import SlackChannel

Block = dict[str, object]

_HEADER, _SECTION, _FIELD, _TEXT = 150, 3000, 400, 3000
"""Characters; a field is kept shorter than it may be, for ten of them must fit the whole."""
_LINE = 280
_MARKS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}
_DIGEST_LINES = 8
"""Lines shown of each point of a digest."""
_DIGEST_LINE = 300
_DIGEST_SIZE = 9000
"""Characters for the points of a digest."""


class Slack(HttpChannel):
    """Posts each notification as one message. Slack accepts one a second."""

    pause = 1.0
    updates = False
    results: ClassVar[Mapping[int, Outcome]] = {403: "disabled", 404: "disabled"}

    def render(self, notification: Notification) -> object:
        """Return the message."""
        return render(notification)


def render(notification: Notification) -> dict[str, object]:
    """Return the message of a notification."""
    return message(notification.content) if notification.review is None else slack_review(notification.review)


def message(alerts: Sequence[Alert], *, interactive: bool = False) -> dict[str, object]:
    """Return the body of a message: one incident in full, or many as one list.

    `interactive`: Slack sends the alerter what people press, so an incident that is firing gets buttons that act.
    """
    text = text_of(alerts)
    if isinstance(text, AlertList):
        return {"text": cut(escape(text.headline), _TEXT), "blocks": list(_many(text))}
    plain = f"{_mentions(text)} {escape(f'{text.title}. {text.summary}')}".strip()
    acts = interactive and text.state == "firing" and bool(text.actions)
    return {"text": cut(plain, _TEXT), "blocks": list(_one(text, button_elements(alerts) if acts else []))}


def reply(alerts: Sequence[Alert]) -> dict[str, object]:
    """Return what is said in the thread of an incident when it changes: short, for the first message has the rest."""
    text = text_of(alerts)
    if isinstance(text, AlertList):
        return message(alerts)
    lines = [
        f"{mark(text.state, text.severity)} *{escape(text.title)}*",
        f"{text.when(clock)}. {escape(text.amounts)}",
    ]
    lines += [escape(part) for _, part in text.parts]
    facts = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in text.facts)
    lines += [facts] if facts else []
    return {"text": cut(escape(text.title), _TEXT), "blocks": [section("\n".join(lines))]}


def slack_review(review: Review) -> dict[str, object]:
    """Return the message of a digest: what a team reads in a minute."""
    blocks: list[Block] = [
        header(f":bar_chart: {review.title}"),
        section(f"*{cut(escape(review.headline), 600)}*"),
    ]
    left = _DIGEST_SIZE
    for point in review.points[:20]:
        lines = "\n".join(cut(escape(line), _DIGEST_LINE) for line in point.lines[:_DIGEST_LINES])
        text = f"*{escape(cut(point.heading, _DIGEST_LINE))}*\n{lines}"
        left -= len(text) + 100
        if left < 0:
            break
        blocks.append(section(text))
    if review.link:
        blocks.append(buttons([(OPEN, review.link)]))
    if review.foot:
        blocks.append(context(review.foot))
    return {"text": cut(escape(f"{review.title}: {review.headline}"), 3000), "blocks": blocks}


def _one(text: AlertText, acting: Sequence[Block]) -> Iterator[Block]:
    yield header(f"{mark(text.state, text.severity)} {text.title}")
    amounts, scope = cut(escape(text.amounts), _FIELD), cut(escape(text.scope), _FIELD)
    yield section(f"*{amounts}*\n{text.when(clock)} · {scope}")
    if text.mentions:
        yield section(_mentions(text))
    yield section(escape(text.summary))
    if text.effects:
        parts = " · ".join(f"{kind} *{escape(amount)}*" for kind, amount in text.effects)
        yield section(f"*Why*, compared with {escape(text.compared)}\n{parts}")
    if text.contributors:
        lines = (f"{escape(dimension)}: {escape(values)}" for dimension, values in text.contributors)
        yield section("*Top contributors*\n" + "\n".join(lines))
    if text.parts:
        yield section(
            "*Alerts of this incident*\n" + "\n".join(f"• {escape(part)}" for _, part in text.parts)
        )
    if text.facts:
        fields = [_mrkdwn(f"*{escape(name)}*\n{escape(value)}", _FIELD) for name, value in text.facts]
        yield {"type": "section", "fields": fields}
    commands = [(what, command) for what, command in text.actions if not acting or what not in LABELS]
    if commands:
        lines = (f"{escape(what)}: `{escape(command)}`" for what, command in commands)
        yield section("*Actions*\n" + "\n".join(lines))
    if acting:
        yield {"type": "actions", "elements": [*acting]}
    if text.links:
        alarming = text.severity == "critical" and text.state == "firing"
        yield buttons(text.links, danger=alarming and not acting)
    yield context(text.footer)


def _mentions(text: AlertText) -> str:
    """Write whom Slack notifies. The catalog admits ids only, so none of this is markup of strangers."""
    kinds = {"U": "@", "W": "@", "S": "!subteam^"}
    return " ".join(f"<{kinds.get(name[0], '!')}{name}>" for name in text.mentions)


def _many(found: AlertList) -> Iterator[Block]:
    yield header(f"{_MARKS[found.worst]} {found.headline}")
    text = ""
    for alert in found.shown:
        line = f"{mark(alert.state, alert.severity)} {cut(escape(title_of(alert)), _LINE)}\n"
        if len(text) + len(line) > _SECTION:
            yield section(text.rstrip())
            text = ""
        text += line
    yield section(text.rstrip())
    if found.rest:
        yield section(escape(found.rest))
    yield context(found.footer)


def mark(state: State, severity: Severity) -> str:
    """Return the sign of a state."""
    if state == "resolved":
        return ":white_check_mark:"
    return ":eyes:" if state == "acknowledged" else _MARKS[severity]


def clock(at: datetime) -> str:
    """Write an instant so that everybody sees it in their own zone."""
    plain = f"{at:%Y-%m-%d %H:%M} UTC"
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{plain}>"


def header(text: str) -> Block:
    """Return a heading; its text is never markup."""
    return {"type": "header", "text": {"type": "plain_text", "text": cut(text, _HEADER), "emoji": True}}


def section(text: str) -> Block:
    """Return a paragraph of Slack's markup."""
    return {"type": "section", "text": _mrkdwn(text or "…", _SECTION)}


def context(text: str) -> Block:
    """Return a small line."""
    return {"type": "context", "elements": [_mrkdwn(escape(text), _FIELD)]}


def buttons(links: Sequence[tuple[str, str]], *, danger: bool = False) -> Block:
    """Return buttons that open links; `danger` colours the first."""
    found: list[Block] = [
        {"type": "button", "text": {"type": "plain_text", "text": label}, "url": link}
        for label, link in links
    ]
    found[0] |= {"style": "danger"} if danger else {}
    return {"type": "actions", "elements": found}


def _mrkdwn(text: str, most: int) -> Block:
    return {"type": "mrkdwn", "text": cut(text, most)}


def escape(text: str) -> str:
    """Make text harmless: what is between < and > would be a link or call a whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int) -> str:
    """Shorten to `most` characters, never in the middle of an escaped one."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    ampersand = kept.rfind("&", max(0, len(kept) - 5))
    if ampersand >= 0 and ";" not in kept[ampersand:]:
        kept = kept[:ampersand]
    return kept + "…"


def _from_settings(context: ChannelContext) -> Channel | None:
    url = context.settings.slack_url.get_secret_value()
    return Slack("slack", url, context.poster) if url else None


KIND = ChannelKind(
    SlackChannel, lambda spec, context: Slack(spec.id, spec.url, context.poster), _from_settings
)
