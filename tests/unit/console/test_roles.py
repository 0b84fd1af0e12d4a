"""Who may do what: every route of the console's table, asked by every role, and what a person's claims grant."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError
from starlette.routing import Route
from structlog.testing import capture_logs
from tests.support.console_routes import Rig, addresses

from outlay_console.domain.roles import (
    LEAST,
    OF_TEAMS,
    OPEN,
    ROLES,
    Grant,
    Membership,
    Role,
    held,
    memberships,
)
from outlay_console.settings import OidcSettings

GRANTS = tuple(Grant(value=f"{t} {role}", tenant=t, role=role) for t in ("acme", "globex") for role in ROLES)
TEAM = Grant(value="acme viewer of growth", tenant="acme", team="growth")
SETTINGS = OidcSettings(
    issuer="http://127.0.0.1:1", client_id="c", console_url="http://localhost:8088", grants=(*GRANTS, TEAM)
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with capture_logs():
        yield Rig(tmp_path, oidc=SETTINGS)


def test_the_table_has_every_route_and_no_other(rig: Rig) -> None:
    routes = {
        (method, route.path)
        for route in rig.console.routes()
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }
    assert routes == {(method, path) for method, path in LEAST if not path.startswith("/setup")}


def test_a_console_with_a_route_that_has_no_role_does_not_start(rig: Rig) -> None:
    async def anything(_: object) -> None: ...

    with pytest.raises(KeyError):
        rig.console._guarded(Route("/new", anything))


async def status(rig: Rig, method: str, path: str) -> int | None:
    """Return the status; None for a stream, which let us in."""
    try:
        async with asyncio.timeout(0.3 if path.startswith("/stream") else 30):
            answer = await rig.client.request(method, path, data={} if method == "POST" else None)
            return answer.status_code
    except TimeoutError:
        return None


def known_path(address: str) -> str:
    """Return the path of the table whose address it is."""
    return next(
        p for _, p in LEAST if p.replace("{report}", "showback").replace("{id}", "a-globex") == address
    )


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_lets_in_whom_the_table_names_and_refuses_the_others(rig: Rig, role: Role) -> None:
    for method, path in addresses(rig.console):
        rig.log_in_as(role)
        rig.readers.store.asked.clear()
        least = LEAST[method, known_path(path)]
        if least == OPEN or path.startswith(("/api/", "/metrics/")):
            continue
        answer = await status(rig, method, path)
        if ROLES.index(role) >= ROLES.index(least):
            assert answer not in (302, 401), (role, method, path, answer)
            if answer == 403:  # let in, and then refused for another reason: no writer, or an unknown tenant
                assert path.endswith(("/actions", "/save", "/tenant"))
        else:
            assert answer == 403, (role, method, path)
            assert not rig.readers.store.asked


@pytest.mark.parametrize(("scopes", "role"), [(("read",), "viewer"), (("read", "admin"), "admin")])
async def test_a_key_may_do_what_its_scopes_said_before_there_were_roles(
    rig: Rig, scopes: Any, role: Role
) -> None:
    cookie = rig.console.login.sessions.open(
        rig.file.create("acme", scopes, rig.clock.now()), rig.clock.now()
    )
    assert cookie is not None
    session = rig.console.login.sessions.read(cookie, rig.clock.now())
    assert session is not None
    assert (session.role, session.tenant, session.teams, session.person) == (role, "acme", (), False)
    assert session.may("editor") is ("admin" in scopes)


async def test_a_viewer_of_a_team_gets_no_page_that_is_about_the_whole_tenant(rig: Rig) -> None:
    for method, path in addresses(rig.console):
        route = known_path(path)
        if LEAST[method, route] == OPEN or (method, route) in OF_TEAMS:
            continue
        rig.log_in_as("viewer", "acme", team=True)
        answer = await status(rig, method, path)
        assert answer == (401 if path.startswith(("/api/", "/metrics/")) else 403), (method, path)
    assert not rig.readers.store.asked


async def test_a_cookie_of_a_person_opens_no_route_of_programs(rig: Rig) -> None:
    rig.log_in_as("admin")
    for path in ("/api/v1/reports/showback", "/metrics/money"):
        assert (await rig.client.get(path)).status_code == 401
    assert not rig.readers.store.asked


async def test_a_person_switches_between_tenants_of_their_own_only(rig: Rig) -> None:
    both = {"sub": "u", "groups": ["acme viewer", "globex admin"]}
    cookie = rig.console.login.sessions.open_person(both, rig.clock.now())
    assert cookie is not None
    rig.client.cookies.set("outlay", cookie)
    assert (await rig.client.post("/tenant", data={"tenant": "initech"})).status_code == 403
    assert (await rig.client.post("/tenant", data={"tenant": "globex"})).status_code == 303
    written = next(one.value for one in rig.client.cookies.jar if one.name == "outlay" and one.domain)
    session = rig.console.login.sessions.read(str(written), rig.clock.now())
    assert session is not None
    assert (session.tenant, session.role, session.tenants) == ("globex", "admin", ("acme", "globex"))
    rig.clock.advance(3600)
    assert rig.console.login.sessions.read(str(written), rig.clock.now()) is None, (
        "a switch does not lengthen it"
    )
    await one_tenant(rig)


async def one_tenant(rig: Rig) -> httpx.Response:
    """A key has one tenant: it cannot switch."""
    rig.client.cookies.clear()
    answer = await rig.client.post("/login", data={"key": rig.keys["acme"]})
    assert answer.status_code == 303
    answer = await rig.client.post("/tenant", data={"tenant": "globex"})
    assert answer.status_code == 403
    return answer


def test_a_grant_that_is_taken_away_ends_the_session(rig: Rig) -> None:
    from outlay_console.sessions import Sessions

    cookie = rig.console.login.sessions.open_person({"sub": "u", "groups": ["acme admin"]}, rig.clock.now())
    assert cookie is not None
    less = Sessions(rig.ring, b"s" * 32, hours=1, grants=[one for one in GRANTS if one.tenant != "acme"])
    assert less.read(cookie, rig.clock.now()) is None


@pytest.mark.parametrize(
    ("claims", "met"),
    [
        ({"groups": ["finops", "x"]}, [("groups", "finops")]),
        ({"groups": "finops"}, [("groups", "finops")]),
        ({"groups": "finops-admins"}, []),
        ({"groups": {"finops": True}}, []),
        ({"groups": None}, []),
        ({"realm_access": {"roles": ["costs"]}}, [("realm_access.roles", "costs")]),
        ({"realm_access": ["costs"]}, []),
        ({"email": "kim@acme.com", "email_verified": True}, [("email", "kim@acme.com")]),
        ({"email": "kim@acme.com", "email_verified": "true"}, []),
        ({"email": "kim@acme.com"}, []),
        ({"hd": "acme.com"}, [("hd", "acme.com")]),
    ],
)
def test_what_a_person_has_is_read_from_claims_that_can_be_believed(
    claims: dict[str, object], met: list[tuple[str, str]]
) -> None:
    conditions = (
        ("groups", "finops"), ("realm_access.roles", "costs"), ("email", "kim@acme.com"), ("hd", "acme.com")
    )  # fmt: skip
    grants = [Grant(claim=claim, value=value, tenant="acme") for claim, value in conditions]
    assert held(grants, claims) == met


def test_the_most_that_a_person_was_granted_holds_and_a_team_only_narrows_what_has_nothing_else() -> None:
    grants = [
        Grant(value="a", tenant="acme", role="viewer", team="growth"),
        Grant(value="b", tenant="acme", role="viewer", team="core"),
        Grant(value="c", tenant="acme", role="editor"),
        Grant(value="d", tenant="acme", role="viewer"),
        Grant(value="a", tenant="globex", role="admin"),
    ]

    def of(*values: str) -> dict[str, Membership]:
        return memberships(grants, [("groups", value) for value in values])

    assert of("a") == {"acme": Membership("viewer", ("growth",)), "globex": Membership("admin")}
    assert of("a", "b")["acme"] == Membership("viewer", ("core", "growth"))
    assert of("a", "c", "d")["acme"] == Membership("editor")
    assert of("z") == {}


def test_a_grant_for_a_team_views_only() -> None:
    with pytest.raises(ValidationError, match="viewer"):
        Grant(value="a", tenant="acme", role="admin", team="growth")


@pytest.mark.parametrize(
    "changed",
    [{"client_id": ""}, {"console_url": ""}, {"grants": ()}, {"issuer": "http://idp.example.com"},
     {"console_url": "http://outlay.example.com"}],
)  # fmt: skip
def test_settings_that_would_not_log_anyone_in_safely_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OidcSettings(**{**SETTINGS.model_dump(), **changed})
    assert not OidcSettings().issuer, "off by default"
