"""Where a price comes from, as one string on every cost event: `book@version#rule+terms~guess`.

`genai-prices@0.2.3#anthropic/claude-sonnet-4-5` is the plain case. `+id` names each negotiated term that applied,
`~word` each thing that was assumed rather than known. An event that has no price says why: `…#!model_unknown`.
"""

from dataclasses import dataclass
from functools import lru_cache

_ESCAPES = (("%", "%25"), ("~", "%7E"), ("+", "%2B"), ("#", "%23"), ("@", "%40"), ("!", "%21"))


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
        book=_plain(book),
        version=_plain(version),
        rule="" if reason else _plain(tail),
        reason=_plain(reason),
        terms=tuple(map(_plain, terms)),
        guesses=tuple(map(_plain, guesses)),
    )


def _escape(text: str) -> str:
    for char, code in _ESCAPES:
        text = text.replace(char, code)
    return text


def _plain(text: str) -> str:
    for char, code in reversed(_ESCAPES):
        text = text.replace(code, char)
    return text
