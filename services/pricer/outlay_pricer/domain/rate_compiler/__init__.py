"""Compiles the genai-prices data of a catalog into integer arithmetic, one function for each usage structure.

The data says what a provider charges for a model in words: match rules, dated prices, price variants, tiers, and units
that contain each other. Pricing a call must take microseconds, so each step is done once and remembered:

    provider, sku ──▶ rate_book ──▶ RateLine ──▶ Card ──▶ Shape ──▶ amounts in pico-USD
                          │           │            │        │
      model_matcher: whose model      │ prices in  │ rates  │ generated code for one set
      this name stands for            │ force at a │ by     │ of reported meters, shared
                                      │ time, in a │ unit,  │ by all models of the same
                                      │ context    │ tiers  │ structure (rate_codegen)

`rate_book.RateBook` owns the caches. `units` defines what each meter contains, and `exact` does the same arithmetic in
the open, for quantities that are not whole and for `explain`. Property tests hold the two equal.
"""
