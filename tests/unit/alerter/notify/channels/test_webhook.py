"""The webhook channel against a real receiver, each failure by its name; signatures judged by `standardwebhooks`."""

import base64
import json
import socket
import threading
import time

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError
from tests.support.alerts import alert, notification, waiting
from tests.support.receiver import NEW_SECRET, OLD_SECRET, receiving

from outlay_alerter.notify.channels.webhook import MOST_BYTES, Webhook, body_of, read_secrets, signature
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_kit.clock import SystemClock


def send(
    url: str, secrets: str = NEW_SECRET, seconds: float = 5, allowed: str = "127.0.0.0/8"
) -> DeliveryResult:
    poster = HttpPoster(read_networks(allowed), seconds)
    return Webhook(url, read_secrets(secrets), poster, SystemClock()).send(notification())


def test_a_message_carries_the_three_headers_and_verifies() -> None:
    with receiving() as receiver:
        assert send(receiver.url) == DeliveryResult("sent", status=204)
    got = receiver.got[0]
    data = Verifier(NEW_SECRET).verify(got.body, got.headers)
    assert (data["type"], data["timestamp"]) == ("alert.firing", "2026-11-24T12:00:00.000Z")
    assert data["data"]["actual"] == "80.000000000001"
    assert got.headers["webhook-id"] == "msg_a1_1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_while_secrets_rotate_either_of_them_verifies() -> None:
    with receiving() as receiver:
        send(receiver.url, f"{NEW_SECRET} {OLD_SECRET}")
    got = receiver.got[0]
    Verifier(NEW_SECRET).verify(got.body, got.headers)
    Verifier(OLD_SECRET).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + base64.b64encode(b"x" * 24).decode()).verify(got.body, got.headers)


def test_the_signature_is_the_one_of_the_specification() -> None:
    secrets = read_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("bad", ["whsec_short", "whsec_" + base64.b64encode(b"x" * 65).decode(), "whsec_é"])
def test_a_secret_of_the_wrong_size_is_an_error_that_does_not_show_it(bad: str) -> None:
    with pytest.raises(ValueError, match="webhook secret") as caught:
        read_secrets(bad)
    assert bad.removeprefix("whsec_") not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 500, 501])
def test_what_is_not_2xx_is_a_failure(status: int) -> None:
    with receiving() as receiver:
        receiver.answer(status)
        answer = send(receiver.url)
    assert (answer.outcome, answer.status, answer.retry_after) == ("retry", status, None)


def test_a_redirect_is_not_followed() -> None:
    with receiving() as other, receiving() as receiver:
        receiver.answer(307, location=other.url)
        assert send(receiver.url).outcome == "retry"
    assert (len(receiver.got), other.got) == (1, [])


def test_410_says_that_the_endpoint_is_gone() -> None:
    with receiving() as receiver:
        receiver.answer(410)
        assert send(receiver.url).outcome == "disabled"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retry_after_is_honoured(status: int) -> None:
    with receiving() as receiver:
        receiver.answer(status, retry_after="17")
        assert send(receiver.url).retry_after == 17.0
        receiver.answer(status, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
        assert send(receiver.url).retry_after == 60.0


def test_a_receiver_that_says_nothing_is_left_after_the_time() -> None:
    with receiving() as receiver:
        receiver.hang = threading.Event()
        began = time.monotonic()
        answer = send(receiver.url, seconds=0.3)
        assert time.monotonic() - began < 5
    assert (answer.outcome, answer.reason) == ("retry", "no answer in 0.3 s")


def test_a_receiver_that_drips_bytes_is_left_after_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            peer, _ = server.accept()
            with peer:
                try:
                    while True:
                        peer.sendall(b"H")
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        answer = send(f"http://127.0.0.1:{server.getsockname()[1]}/", seconds=0.4)
        thread.join()
    assert answer.outcome == "retry"


def test_a_closed_port_is_retried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert send(f"http://127.0.0.1:{port}/").reason == "no connection (ConnectError)"


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    with receiving() as receiver:
        receiver.script = [(500, {}, b"no\x1b[31m " + b"x" * 50_000_000)]
        answer = send(receiver.url)
    assert answer.outcome == "retry"
    assert len(answer.reason) < 250
    assert answer.reason.isprintable()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_an_inside_address_is_refused_however_it_is_written(host: str) -> None:
    with receiving() as receiver:
        answer = send(f"http://{host}:{receiver.port}/", allowed="")
    assert receiver.got == []
    assert answer.outcome == "retry"
    assert "private address" in answer.reason


def test_a_name_that_does_not_resolve_is_refused() -> None:
    assert send("http://no_route.invalid/secret").reason == "the host's name does not resolve"


def test_the_host_keeps_its_name_though_the_address_is_connected_to() -> None:
    with receiving() as receiver:
        assert send(f"http://localhost:{receiver.port}/hook").outcome == "sent"
    assert receiver.got[0].headers["host"] == f"localhost:{receiver.port}"


def test_a_large_alert_is_cut_below_20_kb_and_stays_the_same_at_each_try() -> None:
    large = alert(count=60, width=2000)
    one = Notification("m", (waiting(),), (large,))
    assert len(body_of(one)) <= MOST_BYTES
    assert body_of(one) == body_of(one)
    assert json.loads(body_of(one))["data"]["contributors"]
    wide = Notification("m", (waiting(),), (alert(count=1, width=30_000),))
    assert len(body_of(wide)) <= MOST_BYTES


def test_a_storm_is_one_message_below_20_kb_that_says_how_many() -> None:
    storm = Notification("m", (waiting(),), tuple(alert(f"a{n}") for n in range(1000)))
    body = body_of(storm)
    assert len(body) <= MOST_BYTES
    content = json.loads(body)
    assert (content["type"], content["data"]["count"]) == ("alerts", 1000)
    assert len(content["data"]["alerts"]) > 40
