"""Model names as they come: prefixes of clouds and gateways, versions, dates, fine-tunes.

Only asked after the price data's own rules have found nothing. Each step that was needed is a guess and is named in
`price_ref`; a name that still matches nothing stays unknown.
"""

import re
from collections.abc import Callable, Iterator

Step = tuple[str, Callable[[str], str]]

_ARN = re.compile(r"^arn:aws[a-z-]*:(?:bedrock|sagemaker):[^:]*:[^:]*:(?:[a-z-]+)/(.+)$")
_REGION = re.compile(r"^(?:us-gov|us|eu|apac|ap|jp|au|ca|sa|me|af|global)\.(?=[a-z0-9-]+\.)")
_BEDROCK_VERSION = re.compile(r"(?:-v\d+)?:\d+(?::\d+k|:mm)?$")
_VENDOR = re.compile(
    r"^(?:anthropic|meta|amazon|mistral|cohere|ai21|deepseek|openai|qwen|google|minimax|moonshot)\."
)
_VERTEX = re.compile(r"@(?:\d{3,8}|default|latest)$")
_VERTEX_PATH = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/(.+)$")
_FINE_TUNE = re.compile(r"^ft:([^:]+)(?::.*)?$")
_ROUTE = re.compile(r":(?:nitro|floor|online|thinking|beta|extended|exacto)$")
_DATE = re.compile(r"-(?:20\d{2}-?[01]\d-?[0-3]\d|[01]\d-20\d{2}|[01]\d[0-3]\d|[01]\d-[0-3]\d)$")
_ALIAS = re.compile(r"-(?:latest|preview|default|stable)$")
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
_DASHED = re.compile(r"(?<=-\d)-(?=\d(?:-|$))")

_STEPS: tuple[Step, ...] = (
    ("name-arn", lambda ref: _ARN.sub(r"\1", ref)),
    ("name-path", lambda ref: _VERTEX_PATH.sub(r"\1", ref)),
    ("name-region", lambda ref: _REGION.sub("", ref)),
    ("name-fine_tune", lambda ref: _FINE_TUNE.sub(r"\1", ref)),
    ("name-route", lambda ref: _ROUTE.sub("", ref)),
    ("name-version", lambda ref: _BEDROCK_VERSION.sub("", ref)),
    ("name-version", lambda ref: _VERTEX.sub("", ref)),
    ("name-vendor", lambda ref: _VENDOR.sub("", ref)),
    ("name-date", lambda ref: _DATE.sub("", ref)),
    ("name-alias", lambda ref: _ALIAS.sub("", ref)),
)
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda ref: _DOTTED.sub("-", ref),
    lambda ref: _DASHED.sub(".", ref),
)


def candidates(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield other names that `name` may stand for, nearest first, with the steps that led there."""
    seen = {name.lower()}
    ref = name.lower()
    steps: tuple[str, ...] = ()
    for guess, step in ((None, str.lower), *_STEPS):
        shorter = step(ref)
        if guess is not None and shorter == ref:
            continue
        ref = shorter
        if guess is not None and guess not in steps:
            steps = (*steps, guess)
        for spelling in (ref, *(respell(ref) for respell in _SPELLINGS)):
            if spelling not in seen:
                seen.add(spelling)
                yield spelling, steps if spelling == ref else (*steps, "name-dots")


def split_prefix(name: str) -> tuple[str, str] | None:
    """Take off the first part of `openrouter/anthropic/claude…` or `bedrock/…`; None if it has none."""
    prefix, slash, rest = name.partition("/")
    return (prefix.lower(), rest) if slash and prefix and rest else None
