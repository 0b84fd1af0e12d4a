"""Roles: what each may do, in one table that the server enforces for every route."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Role = Literal["viewer", "editor", "approver", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most: each may do what those before it may."""
OPEN: Final = "open"
"""In place of a role: anyone may ask, also without a session."""

LEAST: Mapping[tuple[str, str], Role | Literal["open"]] = {
    ("GET", "/"): "viewer",
    ("GET", "/explore"): "viewer",
    ("GET", "/explore.csv"): "viewer",
    ("GET", "/views"): "viewer",
    ("GET", "/dashboard"): "viewer",
    ("POST", "/views/{id}/save"): "editor",
    ("POST", "/notes/{id}/save"): "editor",
    ("GET", "/values"): "viewer",
    ("GET", "/events"): "viewer",
    ("GET", "/event"): "viewer",
    ("GET", "/budgets"): "viewer",
    ("GET", "/budgets/{id}"): "viewer",
    ("GET", "/alerts"): "viewer",
    ("GET", "/alerts/{id}"): "viewer",
    ("POST", "/alerts/{id}/actions"): "editor",
    ("GET", "/prices"): "viewer",
    ("GET", "/prices/model"): "viewer",
    ("GET", "/opportunities"): "viewer",
    ("POST", "/opportunities/{id}/save"): "editor",
    ("GET", "/quality"): "viewer",
    ("GET", "/live"): "viewer",
    ("GET", "/audit"): "approver",
    ("GET", "/stream/figures"): "viewer",
    ("GET", "/stream/events"): "viewer",
    ("GET", "/metrics/money"): "viewer",
    ("GET", "/api"): OPEN,
    ("GET", "/api/v1"): OPEN,
    ("GET", "/api/v1/reports"): OPEN,
    ("GET", "/api/v1/reports/{report}"): "viewer",
    ("GET", "/api/v1/prices"): "viewer",
    ("GET", "/api/v1/prices/model"): "viewer",
    ("GET", "/login"): OPEN,
    ("POST", "/login"): OPEN,
    ("GET", "/login/oidc"): OPEN,
    ("GET", "/login/oidc/callback"): OPEN,
    ("POST", "/tenant"): "viewer",
    ("POST", "/logout"): OPEN,
    ("GET", "/docs"): OPEN,
    ("GET", "/docs.css"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    # The pages of Set-up, where the console has them. How far an editor's changes go, the tenant says.
    ("GET", "/setup"): "editor",
    ("GET", "/setup/start"): "editor",
    ("GET", "/setup/start/state"): "editor",
    ("POST", "/setup/start/key"): "admin",
    ("GET", "/setup/{part}"): "editor",
    ("GET", "/setup/{part}/edit"): "editor",
    ("POST", "/setup/{part}/plan"): "editor",
    ("POST", "/setup/{part}/publish"): "editor",
    ("POST", "/setup/channels/{id}/test"): "editor",
    ("GET", "/setup/history"): "editor",
    ("GET", "/setup/history/{revision:int}"): "editor",
    ("GET", "/setup/history/{revision:int}/files"): "editor",
    ("GET", "/setup/proposals"): "editor",
    ("GET", "/setup/proposals/{id}"): "editor",
    ("POST", "/setup/proposals/{id}/publish"): "approver",
    ("POST", "/setup/proposals/{id}/refuse"): "editor",  # an author withdraws; others need to be approvers
    ("GET", "/setup/keys"): "admin",
    ("POST", "/setup/keys/create"): "admin",
    ("POST", "/setup/keys/{id}/revoke"): "admin",
}
"""(method, path) of every route to the least role that may ask it. A console with a route that is missing here does
not start."""

OF_TEAMS = frozenset({
    ("GET", "/"), ("GET", "/explore"), ("GET", "/explore.csv"), ("GET", "/values"), ("GET", "/events"),
    ("GET", "/event"), ("GET", "/budgets"), ("GET", "/budgets/{id}"), ("GET", "/alerts"),
    ("GET", "/alerts/{id}"), ("GET", "/live"),
    ("GET", "/stream/figures"), ("GET", "/stream/events"), ("POST", "/tenant"),
})  # fmt: skip
"""The routes that show a viewer of some teams what is of those teams. Every other route is about the whole tenant, and
refuses them."""


def may_ask(role: Role, teams: Sequence[str], method: str, path: str) -> bool:
    """Tell whether a session may ask a route."""
    least = LEAST[method, path]
    return least == OPEN or (covers(role, least) and (not teams or (method, path) in OF_TEAMS))


def within_teams(scope: Mapping[str, Sequence[str]], teams: Sequence[str]) -> bool:
    """Tell whether a scope is about some of `teams` and nothing else; without teams, everything is."""
    named = set(scope.get("team", ()))
    return not teams or (bool(named) and named <= set(teams))


def covers(role: Role, least: Role) -> bool:
    """Tell whether a role may do what `least` may."""
    return ROLES.index(role) >= ROLES.index(least)


class Grant(BaseModel):
    """Who may do what: whoever has `value` in `claim` of the identity provider has `role` in `tenant`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: Annotated[str, Field(min_length=1)] = "groups"
    """A claim of the ID token; `realm_access.roles` is `roles` within `realm_access`."""
    value: Annotated[str, Field(min_length=1)]
    """The claim, or one of its values, must equal it."""
    tenant: Annotated[str, Field(min_length=1)]
    role: Role = "viewer"
    team: str = ""
    """A viewer who sees this team only; empty: the whole tenant."""

    @model_validator(mode="after")
    def _team_is_viewed(self) -> "Grant":
        if self.team and self.role != "viewer":
            raise ValueError("a grant with a team must have the role viewer: other roles act for the tenant")
        return self

    @property
    def condition(self) -> tuple[str, str]:
        """The claim and the value that it needs."""
        return self.claim, self.value


@dataclass(frozen=True, slots=True)
class Membership:
    """What a person may do in one tenant. `teams`: all that they see; empty: the whole tenant."""

    role: Role
    teams: tuple[str, ...] = ()


def held(grants: Iterable[Grant], claims: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the conditions of grants that the claims of a person meet."""
    wanted = dict.fromkeys(grant.condition for grant in grants)
    return [(claim, value) for claim, value in wanted if value in _values(claim, claims)]


def memberships(grants: Iterable[Grant], conditions: Iterable[tuple[str, str]]) -> dict[str, Membership]:
    """Return the tenants of a person who meets `conditions`. A grant without a team outweighs those with one."""
    met, found = set(conditions), dict[str, list[Grant]]()
    for grant in grants:
        if grant.condition in met:
            found.setdefault(grant.tenant, []).append(grant)
    return {tenant: _membership(some) for tenant, some in found.items()}


def _membership(grants: Sequence[Grant]) -> Membership:
    if whole := [grant.role for grant in grants if not grant.team]:
        return Membership(max(whole, key=ROLES.index))
    return Membership("viewer", tuple(sorted({grant.team for grant in grants})))


def _values(claim: str, claims: Mapping[str, object]) -> list[object]:
    """Return the values of a claim. An address of mail counts only if the provider has verified it."""
    if claim == "email" and claims.get("email_verified") is not True:
        return []
    found: object = claims.get(claim)
    if found is None and "." in claim:
        found = claims
        for name in claim.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    return list(found) if isinstance(found, list) else [found]
