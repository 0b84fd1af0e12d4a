"""The one hash of composite keys."""

import hashlib
from collections.abc import Iterable


def digest(parts: Iterable[str | bytes], *, width: int = 8) -> str:
    """Return 32 hex digits; each part is hashed after its length in `width` bytes: ("ab", "c") is not ("a", "bc")."""
    hashed = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        hashed.update(len(raw).to_bytes(width, "big"))
        hashed.update(raw)
    return hashed.hexdigest()[:32]
