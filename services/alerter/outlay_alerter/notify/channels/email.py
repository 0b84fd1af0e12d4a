"""Email by SMTP: plain text, and HTML with the chart inside the message."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from importlib import resources
from typing import Literal

import aiosmtplib
from jinja2 import Environment

from outlay_alerter.notify.channel import Channel, ChannelContext, ChannelKind
from outlay_alerter.notify.chart import Picture
from outlay_alerter.notify.http_post import Network, RefusedError, printable, resolve_host
from outlay_alerter.notify.notification import DeliveryResult, Notification, Review
from outlay_kit.clock import Clock
from outlay_reports.alert_text import OPEN, AlertList, AlertText, text_of, title_of
from outlay_schemas.alerts import Alert, Severity, State
from outlay_schemas.catalog.channels import EmailChannel

Security = Literal["starttls", "tls", "none"]
_SUBJECT = 200
_DOMAIN = "outlay.invalid"
"""Domain of message ids, which leads nowhere (RFC 2606)."""
_COLORS = {"critical": "#c62828", "warning": "#d9730d", "info": "#2a6fbb"}
_RESOLVED = "#2e7d32"


@dataclass(frozen=True, slots=True)
class MailBody:
    """The content of a mail, before it has an address."""

    subject: str
    text: str
    html: str
    picture: bytes | None = None
    """PNG, shown where the HTML has `cid:picture`."""
    page: str = ""
    """A page of HTML to attach; empty: none."""
    thread: str = ""
    """Id that the mails of one incident share, so that mail programs show them together."""


@dataclass(frozen=True)
class Server:
    """A mail server. `allowed` are networks besides the internet; `seconds` limits a whole attempt."""

    host: str
    port: int
    security: Security
    username: str = ""
    password: str = ""
    allowed: Sequence[Network] = ()
    seconds: float = 20.0
    trust: ssl.SSLContext | None = None
    """Whom to trust; None: whom the system trusts (SSL_CERT_FILE)."""

    def send(self, mail: EmailMessage, sender: str, to: Sequence[str]) -> DeliveryResult:
        """Try once. Raises no network errors."""
        try:
            refused = asyncio.run(self._send(mail, sender, to))
        except RefusedError as error:
            return DeliveryResult("retry", str(error))
        except (OSError, aiosmtplib.SMTPException) as error:
            return _failed(error, self.seconds)
        reason = f"refused {refused} of {len(to)} receivers" if refused else ""
        return DeliveryResult("sent", reason, status=250)

    async def _send(self, mail: EmailMessage, sender: str, to: Sequence[str]) -> int:
        """Return how many receivers the server refused."""
        async with asyncio.timeout(self.seconds):
            sock = await self._connect()
            smtp = aiosmtplib.SMTP(
                hostname=self.host, sock=sock, use_tls=self.security == "tls",
                start_tls=self.security == "starttls", tls_context=self.trust or ssl.create_default_context(),
                username=self.username or None, password=self.password or None, timeout=None,
            )  # fmt: skip
            try:
                await smtp.connect()
                refused, _ = await smtp.send_message(mail, sender=sender, recipients=list(to))
                with contextlib.suppress(OSError, aiosmtplib.SMTPException):  # the mail is accepted already
                    await smtp.quit()
                return len(refused)
            finally:
                smtp.close()
                with contextlib.suppress(OSError):  # the server may have ended it already
                    sock.shutdown(socket.SHUT_RDWR)
                for _ in range(5):  # the loop needs some turns to see the end and to close TLS and socket
                    await asyncio.sleep(0)
                sock.close()

    async def _connect(self) -> socket.socket:
        """Connect to the first of the checked addresses that answers."""
        error: OSError = OSError("no address")
        for address in await resolve_host(self.host, self.port, self.allowed):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(sock, (address, self.port))
            except OSError as failed:
                error = failed
                sock.close()
            else:
                return sock
        raise error


class Email:
    """Sends each notification as one mail to all receivers."""

    pause = 1.0
    updates = False

    def __init__(
        self, name: str, server: Server, sender: str, to: Sequence[str], *, clock: Clock,
        picture: Picture | None = None,
    ) -> None:  # fmt: skip
        self.name, self.target = name, f"{server.host}:{server.port}"
        self._server, self._sender, self._to = server, sender, tuple(to)
        self._clock, self._picture = clock, picture

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        if notification.review is not None:
            body = digest_body(notification.review)
        else:
            body = alert_body(notification.content, self._picture(notification) if self._picture else None)
        mail = message(body, notification.id, self._clock.now(), self._sender, self._to)
        return self._server.send(mail, self._sender, self._to)


def alert_body(alerts: Sequence[Alert], picture: bytes | None) -> MailBody:
    """Return the mail of one incident, or of many as one list. Its subject begins with severity and tenant."""
    text, tenant = text_of(alerts), alerts[0].tenant
    if isinstance(text, AlertList):
        lines = [text.headline, "", *(f"- {title_of(alert)}" for alert in text.shown)]
        lines += [text.rest] if text.rest else []
        html = _html(_COLORS[text.worst], text.headline, text.footer, alerts=text.shown, rest=text.rest)
        return MailBody(f"[{text.worst}] [{tenant}] {text.headline}", _joined(lines, text.footer), html)
    html = _html(
        _color(text.state, text.severity), text.title, text.footer,
        lead=text.amounts, text=text, pictured=picture is not None, links=text.links,
    )  # fmt: skip
    subject = f"[{text.severity}] [{tenant}] {text.title}"
    return MailBody(subject, _plain(text), html, picture, thread=alerts[0].incident_id)


def digest_body(digest: Review) -> MailBody:
    """Return the mail of a digest: the points, and the whole page attached."""
    lines = [digest.title, "", digest.headline]
    for point in digest.points:
        lines += ["", point.heading, *(f"  {line}" for line in point.lines)]
    lines += ["", digest.link] if digest.link else []
    html = _html(
        _COLORS["info"], digest.title, digest.foot,
        lead=digest.headline, points=digest.points, page=bool(digest.html),
        links=[(OPEN, digest.link)] if digest.link else [],
    )  # fmt: skip
    return MailBody(digest.title, _joined(lines, digest.foot), html, page=digest.html)


def message(body: MailBody, name: str, at: datetime, sender: str, to: Sequence[str]) -> EmailMessage:
    """Return a mail. Its Message-ID is the notification's id `name`, so that programs keep one of two copies."""
    mail = EmailMessage()
    mail["Subject"] = " ".join("".join(c if c.isprintable() else " " for c in body.subject).split())[
        :_SUBJECT
    ]
    mail["From"] = Address("Outlay", addr_spec=sender)
    mail["To"] = [Address(addr_spec=one) for one in to]
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{name}@{_DOMAIN}>"
    mail["Auto-Submitted"] = "auto-generated"
    if body.thread:
        mail["References"] = f"<alert.{body.thread}@{_DOMAIN}>"
    mail.set_content(body.text)
    mail.add_alternative(body.html, subtype="html")
    if body.picture is not None:
        html = list(mail.iter_parts())[-1]
        html.add_related(
            body.picture, "image", "png", cid="<picture>", filename="spending.png", disposition="inline"
        )
    if body.page:
        mail.add_attachment(body.page, subtype="html", filename="review.html")
    return mail


