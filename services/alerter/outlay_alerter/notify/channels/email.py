"""The mail channel: SMTP to a host that was checked as every other is, bounded in time as a whole."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

from outlay_alerter.notify.addresses import Network
from outlay_alerter.notify.channels.mail_text import letter, message
from outlay_alerter.notify.digest_messages import review_letter
from outlay_alerter.notify.http_post import RefusedError, resolve_host
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_alerter.notify.pictures import Picture
from outlay_kit.clock import Clock

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True)
class Server:
    """A mail server. `allowed` are networks beside the open internet; `seconds` bounds a whole try."""

    host: str
    port: int
    security: Security
    username: str = ""
    password: str = ""
    allowed: Sequence[Network] = ()
    seconds: float = 20.0
    trust: ssl.SSLContext | None = None
    """Whom to believe; None: what the system believes (SSL_CERT_FILE)."""

    def send(self, mail: EmailMessage, sender: str, to: Sequence[str]) -> DeliveryResult:
        """Try once and say what came of it. Raises nothing of the network's."""
        try:
            addresses = asyncio.run(resolve_host(self.host, self.port, self.allowed))
            with _Session(self.host, addresses, self.seconds) as session:
                return self._talk(session.smtp(self), mail, sender, to)
        except RefusedError as error:
            return DeliveryResult("retry", str(error))
        except OSError as error:  # of which SMTPException is one
            return _failed(error, self.seconds)

    def _talk(self, smtp: smtplib.SMTP, mail: EmailMessage, sender: str, to: Sequence[str]) -> DeliveryResult:
        if self.security == "starttls":
            smtp.starttls(context=self.trust or ssl.create_default_context())
        if self.username:
            smtp.login(self.username, self.password)
        refused = smtp.send_message(mail, sender, list(to))
        with contextlib.suppress(OSError):  # it has taken the mail: how it says goodbye is its own affair
            smtp.quit()
        if refused:
            return DeliveryResult("sent", f"refused {len(refused)} of {len(to)} receivers", status=250)
        return DeliveryResult("sent", status=250)


def _failed(error: OSError, seconds: float) -> DeliveryResult:
    """Say what an error means. 5xx is tried again as 4xx is: people mend mailboxes and rules."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return _replied(code, said)
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return DeliveryResult("retry", "refused the user name or the password", status=error.smtp_code)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return DeliveryResult(
            "retry", "offers no STARTTLS, or no way to log in; see `security` of the channel"
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return _replied(error.smtp_code, error.smtp_error)
    if isinstance(error, ssl.SSLError):
        return DeliveryResult("retry", f"its certificate is not believed ({error.reason or 'TLS'})")
    return DeliveryResult("retry", f"no connection, or no answer in {seconds:g} s ({type(error).__name__})")


def _replied(code: int, text: bytes | str) -> DeliveryResult:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    shown = "".join(c if c.isprintable() else " " for c in words)[:200].strip()
    return DeliveryResult("retry", f"answered {code}: {shown}", status=code)


class _Session:
    """A connection to one of the checked addresses that ends after so many seconds, whatever is going on in it."""

    def __init__(self, host: str, addresses: Sequence[str], seconds: float) -> None:
        self._host, self._addresses, self._seconds = host, addresses, seconds
        self._spares: list[socket.socket] = []
        self._smtp: smtplib.SMTP | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_Session":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._smtp is not None:
            self._smtp.close()
        for one in self._spares:
            one.close()

    def _end(self) -> None:
        for one in self._spares:  # of the same connection as the socket that may be within TLS by now
            with contextlib.suppress(OSError):  # it ended by itself
                one.shutdown(socket.SHUT_RDWR)

    def smtp(self, server: Server) -> smtplib.SMTP:
        """Connect to the first address that answers."""
        self._smtp = _Checked(self._connect, server)
        self._smtp.connect(server.host, server.port)
        return self._smtp

    def _connect(self, port: int) -> socket.socket:
        error: OSError = OSError("no address")
        for address in self._addresses:
            try:
                found = socket.create_connection((address, port), self._seconds)
            except OSError as failed:
                error = failed
                continue
            self._spares.append(found.dup())
            return found
        raise error


class _Checked(smtplib.SMTP):
    """SMTP over a socket that leads to a checked address, under the name that the host has."""

    def __init__(self, connect: Callable[[int], socket.socket], server: Server) -> None:
        super().__init__(timeout=server.seconds)
        self._connect_to, self._server = connect, server
        self._host = server.host

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = self._connect_to(port)
        if self._server.security != "tls":
            return plain
        trust = self._server.trust or ssl.create_default_context()
        try:
            return trust.wrap_socket(plain, server_hostname=self._server.host)
        except OSError:
            plain.close()
            raise


class Email:
    """Sends each notification as one mail to all receivers."""

    pause = 1.0
    updates = False

    def __init__(
        self,
        name: str,
        server: Server,
        sender: str,
        to: Sequence[str],
        *,
        clock: Clock,
        picture: Picture | None = None,
    ) -> None:
        self.name, self.target = name, f"{server.host}:{server.port}"
        self._server, self._sender, self._to = server, sender, tuple(to)
        self._clock, self._picture = clock, picture

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        if notification.review is not None:
            found = review_letter(notification.review)
        else:
            found = letter(notification.story, self._picture(notification) if self._picture else None)
        mail = message(found, notification, self._clock.now(), self._sender, self._to)
        return self._server.send(mail, self._sender, self._to)
