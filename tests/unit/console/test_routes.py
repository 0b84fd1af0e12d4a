"""Every route of the console, as its own table lists them, asked by those who may not see what is behind it."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from structlog.testing import capture_logs
from tests.support.console_routes import NOW, Rig, addresses

from outlay_console.domain.queries import SHARED
from outlay_console.domain.roles import LEAST
from outlay_console.domain.roles import OPEN as ANYONE
from outlay_console.web import CSP, who

OPEN = {path for (_, path), least in LEAST.items() if least == ANYONE}
"""Routes that answer without a session, and read nothing."""
CLAIMS = {"tenant": "globex", "where": "tenant=globex", "tenant_id": "globex", "tz": "UTC", "sku": "zip"}
REPORT_CLAIMS = {"where": "tenant=globex", "by": "tenant"}
PRICE_CLAIMS = {
    "/api/v1/prices": {"q": "globex"},
    "/api/v1/prices/model": {"provider": "globex", "sku": "zip"},
}
"""The read API refuses a parameter that it does not know."""
HEADERS = dict.fromkeys(("x-tenant", "x-outlay-tenant", "x-clickhouse-user", "x-user"), "globex")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with capture_logs():  # a page fails where the store has no row, which is not what is tested
        yield Rig(tmp_path)


async def ask(rig: Rig, method: str, path: str, **more: Any) -> httpx.Response | None:
    """Ask; None for a stream, which does not end."""
    try:
        async with asyncio.timeout(0.7 if path.startswith("/stream") else 30):
            headers = {**HEADERS, **more.pop("headers", {})}
            params = PRICE_CLAIMS.get(path) or (REPORT_CLAIMS if path.startswith("/api") else CLAIMS)
            return await rig.client.request(method, path, params=params, headers=headers, **more)
    except TimeoutError:
        return None


def test_a_route_without_a_session_is_one_that_was_meant() -> None:
    assert {
        "/login",
        "/login/oidc",
        "/login/oidc/callback",
        "/logout",
        "/docs",
        "/docs.css",
        "/openapi.json",
        "/api",
        "/api/v1",
        "/api/v1/reports",
    } == OPEN


async def test_no_route_reads_anything_for_who_has_no_session(rig: Rig) -> None:
    await rig.log_in("globex")
    ((name, cookie),) = rig.client.cookies.items()
    body, _, signature = cookie.rpartition(".")
    forged = [
        "",
        "acme",
        body,
        f"{body}.",
        f"{body}.{signature[::-1]}",
        f"{body[:-2]}7e.{signature}",
        f"00{cookie}",
    ]
    keys = ["", "acme", "out_live_000000000000_" + "x" * 32, rig.keys["sender"], rig.keys["acme"][:-1]]
    tries = [{"cookie": f"{name}={one}"} for one in forged] + [
        {"authorization": f"Bearer {one}"} for one in keys
    ]
    rig.client.cookies.clear()
    for method, path in addresses(rig.console):
        if path in OPEN:
            continue
        for headers in tries:
            answer = await ask(rig, method, path, headers=headers)
            assert answer is not None, (method, path, headers)
            to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
            assert to_login or answer.status_code in (401, 429), (method, path, headers, answer.status_code)
    assert not rig.readers.store.asked


async def test_every_question_of_every_route_is_about_the_tenant_of_the_session(rig: Rig) -> None:
    await rig.log_in("boss")
    key = {"authorization": f"Bearer {rig.keys['boss']}"}
    silent = []
    for method, path in addresses(rig.console):
        if path in OPEN:
            continue
        rig.readers.store.asked.clear()
        form = {"tenant": "globex", "action": "expected"} if method == "POST" else None
        await ask(rig, method, path, headers=key, data=form)
        for sql, bound in rig.readers.store.asked:
            of_acme = any(value in ("acme", ["acme"], ("acme",)) for value in bound.values())
            assert of_acme or sql in SHARED, (method, path, sql, bound)
            assert "globex" not in sql
        if not rig.readers.store.asked:
            silent.append(path)
    quiet = {"/live", "/stream/events", "/event", "/tenant", "/budgets/a-globex", "/api/v1/prices"}
    assert {path for path in silent if not path.endswith(("/actions", "/save"))} <= quiet


async def test_no_route_that_changes_something_is_taken_from_another_site(rig: Rig) -> None:
    await rig.log_in("boss")
    changing = [path for method, path in addresses(rig.console) if method == "POST"]
    assert len(changing) >= 4
    sites: list[dict[str, str]] = [
        {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site", "origin": "http://other.console"},
        {"sec-fetch-site": "none", "origin": "http://evil"}, {"sec-fetch-site": "cross-site", "origin": "http://console"},
        {"sec-fetch-site": "", "origin": "null"}, {"sec-fetch-site": "cross-site", "x-http-method-override": "POST"},
    ]  # fmt: skip
    for path in changing:
        for headers in sites:
            answer = await rig.client.post(
                path, headers=headers, data={"action": "expected", "key": rig.keys["globex"]}
            )
            assert answer.status_code == 403, (path, headers)
            assert "set-cookie" not in answer.headers
        assert (await rig.client.get(path)).status_code in (303, 405, 200, 404), path
    assert not rig.readers.store.asked


async def test_every_answer_has_the_headers_that_bind_a_browser(rig: Rig) -> None:
    await rig.log_in()
    asked = [(method, path) for method, path in addresses(rig.console) if not path.startswith("/stream")]
    asked += [("GET", "/nowhere"), ("DELETE", "/"), ("GET", "/static/app.js"), ("GET", "/%2e%2e/etc/passwd")]
    for method, path in asked:
        answer = await ask(rig, method, path)
        assert answer is not None
        assert answer.headers["content-security-policy"] == CSP, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in answer.headers
        assert "no-store" in answer.headers["cache-control"] or path.startswith("/static/"), path
    for word in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert word in CSP
    assert "unsafe" not in CSP
    assert "*" not in CSP


@pytest.mark.parametrize("https", [False, True])
async def test_a_login_makes_a_cookie_of_its_own_that_scripts_and_other_sites_do_not_get(
    tmp_path: Path, https: bool
) -> None:
    rig = Rig(tmp_path, https=https)
    name = "__Host-outlay" if https else "outlay"
    fixed = {"cookie": f"{name}=chosen-by-the-attacker"}
    assert (await rig.client.get("/", headers=fixed)).headers["location"] == "/login"
    answer = await rig.client.post("/login", headers=fixed, data={"key": rig.keys["acme"]})
    written = answer.headers["set-cookie"]
    assert written.startswith(f"{name}=")
    assert "chosen-by-the-attacker" not in written
    parts = {part.strip().lower() for part in written.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= parts
    assert ("secure" in parts) is https
    assert not any(part.startswith("domain") for part in parts)


async def test_a_cookie_ends_with_its_key(rig: Rig) -> None:
    await rig.log_in()
    rig.file.revoke(rig.keys["acme"].split("_")[2], NOW)
    rig.ring.refresh()
    assert (await rig.client.get("/")).headers["location"] == "/login"


async def test_guesses_are_slowed_whatever_the_sender_says_of_its_address(tmp_path: Path) -> None:
    rig = Rig(tmp_path, burst=3)
    statuses = []
    for n in range(6):
        headers = {
            "x-forwarded-for": f"10.0.0.{n}",
            "forwarded": f"for=10.0.0.{n}",
            "x-real-ip": f"10.0.0.{n}",
        }
        answer = await rig.client.post(
            "/login", headers=headers, data={"key": f"out_live_{n:012d}_" + "x" * 32}
        )
        statuses.append(answer.status_code)
    assert statuses == [401] * 3 + [429] * 3
    assert int(answer.headers["retry-after"]) > 0
    right = {"authorization": f"Bearer {rig.keys['acme']}"}
    assert (await rig.client.get("/metrics/money", headers=right)).status_code != 429


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False), ("::ffff:192.0.2.1", "192.0.2.1", True), ("fe80::1%eth0", "fe80::2", True),
        ("unix", "unix", True),
    ],
)  # fmt: skip
def test_a_network_that_one_sender_has_whole_counts_as_one_address(
    first: str, second: str, same: bool
) -> None:
    one, other = (
        who(Request({"type": "http", "client": (host, 1), "headers": []})) for host in (first, second)
    )
    assert (one == other) is same


async def test_a_session_ends_by_itself(rig: Rig) -> None:
    await rig.log_in()
    rig.clock.advance(timedelta(hours=2).total_seconds())
    assert (await rig.client.get("/")).headers["location"] == "/login"
