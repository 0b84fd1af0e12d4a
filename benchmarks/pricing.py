"""Prices model calls with Outlay and with genai-prices, side by side, in one run on one core.

    python benchmarks/pricing.py [--calls 200000] [--json]

The mix is meant to be realistic: 200 models of the ten best known providers, drawn by a Zipf law, with their own usages; one call in
a thousand names a model never seen before, so that look-ups that miss every cache are in the figure, and so is
everything that was remembered for the first time. Three things are measured:

- `genai_prices.calc_price`: the library;
- `quote`: the same work by the compiled rates (model and amounts, exact);
- `price`: from usage event to cost event, with names, terms, attribution, fingerprint and money as text.
"""

import argparse
import gc
import itertools
import json
import random
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import process_time

import genai_prices
from genai_prices.data import providers

from outlay.catalog import load_default
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.events import UsageEvent, encoder, usage_event_decoder

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MODELS = 200
POPULAR = {"openai", "anthropic", "google", "aws", "azure", "mistral", "deepseek", "x-ai", "groq", "openrouter"}
BLOCK = 500
NEW_NAME_EVERY = 1000
SHAPES: tuple[tuple[str, ...], ...] = (
    ("input_tokens", "output_tokens"),
    ("input_tokens", "cache_read_tokens", "output_tokens"),
    ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens"),
    ("input_tokens", "output_tokens", "output_reasoning_tokens"),
)


def calls(count: int, seed: int = 7) -> list[UsageEvent]:
    """Draw the calls."""
    draw = random.Random(seed)
    known = [(p.id, m.id) for p in providers if p.id in POPULAR for m in p.models if m.is_match(m.id)]
    models = draw.sample(known, MODELS)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(MODELS)))
    chosen = draw.choices(models, cum_weights=weights, k=count)
    return [_call(index, *model, draw) for index, model in enumerate(chosen)]


def _call(index: int, provider: str, sku: str, draw: random.Random) -> UsageEvent:
    total = draw.randint(100, 8000)
    amounts = {
        "input_tokens": total,
        "cache_read_tokens": total // 2,
        "cache_write_tokens": total // 4,
        "output_tokens": draw.randint(10, 900),
        "output_reasoning_tokens": 5,
    }
    new = index % NEW_NAME_EVERY == NEW_NAME_EVERY - 1
    return UsageEvent(
        id=f"call-{index}",
        source="benchmark/api",
        time=NOW,
        kind="llm",
        activity="inference",
        provider="openai" if new else provider,
        sku=f"gpt-4o-mini-{index}" if new else sku,
        usage={meter: amounts[meter] for meter in draw.choice(SHAPES)},
        tenant="acme",
        project="assistant",
        team="growth",
    )


def blocks(count: int) -> Iterator[list[UsageEvent]]:
    """Give the calls as a pricer gets them: a few hundred at a time, freshly decoded from a Kafka record."""
    lines = [encoder.encode(event) for event in calls(count)]
    for start in range(0, count, BLOCK):
        yield [usage_event_decoder.decode(line) for line in lines[start : start + BLOCK]]


def per_second(work: Callable[[list[UsageEvent]], object], count: int) -> float:
    """Run `work` over all calls once, from cold, and return calls per second of processor time."""
    seconds, gc_was_on = 0.0, gc.isenabled()
    for block in blocks(count):
        gc.disable()
        start = process_time()
        work(block)
        seconds += process_time() - start
        if gc_was_on:
            gc.enable()
    return count / seconds


def library(block: list[UsageEvent]) -> None:
    """Price calls with genai-prices."""
    for event in block:
        try:
            genai_prices.calc_price(
                genai_prices.Usage(**event.usage),
                event.sku,
                provider_id=event.provider,
                genai_request_timestamp=event.time,
            )
        except LookupError:
            continue


def quoting(catalog: CompiledCatalog) -> Callable[[list[UsageEvent]], None]:
    """Price calls by the compiled rates."""
    quote, find, context = catalog.rates.quote, catalog.lookup.find, dict[str, str]()

    def work(block: list[UsageEvent]) -> None:
        for event in block:
            quote(event.provider, event.sku, event.usage, event.time, context, find)

    return work


def pricing(catalog: CompiledCatalog) -> Callable[[list[UsageEvent]], None]:
    """Make cost events of usage events."""

    def work(block: list[UsageEvent]) -> None:
        for event in block:
            price(event, catalog)

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    content = load_default()
    figures = {
        "genai_prices_per_second": per_second(library, options.calls // 20),
        "quote_per_second": per_second(quoting(CompiledCatalog.from_catalog(content)), options.calls),
        "price_per_second": per_second(pricing(CompiledCatalog.from_catalog(content)), options.calls),
    }
    for name in ("quote", "price"):
        figures[f"{name}_times_genai_prices"] = (
            figures[f"{name}_per_second"] / figures["genai_prices_per_second"]
        )
    if options.json:
        print(json.dumps({"calls": options.calls, **figures}))
        return
    for name, value in figures.items():
        print(f"{name:32} {value:>14,.1f}")


if __name__ == "__main__":
    main()
