"""How alerts look in Slack: Block Kit, within its limits. Pure, so that golden files hold it.

Limits (docs.slack.dev): 50 blocks, 150 characters of a header, 3000 of a section, 10 fields of 2000; and
in all near 13,200 characters, which is not documented (`msg_blocks_too_long`).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from outlay_reports.alert_text import AlertList, AlertText, text_of, title_of
from outlay_schemas.alerts import Alert, Severity, State

Block = dict[str, object]

_HEADER, _SECTION, _FIELD, _TEXT = 150, 3000, 400, 3000
"""Characters; a field is kept shorter than it may be, for ten of them must fit the whole."""
_LINE = 280
_MARKS = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}


def message(alerts: Sequence[Alert]) -> dict[str, object]:
    """Return the body of a message: one incident in full, or many as one list."""
    text = text_of(alerts)
    if isinstance(text, AlertList):
        return {"text": cut(escape(text.headline), _TEXT), "blocks": list(_many(text))}
    plain = escape(f"{text.title}. {text.summary}")
    return {"text": cut(plain, _TEXT), "blocks": list(_one(text))}


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
    lines += (
        [" · ".join(f"{escape(name)}: {escape(value)}" for name, value in text.facts)] if text.facts else []
    )
    return {"text": cut(escape(text.title), _TEXT), "blocks": [section("\n".join(lines))]}


def _one(text: AlertText) -> Iterator[Block]:
    yield header(f"{mark(text.state, text.severity)} {text.title}")
    amounts, scope = cut(escape(text.amounts), _FIELD), cut(escape(text.scope), _FIELD)
    yield section(f"*{amounts}*\n{text.when(clock)} · {scope}")
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
    if text.actions:
        lines = (f"{escape(what)}: `{escape(command)}`" for what, command in text.actions)
        yield section("*Actions*\n" + "\n".join(lines))
    if text.link:
        yield button(text.link, danger=text.severity == "critical" and text.state == "firing")
    yield context(text.footer)


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