def clock(at: datetime) -> str:
    """Write a time."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _plain(text: AlertText) -> str:
    lines = [text.title, "", text.amounts, f"{text.when(clock)}, {text.scope}", "", text.summary]
    if text.effects:
        effects = ", ".join(f"{name} {amount}" for name, amount in text.effects)
        lines += ["", f"Why, compared with {text.compared}: {effects}"]
    if text.contributors:
        lines += ["", "Top contributors:", *(f"  {name}: {values}" for name, values in text.contributors)]
    if text.parts:
        lines += ["", "Alerts of this incident:", *(f"  {part}" for _, part in text.parts)]
    for pairs in (text.facts, text.actions):
        lines += ["", *(f"{name}: {value}" for name, value in pairs)] if pairs else []
    lines += ["", *(f"{label}: {link}" for label, link in text.links)] if text.links else []
    return _joined(lines, text.footer)


def _joined(lines: Sequence[str], footer: str) -> str:
    return "\n".join([*lines, "", footer, ""])


def _color(state: State, severity: Severity) -> str:
    return _RESOLVED if state == "resolved" else _COLORS[severity]


_TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    resources.files(__package__).joinpath("email.html").read_text("utf-8")
)


def _html(color: str, title: str, footer: str, **content: object) -> str:
    helpers = {"clock": clock, "color_of": _color, "title_of": title_of}
    return _TEMPLATE.render(color=color, title=title, footer=footer, **helpers, **content)


def _failed(error: Exception, seconds: float) -> DeliveryResult:
    """Explain an error. 5xx is tried again as 4xx is: people fix mailboxes and rules."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            first = error.recipients[0]
            return _answered(first.code, first.message)
        case aiosmtplib.SMTPAuthenticationError():
            return DeliveryResult("retry", "refused the user name or the password", status=error.code)
        case aiosmtplib.SMTPResponseException():
            return _answered(error.code, error.message)
        case aiosmtplib.SMTPException() if not isinstance(error, OSError):
            reason = "offers no STARTTLS, or no way to log in; see `security` of the channel"
            return DeliveryResult("retry", reason)
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__ or error
    if isinstance(cause, ssl.SSLError):
        return DeliveryResult("retry", f"its certificate is not trusted ({cause.reason or 'TLS'})")
    return DeliveryResult("retry", f"no connection, or no answer in {seconds:g} s ({type(cause).__name__})")


def _answered(code: int, text: str) -> DeliveryResult:
    return DeliveryResult("retry", f"answered {code}: {printable(text)}", status=code)


def _build(spec: EmailChannel, context: ChannelContext) -> Channel:
    server = Server(
        spec.host, spec.port, spec.security, spec.username, spec.password or "", context.poster.allowed,
        context.poster.seconds,
    )  # fmt: skip
    picture = context.picture if spec.picture else None
    return Email(spec.id, server, spec.sender, spec.to, clock=context.clock, picture=picture)


KIND = ChannelKind(EmailChannel, _build)
