"""What an attacker writes into a webhook's URL, or into its DNS, to reach what the alerter can reach."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer

import pytest
from tests.support.http_server import Handler, serving

from outlay_alerter.notify.http_post import HttpPoster, read_networks

LOOPBACK = read_networks("127.0.0.1/32")
HOSTS = [
    "127.0.0.1", "localhost", "LOCALHOST.", "0.0.0.0", "0", "127.1", "127.0.1",  # noqa: S104
    "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.000.000.001",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fe80::1%25lo]", "169.254.169.254", "[fd00:ec2::254]", "2852039166", "0xa9fea9fe",
    "①②⑦.⓪.⓪.①", "127。0。0。1", "good.example@127.0.0.1", "good.example:80@127.0.0.1", "127.0.0.1#@good.example",
    "127.0.0.1?@good.example", "127.0.0.1%2f@good.example@127.0.0.1", "127.0.0.1\\@good.example",
]  # fmt: skip
"""Spellings of this machine and of the metadata services of clouds."""


@dataclass
class Receiver:
    """A service of this machine that no webhook may reach."""

    port: int = 0
    redirect: str = ""
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Answer(Handler):
        def do_POST(self) -> None:  # noqa: N802 (the name is the base class's)
            found.paths.append(self.path)
            self.rfile.read(int(self.headers.get("content-length", 0)))
            moved = {"location": found.redirect} if found.redirect else {}
            self.reply(307 if found.redirect else 200, moved, b"secret of the metadata service")

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as found.port:
        yield found


def test_the_receiver_is_reached_where_its_network_is_allowed(receiver: Receiver) -> None:
    """The control."""
    poster = HttpPoster(LOOPBACK, seconds=5)
    assert poster.post(f"http://127.0.0.1:{receiver.port}/hook", b"{}", {}).outcome == "sent"
    assert receiver.paths == ["/hook"]


@pytest.mark.parametrize("host", HOSTS)
def test_no_spelling_of_an_address_reaches_this_machine(receiver: Receiver, host: str) -> None:
    name, mark, rest = host.partition("#") if "#" in host else host.partition("?")
    result = HttpPoster(seconds=5).post(f"http://{name}:{receiver.port}/{mark}{rest}", b"{}", {})
    assert result.outcome == "retry"
    assert "secret" not in result.reason
    assert not receiver.paths


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "dict", "unix", "http+unix", "data", ""])
def test_no_scheme_but_http_is_posted_to(receiver: Receiver, scheme: str) -> None:
    result = HttpPoster(LOOPBACK, seconds=5).post(
        f"{scheme}://127.0.0.1:{receiver.port}/etc/passwd", b"{}", {}
    )
    assert result.outcome == "retry"
    assert not receiver.paths


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.redirect = f"http://127.0.0.1:{receiver.port}/latest/meta-data"
    result = HttpPoster(LOOPBACK, seconds=5).post(f"http://127.0.0.1:{receiver.port}/hook", b"{}", {})
    assert result.outcome == "retry"
    assert receiver.paths == ["/hook"]


def test_a_name_that_is_rebound_after_the_check_is_not_asked_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is public, each later one is this machine: only the address that was checked is connected to."""
    real = socket.getaddrinfo
    asked: list[str] = []
    connected: list[str] = []

    def rebinding(host: str, port: int, *args: object, **kwargs: object) -> object:
        if host != "rebind.example":
            connected.append(host)
            return real(host, port, *args, **kwargs)  # type: ignore[arg-type]
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    poster = HttpPoster(read_networks("192.0.2.0/24"), seconds=0.5)
    assert poster.post(f"http://rebind.example:{receiver.port}/", b"{}", {}).outcome == "retry"
    assert (asked, set(connected) - {"192.0.2.1"}, receiver.paths) == (["rebind.example"], set(), [])


def test_a_name_with_a_public_and_a_private_address_is_connected_to_in_public_only(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_type = asyncio.SelectorEventLoop

    async def both(*_: object, **__: object) -> object:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, receiver.port))
            for one in ("127.0.0.1", "192.0.2.1")
        ]

    monkeypatch.setattr(loop_type, "getaddrinfo", both)
    poster = HttpPoster(read_networks("192.0.2.0/24"), seconds=0.5)
    assert poster.post(f"http://two.example:{receiver.port}/", b"{}", {}).outcome == "retry"
    assert not receiver.paths
