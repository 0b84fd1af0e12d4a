"""Kafka's client: sockets of connections that do not come about or end with a request that waits, and its warnings."""

import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import outlay_kit.kafka  # noqa: F401 (it takes care of the sockets and the warnings)
from outlay.embedded.ports import free_port

from kafka.errors import KafkaConnectionError  # isort: skip
from kafka.net.inet import KafkaNetSocket  # isort: skip
from kafka.net.selector import NetworkSelector  # isort: skip
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport  # isort: skip


class Never:
    """Waits until its coroutine is closed."""

    def __await__(self) -> Iterator[None]:
        while True:
            yield


def connecting(sock: socket.socket, port: int) -> Any:
    net = SimpleNamespace(wait_write=lambda *_, **__: Never())
    return KafkaNetSocket().sock_connect(net, sock, ("127.0.0.1", port))


@pytest.fixture
def opened() -> Iterator[socket.socket]:
    with socket.socket() as made:
        yield made


def test_the_socket_of_a_refused_connection_is_closed(opened: socket.socket) -> None:
    with pytest.raises(KafkaConnectionError, match="ECONNREFUSED"):
        connecting(opened, free_port()).send(None)
    assert opened.fileno() == -1


def test_the_socket_of_a_client_that_closes_while_it_connects_is_closed(opened: socket.socket) -> None:
    opened.setblocking(False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        task = connecting(opened, server.getsockname()[1])
        task.send(None)
        task.close()
    assert opened.fileno() == -1


def test_the_socket_of_a_failed_tls_handshake_is_closed() -> None:
    ours, theirs = socket.socketpair()
    net = SimpleNamespace(unregister_event=lambda *_: None, wait_read=lambda *_: Never())
    ours.setblocking(False)
    transport = KafkaSSLTransport(net, ours, host="localhost")
    theirs.sendall(b"this is not TLS\r\n" * 10)
    handshake = transport.handshake()
    with pytest.raises(OSError, match=r"WRONG_VERSION_NUMBER|record layer failure"):
        handshake.send(None)
    assert transport._sock is None
    theirs.close()


def test_the_socket_of_a_client_that_closes_with_a_request_that_waits_is_closed() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport = KafkaTCPTransport(SimpleNamespace(unregister_event=lambda *_: None), ours)
    transport._write_buffer.append(b"x" * 10_000_000)
    transport.close()
    assert ours.fileno() == -1
    assert len(theirs.recv(1000)) == 1000  # what it could take was sent
    theirs.close()


def test_a_step_that_takes_a_while_on_a_busy_machine_is_not_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def slow() -> None:
        time.sleep(0.15)  # noqa: ASYNC251 (it is what the client would warn of)

    selector = NetworkSelector()
    selector.run(slow())
    selector.close()
    assert caplog.records == []
