"""How alerts look in Slack: Block Kit, within its limits. Pure, so that golden files hold it.

Limits (docs.slack.dev): 50 blocks, 150 characters of a header, 3000 of a section, 10 fields of 2000; and
in all near 13,200 characters, which is not documented (`msg_blocks_too_long`).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from outlay_alerter.domain.wording import Group, Words, group_of, words_of
from outlay_schemas.alerts import Alert

Block = dict[str, object]

_HEADER, _SECTION, _FIELD, _TEXT = 150, 3000, 400, 3000
"""Characters; a field is kept shorter than it may be, for ten of them must fit the whole."""
_LINE = 280
_MARKS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}


def message(alerts: Sequence[Alert]) -> dict[str, object]:
    """Return the body of a message: one alert in full, or many as one list."""
    if len(alerts) == 1:
        words = words_of(alerts[0])
        plain = escape(f"{words.state}: {words.title}. {words.summary}")
        return {"text": cut(plain, _TEXT), "blocks": list(_one(alerts[0], words))}
    group = group_of(alerts)
    return {"text": cut(escape(group.headline), _TEXT), "blocks": list(_many(group))}


def reply(alert: Alert) -> dict[str, object]:
    """Return what is said in the thread of an alert when it changes: short, for the first message has the rest."""
    words = words_of(alert)
    more = f"It began {clock(words.since)}" if alert.state == "resolved" else escape(words.amounts)
    text = f"{mark(alert)} *{words.state}* {clock(alert.at)}: {escape(words.title)}\n{more}"
    facts = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in words.facts)
    plain = escape(f"{words.state}: {words.title}")
    return {"text": cut(plain, _TEXT), "blocks": [section(f"{text}\n{facts}".rstrip())]}


def _one(alert: Alert, words: Words) -> Iterator[Block]:
    yield header(f"{mark(alert)} {words.title}")
    since = f"{words.state} since {clock(words.since)}"
    if alert.state == "resolved":
        since = f"{words.state} {clock(alert.at)}, began {clock(words.since)}"
    yield section(f"*{cut(escape(words.amounts), _FIELD)}*\n{since} · {cut(escape(words.scope), _FIELD)}")
    yield section(escape(words.summary))
    if words.why:
        parts = " · ".join(f"{kind} *{escape(amount)}*" for kind, amount in words.why)
        yield section(f"*Why*, against {escape(words.compared)}\n{parts}")
    if words.who:
        lines = (f"{escape(dimension)}: {escape(values)}" for dimension, values in words.who)
        yield section("*Who*\n" + "\n".join(lines))
    if words.facts:
        fields = [_mrkdwn(f"*{escape(name)}*\n{escape(value)}", _FIELD) for name, value in words.facts]
        yield {"type": "section", "fields": fields}
    if words.todo:
        lines = (f"{escape(what)}: `{escape(command)}`" for what, command in words.todo)
        yield section("*What to do*\n" + "\n".join(lines))
    if words.link:
        yield button(words.link, danger=alert.severity == "critical" and alert.state == "firing")
    yield context(words.foot)


def _many(group: Group) -> Iterator[Block]:
    yield header(f"{_MARKS[group.worst]} {group.headline}")
    text = ""
    for alert in group.shown:
        line = f"{mark(alert)} {cut(escape(alert.title), _LINE)}\n"
        if len(text) + len(line) > _SECTION:
            yield section(text.rstrip())
            text = ""
        text += line
    yield section(text.rstrip())
    if group.rest:
        yield section(escape(group.rest))
    yield context(group.foot)


def mark(alert: Alert) -> str:
    """Return the sign of an alert."""
    if alert.state == "resolved":
        return ":white_check_mark:"
    return ":eyes:" if alert.state == "acknowledged" else _MARKS[alert.severity]


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


def button(link: str, *, danger: bool = False) -> Block:
    """Return a button that opens a link."""
    found: Block = {"type": "button", "text": {"type": "plain_text", "text": "Open in Outlay"}, "url": link}
    return {"type": "actions", "elements": [found | ({"style": "danger"} if danger else {})]}


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
