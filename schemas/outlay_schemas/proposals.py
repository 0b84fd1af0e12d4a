"""A change of the catalog that waits for a second person: kept on `cost.catalog`, under a key of its own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

PREFIX = b"proposal/"
"""The key of a proposal begins so; readers of catalogs skip it."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One changed item of a catalog."""

    id: str
    tenant: str
    """Of the author: its people see the proposal, as do those of the operator's tenant."""
    part: str
    key: str
    """The item that changes, as Set-up names it; empty: a new one."""
    kind: str
    """The type of the item, where its part has several."""
    fields: Mapping[str, str] | None
    """Field to its value as YAML; None: the item is removed."""
    was: str
    """The item as YAML when the change was proposed; empty: a new one."""
    author: str
    at: datetime
    note: str = ""
    state: Literal["open", "published", "refused"] = "open"
    by: str = ""
    """Who published or refused it."""
    decided: datetime | None = None
    reason: str = ""
    revision: int = 0
    """The revision of the catalog that it became."""
