"""Commands about the files of a catalog: a new folder, the catalog in force as a folder, schemas for editors."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from outlay.catalog.export import export as exported
from outlay.catalog.export import start
from outlay.catalog.load import write_schemas
from outlay.cli.options import AsJson
from outlay.cli.output import CommandError, line, print_json
from outlay.cli.stores import read_published

NewFolder = Annotated[Path, Argument(metavar="DIR", help="Folder to write.")]


def init(folder: NewFolder, as_json: AsJson = False) -> None:
    """Start a catalog folder: budgets, owners and channels with examples, and schemas for your editor.

    Where the folder lacks a file, such as price books and rules, the one that comes with Outlay is used. Existing files
    stay. To start from the catalog in force, use `outlay catalog export`.

    Examples:

        outlay catalog init my-catalog
    """
    try:
        written = start(folder, write_schemas(folder / "schemas"))
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error.strerror}", "name a new folder") from None
    if as_json:
        print_json({"written": [str(path) for path in written]})
        return
    for path in written:
        line(f"wrote {path}")
    line(f"next: edit them, then outlay catalog check {folder} and outlay catalog publish {folder}")


def export(
    folder: NewFolder,
    force: Annotated[bool, Option("--force", help="Replace YAML files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the catalog in force as a folder of YAML, as `check`, `plan` and `publish` read it.

    Published as it is, the folder changes nothing. Model prices are not in it: they come with the installed
    genai-prices.

    Examples:

        outlay catalog export my-catalog
        outlay catalog export my-catalog --force && git -C my-catalog diff
    """
    content = read_published()
    present = [*folder.glob("*.yaml"), *folder.glob("price_books/*.yaml")]
    if present and not force:
        raise CommandError(
            f"{folder} has a catalog already, such as {present[0]}", "name a new folder, or use --force"
        )
    files = exported(content)
    try:
        (folder / "price_books").mkdir(parents=True, exist_ok=True)
        for path in present:
            path.unlink()
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error.strerror}", "name another folder") from None
    if as_json:
        print_json({"revision": content.revision, "files": sorted(files)})
    else:
        line(f"wrote revision {content.revision} to {folder} ({len(files)} files)")


def schemas(
    folder: Annotated[Path, Argument(metavar="DIR", help="Folder to write them to.")], as_json: AsJson = False
) -> None:
    """Write a JSON Schema for each file of a catalog, so that your editor completes and checks it.

    Editors with the YAML Language Server use the schema that the first line of a file names.

    Examples:

        outlay catalog schemas my-catalog/schemas
    """
    lines = write_schemas(folder)
    if as_json:
        print_json(lines)
    else:
        for name, text in lines.items():
            line(f"{name}: {text}")
