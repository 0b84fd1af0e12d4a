"""Our price of every model is genai-prices' own, to the last 1e-12 USD; where it refuses, so do we, for its reason.

All providers and models of the installed release, over a grid of usages, times and contexts. The grid is made from the
release's own data (its units, its tier thresholds, its dates and hours), so that an update needs no new test.
"""

import warnings
from collections.abc import Callable

import pytest
from genai_prices.data import providers
from genai_prices.types import Provider
from tests.support.conformance import (
    agree,
    library_price,
    model_contexts,
    model_times,
    model_usages,
    our_price,
)
from tests.support.conformance import catalog as catalog  # noqa: PLC0414 (a fixture for the tests here)

from outlay_pricer.domain import CompiledCatalog


@pytest.mark.parametrize("provider", providers, ids=lambda provider: provider.id)
def test_every_price_is_the_librarys_own(
    provider: Provider, catalog: CompiledCatalog, record_property: Callable[[str, object], None]
) -> None:
    wrong: list[object] = []
    checked = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the library warns of usage it has no price for
        for model in provider.models:
            for at in model_times(model):
                for context in model_contexts(model):
                    for usage in model_usages(model):
                        theirs = library_price(usage, model, provider, at, context)
                        ours = our_price(usage, model, provider, at, context, catalog)
                        checked += 1
                        if not agree(theirs, ours):
                            wrong.append((model.id, at.isoformat(), context, usage, theirs, ours))
    record_property("compared", checked)
    assert not wrong, f"{len(wrong)} of {checked} differ, such as {wrong[:3]}"
