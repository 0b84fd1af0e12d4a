"""What the engine would do for anybody who asks, but this interface may not."""

import re

from outlay.embedded.chdb_server.engine import Engine, Statement, refused

_FILE_FUNCTION = re.compile(r"^\s*(?!\s|Literal\b).*\bfile\b", re.MULTILINE)


def guard(engine: Engine, statement: Statement) -> None:
    """Refuse several statements at once, and of one that may only read whatever else it does. Raises EngineError.

    The engine's own parser says what a statement is. The scalar function `file` reads any file of this machine
    and asks for no right, so a reader's query may not name it; where the word is met, the parsed tree decides,
    so that neither quoting nor a lambda hides it.
    """
    sql, user = statement.sql, statement.user
    only_reading = user.readonly or statement.keep_settings
    if not sql.strip():
        raise refused(62, "SYNTAX_ERROR", "Empty query")
    kind, statements = engine.classify(sql)
    if statements > 1:
        raise refused(62, "SYNTAX_ERROR", "Multi-statements are not allowed")
    if kind == "READ_ONLY":
        if (
            user.readonly
            and ("file" in sql.lower() or "\\" in sql)
            and _FILE_FUNCTION.search(engine.tree(sql))
        ):
            raise refused(
                497, "ACCESS_DENIED", f"{user.name}: Not enough privileges to use the function file"
            )
        return
    if not only_reading:
        return
    if kind == "UNKNOWN":
        engine.tree(sql)  # says what is wrong with it
    hint = "" if user.readonly else " For queries over HTTP, method GET implies readonly: use POST."
    raise refused(164, "READONLY", f"Cannot execute query in readonly mode.{hint}")
