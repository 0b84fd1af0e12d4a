"""Reads a trace of LLM calls: when each was made, and how many tokens went in and came out."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
BUNDLED = "azure_llm_code_2023.csv"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the trace. `at` is UTC."""

    at: datetime
    context_tokens: int
    generated_tokens: int


class TraceError(Exception):
    """The file is not a trace; the message names the line and the fix."""


def read_trace(path: Path | None) -> list[Call]:
    """Read a trace file, or the bundled one, sorted by time. Raises TraceError."""
    if path is None:
        text = resources.files("outlay.demo").joinpath("data", BUNDLED).read_text("utf-8")
        return parse_trace(text.splitlines(), BUNDLED)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return parse_trace(lines, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise TraceError(f"{path} cannot be read: {error}") from error


def parse_trace(lines: Iterable[str], name: str) -> list[Call]:
    """Parse CSV lines with the columns of the Azure LLM inference traces. Raises TraceError."""
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
    if missing:
        raise TraceError(f"{name}: no column {', '.join(missing)}; a trace has {', '.join(COLUMNS)}")
    calls = []
    for row in reader:
        try:
            # The trace has seven digits of a second, 100 ns; a datetime holds six.
            at = datetime.fromisoformat(row["TIMESTAMP"].strip()[:26])
            calls.append(Call(_utc(at), int(row["ContextTokens"]), int(row["GeneratedTokens"])))
        except (TypeError, ValueError, AttributeError) as error:
            raise TraceError(
                f"{name}, line {reader.line_num}: {error};"
                " a line looks like 2023-11-16 18:17:03.9799600,4808,10"
            ) from error
        if min(calls[-1].context_tokens, calls[-1].generated_tokens) < 0:
            raise TraceError(f"{name}, line {reader.line_num}: a number of tokens is negative")
    if not calls:
        raise TraceError(f"{name} holds no call")
    return sorted(calls, key=lambda call: call.at)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
