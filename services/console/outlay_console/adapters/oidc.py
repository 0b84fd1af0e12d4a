"""OpenID Connect: sends a person to the identity provider, and verifies what they bring back.

Authorization code flow with PKCE, state and nonce. Only the ID token is believed: signed by a key of the provider with
an algorithm of ours, for this client, for this attempt, and in time.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from outlay_console.login_attempt import ATTEMPT, Attempt, OidcError
from outlay_console.settings import OidcSettings
from outlay_kit.clock import Clock

ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""What may sign an ID token: no shared secret, and never `none`."""
_SECONDS = 10.0
"""How long one answer of the provider is waited for."""
_FRESH = 3600.0
"""Seconds for which metadata and keys are kept."""
_AGAIN = 30.0
"""Seconds before keys are asked for again because of an unknown one."""
_LARGEST = 1_000_000
"""Bytes of the provider's metadata or keys."""


@dataclass(frozen=True, slots=True)
class _Provider:
    metadata: Mapping[str, str]
    keys: KeySet
    read_at: float


class OidcClient:
    """The client of one identity provider."""

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._known: _Provider | None = None
        self._lock = asyncio.Lock()

    async def begin(self, where: str) -> tuple[str, Attempt]:
        """Return the provider's address for a new login, and what to keep until it comes back. Raises OidcError."""
        metadata = (await self._provider(_FRESH)).metadata
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, where, self._clock.now() + ATTEMPT)
        client = self._client()
        url, _ = client.create_authorization_url(
            metadata["authorization_endpoint"],
            state=attempt.state,
            nonce=attempt.nonce,
            code_verifier=attempt.verifier,
        )
        return str(url), attempt

    async def finish(self, attempt: Attempt, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the claims of the person who came back with `params`. Raises OidcError."""
        if not secrets.compare_digest(params.get("state", "").encode(), attempt.state.encode()):
            raise OidcError("the state is not that of this browser's login")
        if params.get("iss", self._settings.issuer) != self._settings.issuer:
            raise OidcError("the answer is another provider's")
        if "code" not in params:
            raise OidcError(f"the provider refused: {params.get('error', 'no code')[:100]!r}")
        metadata = (await self._provider(_FRESH)).metadata
        try:
            async with self._client() as client:
                token = await client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=params["code"],
                    code_verifier=attempt.verifier,
                )
        except (httpx2.HTTPError, AuthlibBaseError, ValueError) as error:
            raise OidcError(f"the provider gave no token: {error}") from error
        return await self._claims(token, attempt.nonce)

    async def logout_url(self) -> str:
        """Return where the person's session at the provider ends; empty if it offers none or is away."""
        try:
            end = (await self._provider(_FRESH)).metadata.get("end_session_endpoint", "")
        except OidcError:
            return ""
        back = {
            "client_id": self._settings.client_id,
            "post_logout_redirect_uri": self._settings.console_url.rstrip("/") + "/login",
        }
        return f"{end}{'&' if '?' in end else '?'}{urlencode(back)}" if end else ""

    def _client(self) -> Any:
        secret = self._settings.client_secret.get_secret_value()
        return AsyncOAuth2Client(
            self._settings.client_id,
            secret or None,
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            scope=self._settings.scopes,
            redirect_uri=self._settings.callback,
            code_challenge_method="S256",
            timeout=_SECONDS,
            follow_redirects=False,
        )

    async def _claims(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        text = token.get("id_token")
        if not isinstance(text, str):
            raise OidcError("the answer has no ID token; the scopes must include openid")
        try:
            try:
                read = jwt.decode(text, (await self._provider(_FRESH)).keys, list(ALGORITHMS))
            except InvalidKeyIdError:  # the provider may have new keys
                read = jwt.decode(text, (await self._provider(_AGAIN)).keys, list(ALGORITHMS))
            now, leeway = int(self._clock.now().timestamp()), self._settings.leeway_seconds
            jwt.JWTClaimsRegistry(
                now,
                leeway,
                iss={"essential": True, "value": self._settings.issuer},
                aud={"essential": True, "value": self._settings.client_id},
                sub={"essential": True},
                exp={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(read.claims)
            params = {"client_id": self._settings.client_id, "nonce": nonce}
            if "access_token" in token:
                params["access_token"] = token["access_token"]
            CodeIDToken(read.claims, read.header, None, params).validate(now, leeway)
        except (JoseError, ValueError) as error:
            raise OidcError(f"the ID token is not valid: {error}") from error
        return read.claims

    async def _provider(self, fresh: float) -> _Provider:
        """Return metadata and keys, at most `fresh` seconds old. Raises OidcError."""
        async with self._lock:
            now = self._clock.monotonic()
            if self._known is None or now - self._known.read_at >= fresh:
                metadata = await self._metadata()
                keys = await self._get(metadata["jwks_uri"])
                try:
                    self._known = _Provider(metadata, KeySet.import_key_set(keys), now)  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise OidcError(f"the keys of the provider cannot be read: {error}") from error
            return self._known

    async def _metadata(self) -> Mapping[str, str]:
        issuer = self._settings.issuer
        found = await self._get(get_well_known_url(issuer, external=True))
        metadata = {name: value for name, value in found.items() if isinstance(value, str)}
        if metadata.get("issuer") != issuer:
            raise OidcError(f"the provider calls itself {metadata.get('issuer')!r}, not {issuer!r}")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"):
            if name == "end_session_endpoint" and name not in metadata:
                continue
            if urlsplit(metadata.get(name, "")).scheme not in {"https", urlsplit(issuer).scheme}:
                raise OidcError(f"the provider's {name} is not an https address")
        return metadata

    async def _get(self, url: str) -> dict[str, Any]:
        try:
            async with httpx2.AsyncClient(timeout=_SECONDS) as client:
                answer = await client.get(url)
            answer.raise_for_status()
            if len(answer.content) > _LARGEST:
                raise OidcError(f"{url} answers with more than {_LARGEST} bytes")
            found = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise OidcError(f"{url} cannot be read: {error!r}") from error
        if not isinstance(found, dict):
            raise OidcError(f"{url} is not a JSON object")
        return found
