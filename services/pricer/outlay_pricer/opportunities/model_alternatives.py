"""Which models could stand in for a model: newer ones of its kind, and the next smaller one of its family."""

import re
from collections.abc import Iterable

_LADDERS = (("opus", "sonnet", "haiku"), ("pro", "flash", "flash-lite"), ("", "mini", "nano"))
_NUMBER = re.compile(r"(?<![a-z0-9])\d{1,2}(?:[.-]\d{1,2})?(?![\d])")
_KINDS = (
    "audio", "image", "tts", "live", "search", "transcribe", "realtime", "embedding", "preview", "codex", "latest",
    "-ft", "ft:", "cyber",
)  # fmt: skip
"""Words in the names of models that are not general ones."""


def newer(model: str, known: Iterable[str]) -> list[str]:
    """Return models of the same name with a later version: claude-opus-4-5 for claude-opus-4-1. The nearest first."""
    stem, version = _split(model)
    found = [(_split(name)[1], name) for name in known if _split(name)[0] == stem and _plain(name)]
    return [name for later, name in sorted(found) if version and later > version]


def smaller(model: str, known: Iterable[str]) -> list[str]:
    """Return the next smaller models of the family and major version, the newest first."""
    stem, version = _split(model)
    rung = next(
        ((ladder, n) for ladder in _LADDERS for n, word in enumerate(ladder) if _has(stem, word, ladder)),
        None,
    )
    if rung is None or not version or not _plain(model):
        return []
    ladder, place = rung
    if place + 1 == len(ladder):
        return []
    wanted = _swapped(stem, ladder[place], ladder[place + 1])
    found = [
        (_split(name)[1], name)
        for name in known
        if _split(name)[0] == wanted and _split(name)[1][:1] == version[:1] and _plain(name)
    ]
    return [name for _, name in sorted(found, reverse=True)]


def _split(model: str) -> tuple[str, tuple[int, ...]]:
    """Return a name without its version, and the version: claude-opus-4-1 is (claude-opus-#, (4, 1))."""
    match = _NUMBER.search(model.lower())
    if match is None:
        return model.lower(), ()
    numbers = tuple(int(part) for part in re.split(r"[.-]", match[0]))
    return f"{model.lower()[: match.start()]}#{model.lower()[match.end() :]}", numbers


def _plain(model: str) -> bool:
    return not any(kind in model.lower() for kind in _KINDS)


def _has(stem: str, word: str, ladder: tuple[str, ...]) -> bool:
    if word:
        return re.search(rf"(^|[-#]){word}($|[-#])", stem) is not None and not (
            word == "flash" and "flash-lite" in stem
        )
    return (
        stem.endswith("#") and stem.startswith("gpt") and not any(other in stem for other in ladder if other)
    )


def _swapped(stem: str, word: str, other: str) -> str:
    return re.sub(rf"(^|[-#]){word}($|[-#])", rf"\g<1>{other}\g<2>", stem) if word else f"{stem}-{other}"
