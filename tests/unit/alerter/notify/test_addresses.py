"""A channel connects to the open internet and to networks that were named, and no_route else."""

import pytest

from outlay_alerter.notify.http_post import may_connect, read_networks

INSIDE = [
    "127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::",  # noqa: S104 (loopback, this host)
    "10.1.2.3", "172.16.0.1", "192.168.1.1", "fd00::1", "fc00::1", "fec0::1",  # private
    "169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "100.64.0.1", "100.127.255.255",  # carriers' NAT
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1",  # mapped
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",  # compatible, NAT64
    "2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # 6to4, Teredo
    "192.88.99.1", "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1",
    "224.0.0.1", "239.1.1.1", "ff02::1", "240.0.0.1", "255.255.255.255", "100::1", "5f00::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_not_on_the_internet_is_refused(address: str) -> None:
    assert not may_connect(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8"]
)
def test_an_address_on_the_internet_is_connected_to(address: str) -> None:
    assert may_connect(address)


def test_a_network_that_is_named_is_connected_to_and_no_other() -> None:
    allowed = read_networks("10.2.0.0/16, fd00:1::/32")
    assert may_connect("10.2.3.4", allowed)
    assert may_connect("::ffff:10.2.3.4", allowed)
    assert may_connect("fd00:1::7", allowed)
    assert not may_connect("10.3.0.1", allowed)
    assert not may_connect("fd00:2::7", allowed)


def test_a_network_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        read_networks("10.0.0.1/8")
