"""The command line as a shell meets it."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from outlay.main import app


def run(*words: object, stdin: bytes | None = None) -> Result:
    """Run a command; a traceback that it does not turn into words is raised."""
    result = CliRunner().invoke(app, [str(word) for word in words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def answer(result: Result) -> Any:
    """Return the JSON that a command printed."""
    return json.loads(result.stdout)
