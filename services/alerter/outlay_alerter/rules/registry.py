"""The kinds of rules, by the `type` that the catalog gives them: every module beside this one that has a `KIND`."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from outlay_alerter import rules
from outlay_alerter.rules.base import AnyKind


def _kinds() -> Mapping[str, AnyKind]:
    modules = (import_module(f"{rules.__name__}.{found.name}") for found in iter_modules(rules.__path__))
    kinds = (vars(module)["KIND"] for module in modules if "KIND" in vars(module))
    return {kind.rule.type: kind for kind in kinds}


KINDS: Mapping[str, AnyKind] = _kinds()
