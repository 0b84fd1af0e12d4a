"""Long starts, drawn: a spinner with the step, a bar for downloads; plain lines where nobody watches."""

from types import TracebackType

from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from outlay.cli.common import err


class Steps:
    """A `Progress` of the embedded stack on the terminal. Use it as a context manager."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        self._bar = Progress(
            *columns, TimeElapsedColumn(), console=err, transient=True, disable=quiet or not err.is_terminal
        )
        self._download = self._bar.add_task("fetching", total=1, visible=False)
        self._spinner = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), console=err, transient=True,
            disable=quiet or not err.is_terminal,
        )  # fmt: skip
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
        """Show how much of a download is here."""
        if not self._bar.disable:
            self._spinner.stop()
            self._bar.start()
        self._bar.update(self._download, completed=done, total=total, visible=True)
