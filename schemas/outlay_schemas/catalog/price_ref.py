"""The price reference on every cost event, `book@version#rule+terms~guess`, and what its guesses mean.
`genai-prices@0.2.3#anthropic/claude-sonnet-4-5` is the plain case. `+id` names each negotiated term that applied,
`~word` each thing that was assumed rather than known. An event without a price says why: `…#!model_unknown`."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

CERTAIN = {
    "fallback": "the provider offers this model at the price of the model's maker",
    "name-prefix": "the first part of the name is the provider",
    "name-vendor": "the name begins with the model's maker",
    "name-arn": "the name is the ARN of a model",
    "name-path": "the name is the path of a model",
    "name-dots": "dots and dashes in the version mean the same",
    "cache_write_total": "cache_write_tokens is the sum of its 5 minute and 1 hour parts",
    "lease": "the event states no lease: the standard one, for which the price is published, is used",
    "drift": "the reported cost is further from the computed one than the policy allows",
}
"""Notes on how the price was found. They cannot make it another price."""
GUESSES = {
    "provider": "the event does not name the provider: it was read from the model's name",
    "provider-like": "the provider's name only resembles a known one",
    "other-provider": "the provider does not list this model: the price is that of the provider in the model's name",
    "name-like": "the model's name only begins like, or contains, a known one",
    "name-region": "a region prefix was left out of the name",
    "name-version": "a version suffix was left out of the name",
    "name-date": "a date suffix was left out of the name",
    "name-alias": "a suffix such as -latest was left out of the name",
    "name-route": "a routing suffix was left out of the name",
    "name-fine_tune": "a fine-tuned model was priced as its base model",
    "modality-split": "how many cached tokens are audio is not stated: the fewest possible, at the highest cost, count",
    "modality-rest": "the tokens by modality do not add up to their total: the rest is priced as text",
    "unread_usage": "the response counts something that is not read: its attribute unread_usage names it",
    "usage_estimated": "the producer estimated a part of the usage: its attribute usage_estimated names it",
    "position": "earlier use in the period is not known: tiers and free units start at this event",
}
"""Guesses: the provider may charge another price, so a cost that rests on one is `estimated`.

Every word that is in neither table is a guess too: `region` (the price is for one, and the event states none), or
`service_tier=scale` (a value that has no price of its own)."""


MARKS = frozenset({"unread_usage", "usage_estimated"})
"""Attributes of an event by which whoever read the usage says that it is not sure. Their names are guesses."""


@lru_cache(maxsize=4096)
def are_guesses(words: tuple[str, ...]) -> bool:
    """Return whether a price with these words is a guess: one of them could make it another price."""
    return any(word not in CERTAIN for word in words)


def sentences(words: Iterable[str]) -> list[str]:
    """Say each word in a sentence for people."""
    return [_sentence(word) for word in words]


def _sentence(word: str) -> str:
    known = CERTAIN.get(word) or GUESSES.get(word)
    if known:
        return known
    key, equals, value = word.partition("=")
    if equals:
        return f"no price is known for {key} {value}: the standard price is used"
    return f"the event does not state its {key}: the one that the published price is for is assumed"


_ESCAPES = str.maketrans({char: f"%{ord(char):02X}" for char in "%~+#@!"})


@dataclass(frozen=True, slots=True)
class PriceRef:
    """A price reference, taken apart."""

    book: str
    version: str
    rule: str = ""
    """Empty where the event has no price."""
    reason: str = ""
    """Code of docs/errors.md for an event without a price."""
    terms: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{_escape(self.book)}@{_escape(self.version)}#"
        tail = f"!{_escape(self.reason)}" if self.reason else _escape(self.rule)
        more = "".join(f"+{_escape(term)}" for term in self.terms)
        return head + tail + more + "".join(f"~{_escape(guess)}" for guess in self.guesses)


@lru_cache(maxsize=4096)
def parse_price_ref(text: str) -> PriceRef:
    """Take a price reference apart. Raises ValueError if it is not one."""
    head, mark, tail = text.partition("#")
    book, at, version = head.partition("@")
    if not (mark and at and book and tail):
        raise ValueError(f"{text!r} is not a price reference: expected book@version#rule")
    tail, *guesses = tail.split("~")
    tail, *terms = tail.split("+")
    reason = tail[1:] if tail.startswith("!") else ""
    return PriceRef(
        book=unquote(book),
        version=unquote(version),
        rule="" if reason else unquote(tail),
        reason=unquote(reason),
        terms=tuple(map(unquote, terms)),
        guesses=tuple(map(unquote, guesses)),
    )


def _escape(text: str) -> str:
    return text.translate(_ESCAPES)
