"""Templates for the text of alerts: sandboxed Jinja2, without anything that could run long or call code.

The check of the catalog parses every template, so that it fails there and not when an alert fires.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from outlay_reports.money import usd
from outlay_schemas.alerts import Alert

MOST = 3000
"""Most characters that a template may produce."""
FIELDS = tuple(field for field in Alert.__struct_fields__ if field != "query")
"""The variables of a template: the fields of an alert."""
_FORBIDDEN: Mapping[type[nodes.Node], str] = {
    nodes.Call: "a call", nodes.Macro: "a macro", nodes.Import: "an import", nodes.FromImport: "an import",
    nodes.Include: "an include", nodes.Extends: "extends", nodes.Block: "a block", nodes.Mul: "*",
    nodes.Pow: "**", nodes.FilterBlock: "a filter block", nodes.CallBlock: "a call", nodes.Assign: "set",
    nodes.AssignBlock: "set",
}  # fmt: skip
_FILTERS = ("default", "upper", "lower", "title", "capitalize", "join", "length", "first", "last", "replace")
_DEEPEST = 2


class TemplateProblem(ValueError):
    """A template cannot be used. `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
_ENVIRONMENT.filters = {name: _ENVIRONMENT.filters[name] for name in _FILTERS} | {"usd": usd}
_ENVIRONMENT.globals.clear()


def check(text: str, example: Alert) -> None:
    """Parse a template, and fill it in with an example. Raises TemplateProblem."""
    try:
        _filled(_compiled(text), example)
    except TemplateSyntaxError as error:
        raise TemplateProblem(str(error.message), error.lineno) from None
    except TemplateError as error:
        raise TemplateProblem(str(error), getattr(error, "lineno", 1)) from None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise TemplateProblem(str(error), getattr(error, "line", 1)) from None


def fill(text: str, alert: Alert) -> str:
    """Fill in a template. Raises TemplateProblem if the alert lacks something that it names."""
    try:
        return _filled(_compiled(text), alert)
    except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise TemplateProblem(str(error), 1) from None


@lru_cache(maxsize=256)
def _compiled(text: str) -> Template:
    _judge(_ENVIRONMENT.parse(text))
    return _ENVIRONMENT.from_string(text)


def _filled(template: Template, alert: Alert) -> str:
    values = msgspec.to_builtins(alert)
    known = {name: values.get(name, getattr(alert, name)) for name in FIELDS}
    return template.render(known).strip()[:MOST]


def _judge(tree: nodes.Template) -> None:
    for kind, words in _FORBIDDEN.items():
        for node in tree.find_all(kind):
            raise TemplateProblem(f"a template cannot contain {words}", node.lineno)
    strange = find_undeclared_variables(tree) - set(FIELDS)
    for name in tree.find_all(nodes.Name):
        if name.name in strange:
            raise TemplateProblem(f"{name.name} is not a field of an alert: {', '.join(FIELDS)}", name.lineno)
    for loop in tree.find_all(nodes.For):
        if _depth(loop) > _DEEPEST:
            raise TemplateProblem("loops can be nested only once", loop.lineno)


def _depth(node: nodes.Node) -> int:
    inner = max((_depth(child) for child in node.iter_child_nodes()), default=0)
    return inner + isinstance(node, nodes.For)
