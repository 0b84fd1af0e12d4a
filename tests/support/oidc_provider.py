"""An identity provider: a real HTTP server that signs real ID tokens, and does wrong what a test tells it to."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from tests.support.http_server import Handler, serving

CLIENT, SECRET = "outlay", "s3cr3t-of-the-client"


class Provider:
    """Logs `person` in at once. The next tokens have the usual claims, those of `person`, and `claims` over them."""

    def __init__(self, server: ThreadingHTTPServer, now: int) -> None:
        self.issuer = f"http://127.0.0.1:{server.server_port}"
        self.now = now
        self.keys: list[RSAKey | ECKey] = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.person: dict[str, Any] = {"sub": "u-1", "name": "Kim", "groups": ["finops"]}
        self.claims: dict[str, Any] = {}
        self.dropped: set[str] = set()
        """Claims that the tokens lack."""
        self.metadata: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = self._sign
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens = 0
        self.jwks_reads = 0

    def rotate(self, key: RSAKey | ECKey | None = None) -> None:
        """Sign with another key from now on; publish both."""
        made = key or ECKey.generate_key("P-256", {"kid": f"key-{len(self.keys)}", "use": "sig"})
        self.keys.insert(0, made)

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the browser goes once the person has logged in."""
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Exchange a code, once, for who has the verifier and the client's secret."""
        asked = self.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if asked is None or authorization != f"Basic {basic}":
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != asked.get("code_challenge") or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        self.tokens += 1
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": self.now, "exp": self.now + 300, "nonce": asked["nonce"],
                  **self.person, **self.claims}  # fmt: skip
        token = self.sign({name: value for name, value in claims.items() if name not in self.dropped})
        return 200, {"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": token}

    def _sign(self, claims: dict[str, Any]) -> str:
        key = self.keys[0]
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, [algorithm])

    def unsigned(self, claims: dict[str, Any]) -> str:
        """Return a token with the algorithm `none`."""
        return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."

    def signed_with_the_public_key(self, claims: dict[str, Any]) -> str:
        """Return a token whose HMAC has the public key as its secret."""
        key = OctKey.import_key(self.keys[0].as_pem(private=False))
        return jwt.encode({"alg": "HS256", "kid": self.keys[0].kid}, claims, key, ["HS256"])

    def signed_with_an_unknown_key(self, claims: dict[str, Any], kid: str = "first") -> str:
        """Return a token of a key that the provider does not publish."""
        return jwt.encode({"alg": "RS256", "kid": kid}, claims, RSAKey.generate_key(2048), ["RS256"])

    def answer(self, path: str) -> dict[str, Any] | None:
        """Return what stands at a path."""
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
                    "end_session_endpoint": f"{self.issuer}/logout", **self.metadata}  # fmt: skip
        if path == "/keys":
            self.jwks_reads += 1
            return {"keys": [key.as_dict(private=False) for key in self.keys]}
        return None


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@contextmanager
def provider(now: int) -> Iterator[Provider]:
    """Serve on a free port of this machine. `now`: Unix seconds, the time of its tokens."""

    class Endpoints(Handler):
        def do_GET(self) -> None:  # noqa: N802
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.reply(302, {"location": known.authorize(asked)}, b"")
                return
            found = known.answer(parts.path)
            self._json(200 if found else 404, found or {})

        def do_POST(self) -> None:  # noqa: N802
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._json(*known.token(form, self.headers.get("authorization", "")))

        def _json(self, status: int, answer: dict[str, Any]) -> None:
            self.reply(status, {"content-type": "application/json"}, json.dumps(answer).encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoints)
    known = Provider(server, now)
    with serving(server):
        yield known
