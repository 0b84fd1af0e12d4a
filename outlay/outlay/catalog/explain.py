"""Why an event of the ledger costs what it costs, by the catalog that priced it."""

from msgspec import Struct

from outlay.catalog.publish import newest
from outlay_kit.settings import KafkaSettings
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.explain import Explanation, explain
from outlay_pricer.domain.repricing import differs, usage_of
from outlay_pricer.ledger import LedgerReader
from outlay_schemas.catalog import Catalog, decode_catalog
from outlay_schemas.errors import Invalid
from outlay_schemas.events import CostEvent


class Why(Struct, frozen=True):
    """An event as the ledger has it, and its explanation."""

    event: CostEvent
    revision: int
    """The catalog that it is explained by: its own, unless that is not kept any more."""
    own: bool
    """Whether that is the catalog that priced it."""
    same: bool
    """Whether the explanation comes to what the ledger says."""
    explanation: Explanation | None = None
    refused: str = ""
    """Why the explanation is empty: another catalog than its own refuses the event."""


def why(cost: CostEvent, ledger: LedgerReader, kafka: KafkaSettings) -> Why:
    """Explain an event of the ledger. Raises Retryable where the stores are away."""
    content = _catalog(cost.revision, ledger, kafka)
    own = content.revision == cost.revision
    try:
        explanation = explain(usage_of(cost), CompiledCatalog(content))
    except Invalid as error:
        return Why(cost, content.revision, own, same=False, refused=str(error))
    return Why(cost, content.revision, own, not differs(cost, explanation.event), explanation)


def _catalog(revision: int, ledger: LedgerReader, kafka: KafkaSettings) -> Catalog:
    """Return a revision, or the one in force if it is not kept."""
    body = ledger.catalog(revision)
    if body is not None:
        return decode_catalog(body)
    return newest(kafka) or Catalog.model_validate({"revision": 0, "created_at": 0})
