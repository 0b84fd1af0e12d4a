"""Login through an identity provider: a real server, real tokens, and the attacks on it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from structlog.testing import capture_logs
from tests.support.console_routes import NOW, Rig
from tests.support.oidc_provider import CLIENT, SECRET, Provider, provider

from outlay_console.domain.roles import Grant
from outlay_console.settings import OidcSettings

AT = int(NOW.timestamp())
GRANTS = (
    Grant(value="finops", tenant="acme", role="approver"),
    Grant(value="finops", tenant="globex", role="viewer"),
    Grant(claim="email", value="lee@acme.com", tenant="acme", role="viewer", team="growth"),
)
ONES_OWN = {"sec-fetch-site": "same-origin"}
FROM_PROVIDER = {"sec-fetch-site": "cross-site"}


@pytest.fixture(scope="module")
def keys() -> list[RSAKey]:
    return [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]


@pytest.fixture
def idp(keys: list[RSAKey]) -> Iterator[Provider]:
    with provider(AT) as served:
        served.keys = [*keys]
        yield served


@pytest.fixture
def rig(idp: Provider, tmp_path: Path) -> Iterator[Rig]:
    settings = OidcSettings(
        issuer=idp.issuer, client_id=CLIENT, client_secret=SECRET, console_url="http://localhost:8088",  # type: ignore[arg-type]
        grants=GRANTS, name="Example SSO",
    )  # fmt: skip
    with capture_logs() as logs:
        yield Rig(tmp_path, oidc=settings)
    assert SECRET not in str(logs)


async def begin(rig: Rig, where: str = "/") -> str:
    """Press the button; return the provider's address."""
    answer = await rig.client.get("/login/oidc", params={"next": where})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def at_provider(url: str) -> str:
    """Log in at the provider; return the path and query to which it sends the browser."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(url)
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}" == "http://localhost:8088"
    return f"{back.path}?{back.query}"


async def come_back(rig: Rig, path: str) -> httpx.Response:
    return await rig.client.get(path, headers=FROM_PROVIDER)


async def log_in(rig: Rig, where: str = "/") -> httpx.Response:
    return await come_back(rig, await at_provider(await begin(rig, where)))


def logged_in(rig: Rig) -> bool:
    return any(cookie.name == "outlay" and cookie.value for cookie in rig.client.cookies.jar)


async def refused(rig: Rig, status: int = 401) -> str:
    answer = await log_in(rig)
    assert answer.status_code == status, answer.text
    assert not logged_in(rig)
    assert (await rig.client.get("/")).status_code == 303
    return answer.text


async def test_a_person_logs_in_sees_their_tenant_and_logs_out(rig: Rig, idp: Provider) -> None:
    page = (await rig.client.get("/login?next=/budgets")).text
    assert "Log in with Example SSO" in page
    assert 'name="key"' in page, "a key still opens it"
    url = await begin(rig, "/explore?by=sku")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert asked["code_challenge_method"] == "S256"
    assert {"openid", "profile", "email"} == set(asked["scope"].split())
    assert asked["redirect_uri"] == "http://localhost:8088/login/oidc/callback"
    assert len(asked["state"]) >= 40 <= len(asked["nonce"])
    answer = await come_back(rig, await at_provider(url))
    assert answer.status_code == 200
    assert 'url=/explore?by=sku"' in answer.text
    written = [v for k, v in answer.headers.multi_items() if k == "set-cookie" and v.startswith("outlay=")]
    assert all(part in written[0] for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    (cookie,) = (one.value for one in rig.client.cookies.jar if one.name == "outlay")
    session = rig.console.login.sessions.read(str(cookie), NOW)
    assert session is not None
    assert (session.tenant, session.role, session.who) == ("acme", "approver", "Kim")
    assert session.actor == "Kim (u-1)"
    assert session.tenants == ("acme", "globex")
    out = await rig.client.post("/logout")
    assert out.headers["location"] == "/login?ended=1"
    assert not logged_in(rig)
    assert f"{idp.issuer}/logout?client_id=outlay" in (await rig.client.get("/login?ended=1")).text


async def test_a_session_of_a_person_ends_by_itself(rig: Rig) -> None:
    await log_in(rig)
    assert (await rig.client.get("/login")).status_code == 200
    (cookie,) = (one.value for one in rig.client.cookies.jar if one.name == "outlay")
    rig.clock.advance(3600)
    assert rig.console.login.sessions.read(str(cookie), rig.clock.now()) is None


async def test_who_has_no_grant_reads_so_and_sees_nothing(rig: Rig, idp: Provider) -> None:
    idp.person = {"sub": "u-2", "groups": ["sales"], "email": "lee@acme.com", "email_verified": False}
    assert "no access to Outlay yet" in await refused(rig, 403)
    assert not rig.readers.store.asked


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.com"}, {"aud": "another-client"}, {"aud": ["another-client"]},
        {"aud": ["outlay", "another"], "azp": "another"}, {"nonce": "another"}, {"exp": AT - 61}, {"exp": "soon"},
        {"nbf": AT + 61}, {"iat": AT + 61}, {"at_hash": "AAAA"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_token_that_is_not_for_this_login_is_refused(
    rig: Rig, idp: Provider, claims: dict[str, Any]
) -> None:
    idp.claims = claims
    await refused(rig)
    assert idp.tokens == 1, "it was the token that was refused"


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp", "iat", "nonce"])
async def test_a_token_that_lacks_a_claim_is_refused(rig: Rig, idp: Provider, claim: str) -> None:
    idp.dropped = {claim}
    await refused(rig)
    assert idp.tokens == 1


@pytest.mark.parametrize("claims", [{"exp": AT - 30}, {"nbf": AT + 30, "iat": AT + 30}], ids=str)
async def test_clocks_may_differ_a_little(rig: Rig, idp: Provider, claims: dict[str, Any]) -> None:
    idp.claims = claims
    assert (await log_in(rig)).status_code == 200


Sign = Callable[[Provider], Callable[[dict[str, Any]], str]]


@pytest.mark.parametrize(
    "sign",
    [
        lambda idp: idp.unsigned,
        lambda idp: idp.signed_with_the_public_key,
        lambda idp: idp.signed_with_an_unknown_key,
        lambda idp: lambda claims: idp.signed_with_an_unknown_key(claims, "unknown"),
        lambda idp: lambda claims: idp._sign(claims)[:-8] + "AAAAAAAA",
        lambda idp: lambda claims: idp.unsigned(claims) + idp._sign(claims).split(".")[2],
        lambda idp: lambda claims: "not.a.token",
        lambda idp: lambda claims: "",
    ],
    ids=[
        "none",
        "hmac",
        "other-key-same-id",
        "other-key",
        "signature",
        "none-with-signature",
        "text",
        "empty",
    ],
)
async def test_a_token_that_the_provider_did_not_sign_is_refused(rig: Rig, idp: Provider, sign: Sign) -> None:
    idp.sign = sign(idp)
    await refused(rig)
    assert idp.tokens == 1


async def test_new_keys_of_the_provider_are_read_but_not_at_every_forged_token(
    rig: Rig, idp: Provider
) -> None:
    assert (await log_in(rig)).status_code == 200
    idp.rotate()
    assert (await log_in(rig)).status_code == 401, "keys were read a moment ago"
    rig.clock.advance(31)
    assert (await log_in(rig)).status_code == 200
    reads, idp.sign = idp.jwks_reads, lambda claims: idp.signed_with_an_unknown_key(claims, "unknown")
    for _ in range(3):
        await log_in(rig)
    assert idp.jwks_reads == reads


async def test_the_answer_to_another_browsers_login_is_refused(rig: Rig, idp: Provider) -> None:
    """An attacker who is logged in at the provider sends a victim the link that logs in as the attacker."""
    stolen = await at_provider(await begin(rig))
    rig.client.cookies.clear()
    answer = await come_back(rig, stolen)
    assert answer.status_code == 401, "a browser that began no login"
    await begin(rig)
    assert (await come_back(rig, stolen)).status_code == 401, "a browser that began another"
    assert not logged_in(rig)
    assert idp.tokens == 0, "the code was not even exchanged"


async def test_an_answer_counts_once_and_not_for_ever(rig: Rig, idp: Provider) -> None:
    path = await at_provider(await begin(rig))
    kept = dict(rig.client.cookies)
    assert (await come_back(rig, path)).status_code == 200
    rig.client.cookies.clear()
    assert (await come_back(rig, path)).status_code == 401
    rig.client.cookies.update(kept)
    assert (await come_back(rig, path)).status_code == 401, "the provider takes a code once"
    path = await at_provider(await begin(rig))
    rig.clock.advance(601)
    assert (await come_back(rig, path)).status_code == 401, "it took too long"
    assert idp.tokens == 1


async def test_a_code_is_worth_nothing_without_the_verifier(rig: Rig, idp: Provider) -> None:
    url = await begin(rig)
    first = parse_qs(urlsplit(await at_provider(url)).query)
    other = parse_qs(urlsplit(await begin(rig)).query)["state"][0]
    mixed = urlencode({"code": first["code"][0], "state": other})
    assert (await come_back(rig, f"/login/oidc/callback?{mixed}")).status_code == 401
    assert idp.tokens == 0


@pytest.mark.parametrize("cookie", ["", "x", "7b7d.AAAA", "session"])
async def test_a_forged_cookie_begins_no_login(rig: Rig, cookie: str) -> None:
    path = await at_provider(await begin(rig))
    if cookie == "session":  # a session's cookie is signed with the same secret
        cookie = str(rig.console.login.sessions.open(rig.keys["acme"], NOW))
    rig.client.cookies.clear()
    rig.client.cookies.set("outlay-login", cookie)
    assert (await come_back(rig, path)).status_code == 401


@pytest.mark.parametrize(
    "where", ["//evil.example.com", "https://evil.example.com/", "/\\evil", "javascript:alert(1)", "/login"]
)
async def test_after_the_login_one_stays_here(rig: Rig, where: str) -> None:
    answer = await log_in(rig, where)
    assert answer.status_code == 200
    assert 'url=/"' in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "changed",
    [{"issuer": "https://evil.example.com"}, {"token_endpoint": "ftp://x"}, {"jwks_uri": ""}, {"token_endpoint": None}],
    ids=str,
)  # fmt: skip
async def test_metadata_that_is_not_the_providers_is_refused(
    rig: Rig, idp: Provider, changed: dict[str, Any]
) -> None:
    idp.metadata = changed
    answer = await rig.client.get("/login/oidc")
    assert answer.status_code == 503
    assert "set-cookie" not in answer.headers or "outlay-login=" in answer.headers["set-cookie"]


async def test_an_answer_that_names_another_provider_is_refused(rig: Rig, idp: Provider) -> None:
    path = await at_provider(await begin(rig))
    assert (await come_back(rig, f"{path}&iss=https%3A%2F%2Fevil")).status_code == 401
    assert idp.tokens == 0


async def test_a_provider_that_refuses_or_is_away_says_nothing_of_itself_on_the_page(
    rig: Rig, idp: Provider
) -> None:
    state = parse_qs(urlsplit(await begin(rig)).query)["state"][0]
    text = "<b>x</b>" * 40
    answer = await come_back(rig, f"/login/oidc/callback?{urlencode({'error': text, 'state': state})}")
    assert answer.status_code == 401
    assert "<b>x" not in answer.text
    idp.metadata = {"token_endpoint": "http://127.0.0.1:9/token"}
    rig.clock.advance(3601)
    assert "failed" in await refused(rig)


async def test_failed_logins_are_slowed_and_good_ones_are_not(idp: Provider, tmp_path: Path) -> None:
    settings = OidcSettings(
        issuer=idp.issuer, client_id=CLIENT, client_secret=SECRET, console_url="http://localhost:8088", grants=GRANTS  # type: ignore[arg-type]
    )  # fmt: skip
    rig = Rig(tmp_path, oidc=settings, burst=3)
    for _ in range(5):
        assert (await log_in(rig)).status_code == 200
    idp.claims = {"aud": "another"}
    with capture_logs():
        assert [(await log_in(rig)).status_code for _ in range(5)] == [401] * 3 + [429] * 2


async def test_without_a_provider_nothing_offers_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert "/login/oidc" not in (await rig.client.get("/login")).text
    for path in ("/login/oidc", "/login/oidc/callback?code=x&state=y"):
        assert (await rig.client.get(path)).headers["location"] == "/login"
