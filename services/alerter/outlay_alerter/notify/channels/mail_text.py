"""How alerts look as mail: plain text, and HTML that stands by itself, with the picture inside the message."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

from outlay_alerter.notify.notification import Notification
from outlay_reports.alert_text import AlertList, AlertText, text_of, title_of
from outlay_schemas.alerts import Alert

_SUBJECT = 200
_DOMAIN = "outlay.invalid"
"""Of message ids, which lead no_route (RFC 2606)."""
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
    """What mails of one incident have in common, so that readers see them together."""


def letter(alerts: Sequence[Alert], picture: bytes | None) -> Letter:
    """Return the mail of one incident, or of many as one list. Its subject begins with severity and tenant."""
    text, tenant = text_of(alerts), alerts[0].tenant
    if isinstance(text, AlertList):
        subject = f"[{text.worst}] [{tenant}] {text.headline}"
        return Letter(subject, _plain_list(text), _html_list(text))
    return Letter(
        f"[{text.severity}] [{tenant}] {text.title}", _plain(text), _html(text, pictured=picture is not None),
        picture, thread=alerts[0].incident_id,
    )  # fmt: skip


def message(
    found: Letter, notification: Notification, at: datetime, sender: str, to: Sequence[str]
) -> EmailMessage:
    """Return a letter as a mail. Its Message-ID is the notification's id: servers and readers keep one."""
    mail = EmailMessage()
    mail["Subject"] = _one_line(found.subject)[:_SUBJECT]
    mail["From"] = Address("Outlay", addr_spec=sender)
    mail["To"] = [Address(addr_spec=one) for one in to]
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{notification.id}@{_DOMAIN}>"
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


def _plain(text: AlertText) -> str:
    lines = [text.title, "", text.amounts, f"{text.when(clock)}, {text.scope}", "", text.summary]
    if text.effects:
        effects = ", ".join(f"{k} {v}" for k, v in text.effects)
        lines += ["", f"Why, compared with {text.compared}: {effects}"]
    if text.contributors:
        lines += ["", "Top contributors:", *(f"  {k}: {v}" for k, v in text.contributors)]
    lines += ["", "Alerts of this incident:", *(f"  {part}" for _, part in text.parts)] if text.parts else []
    lines += ["", *(f"{k}: {v}" for k, v in text.facts)] if text.facts else []
    lines += ["", *(f"{what}: {command}" for what, command in text.actions)] if text.actions else []
    lines += ["", text.link] if text.link else []
    return "\n".join([*lines, "", text.footer, ""])


def clock(at: datetime) -> str:
    """Write an instant."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _html(text: AlertText, *, pictured: bool) -> str:
    color = _OVER if text.state == "resolved" else _COLORS[text.severity]
    parts = [
        f'<h1 style="font-size:18px;margin:0 0 8px">{escape(text.title)}</h1>',
        f'<p style="margin:0;font-size:17px"><b>{escape(text.amounts)}</b></p>',
        f'<p style="margin:2px 0 12px;color:#5b6673">{escape(text.when(clock))} · {escape(text.scope)}</p>',
        f"<p>{escape(text.summary)}</p>",
    ]
    if pictured:
        parts.append('<p><img src="cid:picture" alt="The spending" width="600" style="max-width:100%"></p>')
    if text.effects:
        parts.append(f"<p><b>Why</b>, compared with {escape(text.compared)}</p>{_rows(text.effects)}")
    parts += [f"<p><b>Top contributors</b></p>{_rows(text.contributors)}"] if text.contributors else []
    if text.parts:
        items = "".join(f"<li>{escape(part)}</li>" for _, part in text.parts)
        parts.append(f"<p><b>Alerts of this incident</b></p><ul>{items}</ul>")
    parts += [_rows(text.facts)] if text.facts else []
    if text.link:
        parts.append(
            f'<p><a href="{escape(text.link)}" style="background:{color};color:#fff;padding:8px 16px;'
            'border-radius:6px;text-decoration:none">Open in Outlay</a></p>'
        )
    commands = ((what, f"<code>{escape(command)}</code>") for what, command in text.actions)
    parts += [f'<p style="color:#5b6673">{escape(what)}: {command}</p>' for what, command in commands]
    return framed("".join(parts), color, text.footer)


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


def _plain_list(found: AlertList) -> str:
    lines = [f"- {title_of(alert)}" for alert in found.shown]
    return "\n".join(
        [found.headline, "", *lines, *([found.rest] if found.rest else []), "", found.footer, ""]
    )


def _html_list(found: AlertList) -> str:
    items = "".join(
        f'<li style="color:{_OVER if a.state == "resolved" else _COLORS[a.severity]}">'
        f'<span style="color:#1c2430">{escape(title_of(a))}</span></li>'
        for a in found.shown
    )
    body = f'<h1 style="font-size:18px;margin:0">{escape(found.headline)}</h1><ul>{items}</ul>'
    return framed(body + f"<p>{escape(found.rest)}</p>", _COLORS[found.worst], found.footer)


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
