"""Mail against a real SMTP server: TLS, log-in, refusals, and what a reader sees."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from threading import Thread
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tests.support.alerts import alert, of, of_review
from tests.support.channel_messages import CASES

from outlay_alerter.notify.channels.email import Email, Security, Server
from outlay_alerter.notify.http_post import read_networks
from outlay_alerter.notify.notification import DeliveryResult
from outlay_kit.clock import SystemClock

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100
pytestmark = pytest.mark.filterwarnings("ignore::Warning:aiosmtpd.smtp")  # what the server says of itself
LOOPBACK = read_networks("127.0.0.0/8")


@dataclass
class Mailbox:
    """A mail server's memory. `refuse` is what it says instead of taking a mail."""

    port: int = 0
    trust: ssl.SSLContext | None = None
    got: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    refuse: str = ""
    encrypted: bool = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse:
            return self.refuse
        self.encrypted = session.ssl is not None
        assert isinstance(envelope.content, bytes)
        self.got.append(message_from_bytes(envelope.content, policy=default))
        self.envelopes.append(envelope)
        return "250 OK"


def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"outlay", b"s3cret")
    return AuthResult(success=good, handled=False)


@contextmanager
def mailbox(host: str = "127.0.0.1", *, auth: bool = False, **options: Any) -> Iterator[Mailbox]:
    """Run a server with STARTTLS for a while."""
    box, authority = Mailbox(), trustme.CA()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(served)
    box.trust = ssl.create_default_context()
    authority.configure_trust(box.trust)
    options = {"tls_context": served, "require_starttls": True, **options}
    if auth:
        options |= {"authenticator": login, "auth_required": True}
    controller = Controller(box, hostname=host, port=_free(), **options)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def server(box: Mailbox, security: Security = "starttls", **changes: Any) -> Server:
    known = {"host": "localhost", "allowed": LOOPBACK, "seconds": 5.0, "trust": box.trust, **changes}
    return Server(port=box.port, security=security, **known)


def email(made: Server, picture: bytes | None = PNG) -> Email:
    to = ["sre@example.com", "cfo@example.com"]
    return Email("mail", made, "outlay@example.com", to, clock=SystemClock(), picture=lambda _: picture)


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    assert part is not None
    return str(part.get_content())


def test_a_mail_arrives_encrypted_with_text_html_and_the_picture_inside() -> None:
    with mailbox(auth=True) as box:
        made = server(box, username="outlay", password="s3cret")
        assert email(made).send(of(CASES["one"][0])) == DeliveryResult("sent", status=250)
    (mail,) = box.got
    assert box.encrypted
    assert box.envelopes[0].rcpt_tos == ["sre@example.com", "cfo@example.com"]
    assert mail["message-id"] == "<msg_a1_1@outlay.invalid>"
    assert mail["references"] == "<alert.a1@outlay.invalid>"
    assert mail["subject"].startswith("[critical] [acme] Spend spike: project assistant")
    text, html = body(mail, "plain"), body(mail, "html")
    assert "$42.10, expected $4.48 ($37.62 over)" in text
    assert "cid:picture" in html
    assert "u-17 &lt;!channel&gt; &amp; co" in html
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert (picture.get_content(), picture["content-id"]) == (PNG, "<picture>")
    assert picture.get_content_disposition() == "inline"


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_message_is_a_mail(name: str) -> None:
    with mailbox() as box:
        assert email(server(box), None).send(of(*CASES[name])).outcome == "sent"
    (mail,) = box.got
    assert mail.defects == []
    assert "cid:" not in body(mail, "html")
    assert len(mail["subject"]) <= 200


def test_a_review_has_the_whole_page_attached() -> None:
    with mailbox() as box:
        assert email(server(box)).send(of_review()).outcome == "sent"
    (page,) = list(box.got[0].iter_attachments())
    assert (page.get_filename(), page.get_content_type()) == ("review.html", "text/html")
    assert "The week cost $1,204.31" in body(box.got[0], "plain")


def test_a_title_over_several_lines_adds_no_header() -> None:
    with mailbox() as box:
        email(server(box)).send(of(alert(title="x\r\nBcc: evil@example.com\r\n\r\nhello")))
    assert box.got[0]["bcc"] is None
    assert box.got[0]["subject"] == "[warning] [acme] x Bcc: evil@example.com hello"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": "outlay", "password": "wrong"}, "refused the user name or the password"),
        ({"trust": ssl.create_default_context()}, "its certificate is not trusted"),
        ({"allowed": ()}, "private address"),
        ({"host": "no-such-host.invalid"}, "does not resolve"),
        ({"port": 1}, "no connection"),
    ],
)
def test_what_is_wrong_is_said_without_secrets(change: dict[str, Any], words: str) -> None:
    with mailbox(auth=True) as box:
        known = {"username": "outlay", "password": "s3cret", **change}
        if "port" in known:
            box.port = known.pop("port")
        answer = email(server(box, **known)).send(of(alert()))
    assert answer.outcome == "retry"
    assert words in answer.reason
    assert not {"s3cret", "wrong"} & set(answer.reason.split())
    assert box.got == []


def test_a_password_never_goes_to_a_server_without_encryption() -> None:
    with mailbox(tls_context=None, require_starttls=False) as box:
        answer = email(server(box, username="outlay", password="s3cret")).send(of(alert()))
    assert (answer.outcome, box.got) == ("retry", [])
    assert "STARTTLS" in answer.reason


def test_a_mailbox_that_refuses_is_tried_again_with_its_reason() -> None:
    with mailbox() as box:
        box.refuse = "452 4.2.2 Mailbox full"
        answer = email(server(box)).send(of(alert()))
    assert (answer.outcome, answer.status, answer.reason) == (
        "retry", 452, "answered 452: 4.2.2 Mailbox full",
    )  # fmt: skip


def test_tls_from_the_first_byte_works_too() -> None:
    authority = trustme.CA()
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(served)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with mailbox(ssl_context=served, tls_context=None, require_starttls=False) as box:
        assert email(server(box, "tls", trust=trust)).send(of(alert())).outcome == "sent"


def test_a_server_that_only_hangs_is_left_in_time() -> None:
    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        for _ in range(100):
            try:
                connection.sendall(b"2")  # a byte now and then: no read ever times out
                _wait(connection)
            except OSError:
                break
        connection.close()

    with listening(serve) as port:
        box = Mailbox(port=port)
        answer = email(server(box, "none", seconds=1.0)).send(of(alert()))
    assert answer.outcome == "retry"
    assert "no answer in 1 s" in answer.reason


def _wait(connection: socket.socket) -> None:
    connection.settimeout(0.1)
    try:
        if not connection.recv(1):
            raise OSError("the other side ended")
    except TimeoutError:
        pass


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join(20)
