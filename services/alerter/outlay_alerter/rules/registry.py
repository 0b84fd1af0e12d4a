"""The kinds of rules, by the `type` that the catalog gives them: every module beside this one that has a `KIND`."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from outlay_alerter import rules
from outlay_alerter.rules.base import Kind

_MODULES = {
    found.name: import_module(f"{rules.__name__}.{found.name}") for found in iter_modules(rules.__path__)
}
KINDS: Mapping[str, Kind] = {name: one.KIND for name, one in _MODULES.items() if hasattr(one, "KIND")}
