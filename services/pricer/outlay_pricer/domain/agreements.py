"""What was agreed: negotiated prices, and which cost counts where the producer reports one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from outlay_pricer.domain.matching import Facts, Test, compile_match
from outlay_schemas.catalog import Negotiated, ReportedPolicy
from outlay_schemas.catalog.terms import REPORTED
from outlay_schemas.events import Quantity
from outlay_schemas.money import PICO

Amounts = Mapping[str, Fraction]
"""pico-USD by meter, exact."""


@dataclass(frozen=True)
class Agreement:
    """A negotiated price or an internal markup, ready to be asked."""

    terms: Negotiated
    about: Test

    @property
    def markup(self) -> Fraction:
        """How many times the cost the internal customer pays; 0: it changes what the provider charges instead."""
        percent = self.terms.markup_percent
        return Fraction(0) if percent is None else 1 + Fraction(percent) / 100

    def apply(self, amounts: Amounts, quantities: Mapping[str, Quantity]) -> dict[str, Fraction]:
        """Return what the provider charges under this agreement. `quantities`: what the list price was paid for."""
        terms = self.terms
        if terms.override:
            return {
                meter: Fraction(quantities[meter])
                * Fraction(terms.override[meter])
                * PICO
                / Fraction(terms.per)
                if meter in terms.override and meter in quantities
                else amount
                for meter, amount in amounts.items()
            }
        percent = 100 - Fraction(terms.discount_percent or 0)
        return {meter: amount * percent / 100 for meter, amount in amounts.items()}


class Agreements:
    """All negotiated prices of a catalog: overrides first, then the others in their order."""

    def __init__(self, negotiated: Sequence[Negotiated]) -> None:
        ordered = sorted(negotiated, key=lambda terms: not terms.override)
        self._all = [Agreement(terms, compile_match(terms.match)) for terms in ordered]

    def of(self, facts: Facts, at: datetime) -> list[Agreement]:
        """Return those that hold for an event."""
        return [agreement for agreement in self._all if agreement.terms.active(at) and agreement.about(facts)]

    def __bool__(self) -> bool:
        return bool(self._all)


class Reported:
    """The policy for costs that producers report."""

    def __init__(self, policies: Sequence[ReportedPolicy]) -> None:
        self._all: list[tuple[ReportedPolicy, Callable[[Facts], bool]]] = [
            (policy, compile_match(policy.match)) for policy in (*policies, *REPORTED)
        ]

    def policy(self, facts: Facts) -> ReportedPolicy:
        """Return the first policy that is about an event."""
        return next(policy for policy, about in self._all if about(facts))


def drifts(computed: int, reported: int, policy: ReportedPolicy) -> bool:
    """Tell whether a reported cost is further from the computed one than the policy allows. Both in pico-USD."""
    return abs(reported - computed) * 100 > computed * Fraction(policy.drift_percent)
