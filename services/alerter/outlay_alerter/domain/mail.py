"""How alerts look as mail: plain text, and HTML that stands by itself, with the picture inside the message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

from outlay_alerter.domain.delivery import Envelope
from outlay_alerter.domain.wording import Group, Words, group_of, words_of
from outlay_schemas.alerts import Alert

_SUBJECT = 200
_DOMAIN = "outlay.invalid"
"""Of message ids, which lead nowhere (RFC 2606)."""
_COLORS = {"critical": "#c62828", "warning": "#d9730d", "info": "#2a6fbb"}
_OVER = "#2e7d32"
_FONT = "font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;color:#1c2430"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, before it has an address."""

    subject: str
    text: str
    html: str
    picture: bytes | None = None
    """PNG, shown where the HTML has `cid:picture`."""
    page: str = ""
    """A page of HTML to attach; empty: none."""
    thread: str = ""
    """What mails of one alert have in common, so that readers see them together."""


def letter(alerts: Sequence[Alert], picture: bytes | None) -> Letter:
    """Return the mail of one alert, or of many as one list."""
    if len(alerts) == 1:
        words = words_of(alerts[0])
        subject = f"[{words.state}] {words.title}"
        return Letter(
            subject,
            _plain(alerts[0], words),
            _html(alerts[0], words, pictured=picture is not None),
            picture,
            thread=alerts[0].id,
        )
    group = group_of(alerts)
    return Letter(group.headline, _plain_group(group), _html_group(group))


def message(found: Letter, envelope: Envelope, at: datetime, sender: str, to: Sequence[str]) -> EmailMessage:
    """Return a letter as a mail. Its Message-ID is the envelope's id: servers and readers keep one."""
    mail = EmailMessage()
    mail["Subject"] = _one_line(found.subject)[:_SUBJECT]
    mail["From"] = Address("Outlay", addr_spec=sender)
    mail["To"] = [Address(addr_spec=one) for one in to]
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{envelope.id}@{_DOMAIN}>"
    mail["Auto-Submitted"] = "auto-generated"
    if found.thread:
        mail["References"] = f"<alert.{found.thread}@{_DOMAIN}>"
    mail.set_content(found.text)
    mail.add_alternative(found.html, subtype="html")
    if found.picture is not None:
        html = list(mail.iter_parts())[-1]
        html.add_related(
            found.picture, "image", "png", cid="<picture>", filename="spending.png", disposition="inline"
        )
    if found.page:
        mail.add_attachment(found.page, subtype="html", filename="review.html")
    return mail


def _plain(alert: Alert, words: Words) -> str:
    lines = [words.title, "", words.amounts, f"{_when(alert, words)}, {words.scope}"]
    lines += ["", words.summary]
    if words.why:
        lines += ["", f"Why, against {words.compared}: " + ", ".join(f"{k} {v}" for k, v in words.why)]
    lines += ["", "Who:", *(f"  {k}: {v}" for k, v in words.who)] if words.who else []
    lines += ["", *(f"{k}: {v}" for k, v in words.facts)] if words.facts else []
    lines += ["", *(f"{what}: {command}" for what, command in words.todo)] if words.todo else []
    lines += ["", words.link] if words.link else []
    return "\n".join([*lines, "", words.foot, ""])


def _when(alert: Alert, words: Words) -> str:
    began = f"{words.since:%Y-%m-%d %H:%M} UTC"
    if alert.state == "resolved":
        return f"{words.state} {alert.at:%Y-%m-%d %H:%M} UTC, began {began}"
    return f"{words.state} since {began}"


def _html(alert: Alert, words: Words, *, pictured: bool) -> str:
    color = _OVER if alert.state == "resolved" else _COLORS[alert.severity]
    parts = [
        f'<h1 style="font-size:18px;margin:0 0 8px">{escape(words.title)}</h1>',
        f'<p style="margin:0;font-size:17px"><b>{escape(words.amounts)}</b></p>',
        f'<p style="margin:2px 0 12px;color:#5b6673">{escape(_when(alert, words))} · {escape(words.scope)}</p>',
        f"<p>{escape(words.summary)}</p>",
    ]
    if pictured:
        parts.append('<p><img src="cid:picture" alt="The spending" width="600" style="max-width:100%"></p>')
    if words.why:
        parts.append(f"<p><b>Why</b>, against {escape(words.compared)}</p>{_rows(words.why)}")
    parts += [f"<p><b>Who</b></p>{_rows(words.who)}"] if words.who else []
    parts += [_rows(words.facts)] if words.facts else []
    if words.link:
        parts.append(
            f'<p><a href="{escape(words.link)}" style="background:{color};color:#fff;padding:8px 16px;'
            'border-radius:6px;text-decoration:none">Open in Outlay</a></p>'
        )
    commands = ((what, f"<code>{escape(command)}</code>") for what, command in words.todo)
    parts += [f'<p style="color:#5b6673">{escape(what)}: {command}</p>' for what, command in commands]
    return framed("".join(parts), color, words.foot)


def framed(body: str, color: str, foot: str) -> str:
    """Return a page for mail: a bar of colour, what is said, a foot."""
    return (
        f'<!doctype html><html lang="en"><body style="margin:0;padding:16px;{_FONT}">'
        f'<div style="max-width:640px;border-left:5px solid {color};padding:4px 16px">{body}'
        f'<p style="color:#8a94a0;font-size:12px">{escape(foot)}</p></div></body></html>'
    )


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    cell = "padding:2px 12px 2px 0;vertical-align:top"
    rows = (
        f'<tr><td style="{cell};color:#5b6673">{escape(k)}</td><td style="{cell}">{escape(v)}</td></tr>'
        for k, v in pairs
    )
    return f'<table style="border-collapse:collapse;font-size:14px">{"".join(rows)}</table>'


def _plain_group(group: Group) -> str:
    lines = [f"- {alert.title}" for alert in group.shown]
    return "\n".join([group.headline, "", *lines, *([group.rest] if group.rest else []), "", group.foot, ""])


def _html_group(group: Group) -> str:
    items = "".join(
        f'<li style="color:{_OVER if a.state == "resolved" else _COLORS[a.severity]}">'
        f'<span style="color:#1c2430">{escape(a.title)}</span></li>'
        for a in group.shown
    )
    body = f'<h1 style="font-size:18px;margin:0">{escape(group.headline)}</h1><ul>{items}</ul>'
    return framed(body + f"<p>{escape(group.rest)}</p>", _COLORS[group.worst], group.foot)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
