"""Progress of long commands: the steps of a start, downloads, files; plain lines without a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from outlay.cli.output import err

_AMOUNTS: dict[str, type[ProgressColumn]] = {
    "share": TaskProgressColumn,
    "count": MofNCompleteColumn,
    "bytes": DownloadColumn,
}


@contextmanager
def progress_bar(
    text: str, amount: str, quiet: bool, total: float | None = None
) -> Iterator[tuple[Progress, TaskID]]:
    """Show a bar on stderr while the block runs; `amount` is share, count or bytes."""
    columns = (TextColumn("{task.description}"), BarColumn(), _AMOUNTS[amount](), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet, transient=True) as progress:
        yield progress, progress.add_task(text, total=total)


class Steps:
    """The progress of the embedded stack on the terminal. Use it as a context manager."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        hidden = quiet or not err.is_terminal
        text = TextColumn("{task.description}")
        columns = (SpinnerColumn(), text, BarColumn(), DownloadColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=err, transient=True, disable=hidden)
        self._download = self._bar.add_task("fetching", total=1, visible=False)
        self._spinner = Progress(SpinnerColumn(), text, console=err, transient=True, disable=hidden)
        self._step = self._spinner.add_task("")

    def __enter__(self) -> "Steps":
        self._spinner.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._bar.stop()
        self._spinner.stop()

    def step(self, text: str) -> None:
        """Show that a step begins."""
        self._bar.stop()
        if err.is_terminal:
            self._spinner.start()
            self._spinner.update(self._step, description=text)
        elif not self._quiet:
            err.print(text, markup=False)

    def bytes(self, done: int, total: int) -> None:
        """Show how much of a download is complete."""
        if not self._bar.disable:
            self._spinner.stop()
            self._bar.start()
        self._bar.update(self._download, completed=done, total=total, visible=True)
