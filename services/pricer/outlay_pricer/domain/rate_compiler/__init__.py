"""Compiles the genai-prices data of a catalog into integer arithmetic, one function for each usage structure.

The data says what a provider charges for a model in words: match rules, dated prices, price variants, tiers, and units
that contain each other. Pricing a call must take microseconds, so each step is done once and remembered:

    provider, sku ──▶ lookup ──▶ RateLine ──▶ RateCard ──▶ Shape ──▶ amounts in pico-USD
                        │          │            │            │
      model_matcher, match_rules:  │ prices in  │ rates by   │ generated code for one set
      whose model                  │ force at a │ unit, with │ of reported meters, shared
      this name stands for         │ time, in a │ tiers      │ by all models of the same
                                   │ context    │            │ structure (rate_codegen)

`rate_book.RateBook` owns the caches. `units` and `counts` define what each meter contains, and `exact` does the same
arithmetic in the open, for quantities that are not whole and for `explain`. Property tests hold the two equal.
"""
