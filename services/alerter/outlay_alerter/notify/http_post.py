"""One guarded POST to an address that people chose: checked, bounded in time and size, never redirected.

A URL in the catalog may name any host, and the host may resolve to anything: to the metadata service of the cloud, to a
database on loopback. So the guard checks the resolved addresses, and connects to nothing but what it checked.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from ssl import SSLContext

import httpx

from outlay_alerter.notify.notification import DeliveryResult

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_REFUSED: tuple[Network, ...] = (
    IPv4Network("100.64.0.0/10"),  # shared by carriers' NAT; Alibaba's metadata service is in it
    IPv4Network("168.63.129.16/32"),  # Azure's own services, in a range that looks public
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata service is in it
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv4Network("198.18.0.0/15"),  # benchmarks
    IPv6Network("2001::/23"),  # Teredo and other protocols, which carry an IPv4 address that was not checked
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),  # 6to4: the same
    IPv6Network("3fff::/20"),  # documentation
)
MOST_ANSWER = 64 * 1024
"""Most bytes that are read of an answer."""
_SHOWN = 200
"""Characters of an answer that people see."""
_SLOW_DOWN = (408, 429, 502, 503, 504)


class RefusedError(Exception):
    """The host resolves to a blocked address, or not at all. The text never shows the URL, which is a secret."""


@dataclass(frozen=True)
class HttpPoster:
    """Sends bodies. `allowed` are networks besides the internet; `seconds` limits a whole attempt."""

    allowed: Sequence[Network] = ()
    seconds: float = 20.0

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> DeliveryResult:
        """Send one body. Raises no network errors."""
        return self.exchange(url, body, headers)[0]

    def exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[DeliveryResult, bytes]:
        """Send one body; return the result, and the body of the answer as far as it was read."""
        try:
            return asyncio.run(self._within(httpx.URL(url), body, headers))
        except TimeoutError:
            return DeliveryResult("retry", f"no answer in {self.seconds:g} s"), b""
        except RefusedError as error:
            return DeliveryResult("retry", str(error)), b""
        except httpx.InvalidURL:
            return DeliveryResult("retry", "the URL is not valid"), b""
        except (httpx.HTTPError, OSError) as error:
            return DeliveryResult("retry", f"no connection ({type(error).__name__})"), b""

    async def _within(
        self, url: httpx.URL, body: bytes, headers: Mapping[str, str]
    ) -> tuple[DeliveryResult, bytes]:
        async with asyncio.timeout(self.seconds):
            port = url.port or (443 if url.scheme == "https" else 80)
            addresses = await resolve_host(url.host, port, self.allowed)
            for address in addresses[:-1]:
                try:
                    return await _send(url, address, body, headers)
                except httpx.ConnectError:
                    continue  # nothing was sent yet: try the next address
            return await _send(url, addresses[-1], body, headers)


async def resolve_host(host: str, port: int, allowed: Sequence[Network]) -> list[str]:
    """Return the allowed addresses of a host. Raises RefusedError if it has none."""
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise RefusedError("the host's name does not resolve") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    good = [address for address in addresses if may_connect(address, allowed)]
    if not good:
        raise RefusedError(
            f"blocked: {addresses[0]} is a private address. Allow it with OUTLAY_ALERTER_ALLOW_NETWORKS={addresses[0]}"
        )
    return good


async def _send(
    url: httpx.URL, address: str, body: bytes, headers: Mapping[str, str]
) -> tuple[DeliveryResult, bytes]:
    """Connect to the checked `address` under the name of the URL's host."""
    named = {**headers, "host": url.netloc.decode(), "user-agent": "outlay-alerter"}
    client = httpx.AsyncClient(verify=_tls(), trust_env=False, follow_redirects=False, timeout=None)  # noqa: S113 (bounded as a whole)
    async with client:
        request = client.build_request(
            "POST", url.copy_with(host=address), content=body, headers=named,
            extensions={"sni_hostname": url.host},
        )  # fmt: skip
        response = await client.send(request, stream=True)
        try:
            read = await _read(response)
            return _answer(response, printable(read[: _SHOWN * 4].decode("utf-8", "replace"))), read
        finally:
            await response.aclose()


async def _read(response: httpx.Response) -> bytes:
    read = b""
    async for piece in response.aiter_raw():
        read += piece
        if len(read) >= MOST_ANSWER:
            break
    return read


def printable(text: str) -> str:
    """Return what people see of an answer."""
    return "".join(c if c.isprintable() else " " for c in text)[:_SHOWN].strip()


def _answer(response: httpx.Response, text: str) -> DeliveryResult:
    status = response.status_code
    if response.is_success:
        return DeliveryResult("sent", status=status)
    reason = f"answered {status}" + (f": {text}" if text else "")
    if status == 410:
        return DeliveryResult("disabled", reason, status=status)
    return DeliveryResult("retry", reason, _retry_after(response) if status in _SLOW_DOWN else None, status)


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of Retry-After; a date counts as a minute."""
    asked = response.headers.get("retry-after", "").strip()
    if not asked:
        return None
    return float(asked) if asked.isdecimal() else 60.0


@cache
def _tls() -> SSLContext:
    return httpx.create_ssl_context()


def read_networks(text: str) -> tuple[Network, ...]:
    """Read CIDRs, separated by commas. Raises ValueError for one that is not valid."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def plain(address: Address) -> Address:
    """Return the IPv4 address of a mapped or NAT64 address, else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def may_connect(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Return whether an address is global, or inside an allowed network. Raises ValueError."""
    judged = plain(ip_address(address.partition("%")[0]))
    return any(judged in network for network in allowed) or _is_open(judged)


def _is_open(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    if any(address in network for network in _REFUSED):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
