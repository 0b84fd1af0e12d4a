"""Usage events with values at the edges of the grammar: numbers, times, text."""

import json
from typing import Any

from hypothesis import strategies as st

_digits = st.text("0123456789", min_size=1, max_size=18)
_numbers = st.one_of(
    st.integers(0, 10**16).map(str),
    st.builds(lambda a, b: f"{int(a)}.{b}", _digits, _digits),
    st.builds(lambda a, e: f"{int(a)}e{e}", _digits, st.integers(-30, 30)),
    st.sampled_from(
        ["0e9999", "0e-9999", "1e999999999", "-0", "-1", "0.000000001", "1e15", "1E+15", "9" * 400]
    ),
)
_times = st.one_of(
    st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
    st.sampled_from(
        [
            "2026-11-24T11:00:00+05:00Z",
            "2026-11-24T11:00:00.1234567891Z",
            "2026-11-24T11:00:00-23:59",
            "1999-12-31T23:59:59.9999999Z",
            "2026-11-24t11:00:00z",
            "2026-11-24T11:00:00",
            "9999-12-31T23:59:59-01:00",
        ]
    ),
)
_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@st.composite
def odd_events(draw: st.DrawFn) -> bytes:
    """Write a usage event as JSON; its numbers stand as they were drawn, which no float could hold."""
    usage = draw(st.dictionaries(st.sampled_from(["gb", "input_tokens", "crates"]), _numbers, min_size=1))
    quoted = draw(st.booleans())
    meters = ",".join(f'"{k}":"{v}"' if quoted else f'"{k}":{v}' for k, v in usage.items())
    event: dict[str, Any] = {
        "id": draw(_text), "source": draw(_text), "time": draw(_times), "tenant": draw(_text),
        "kind": draw(st.sampled_from(["storage", "llm"])), "sku": draw(st.sampled_from(["box", "plain"])),
        "provider": "acme", "user": draw(_text), "tags": draw(st.dictionaries(_text, _text, max_size=3)),
    }  # fmt: skip
    billed = draw(st.one_of(st.none(), _numbers))
    more = "" if billed is None else f',"reported_cost":{billed}'
    return f'{json.dumps(event)[:-1]},"usage":{{{meters}}}{more}}}'.encode()
