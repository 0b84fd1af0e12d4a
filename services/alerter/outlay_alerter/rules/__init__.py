"""The kinds of rules, by the `type` that the catalog gives them. A new kind is registered here."""

from collections.abc import Mapping

from outlay_alerter.rules import anomaly, budget, new_spender, price_change, silence, spend_spike, threshold
from outlay_alerter.rules.base import AnyKind

_ALL: tuple[AnyKind, ...] = (
    budget.KIND, spend_spike.KIND, anomaly.KIND, threshold.KIND, new_spender.KIND, silence.KIND, price_change.KIND,
)  # fmt: skip
KINDS: Mapping[str, AnyKind] = {kind.rule.type: kind for kind in _ALL}
