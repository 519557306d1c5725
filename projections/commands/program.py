"""A program of commands: what it lists, how it says a problem, and its exit status."""

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import IO, Any, NamedTuple, NoReturn

import click
from click.shell_completion import CompletionItem
from rich.markup import escape

from ledger.files import problem_of
from projections.commands.console import messages, printable

EXIT_PROBLEM = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_UNREAD = 128 + signal.SIGPIPE
EXIT_TERMINATED = 128 + signal.SIGTERM


class Lazy(NamedTuple):
    """A command that is imported when it is called: where it is, and its first line in the list of commands.

    `handles_sigterm` is said of one that has its own way to end, or does work that cannot be interrupted.
    """

    module: str
    name: str
    help: str
    hidden: bool = False
    handles_sigterm: bool = False


class Problem(click.ClickException):
    """What keeps a command from its work, in one line."""

    exit_code = EXIT_PROBLEM

    def __init__(self, text: str, program: str | None = None) -> None:
        super().__init__(text)
        context = click.get_current_context(silent=True)
        self._program = context.find_root().info_name if context else program

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - click's own signature
        """Print it to standard error."""
        name = self._program or "error"
        messages.print(f"[red]{name}:[/red] {escape(printable(self.message))}", highlight=False, soft_wrap=True)


class Group(click.Group):
    """Commands that are listed each with its first sentence, whole: click would cut it."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([*self.summaries(ctx)])

    def summaries(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """The name and the first sentence of each command that is shown."""
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                yield name, first_sentence(command.help or "")


def first_sentence(text: str) -> str:
    """Of a help text, in one line."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return re.split(r"(?<=[.])\s", paragraph, maxsplit=1)[0]


class Program(Group):
    """A group whose commands end with a line and a status, whatever keeps them from their work.

    `problems` are the errors that are expected; each says what is wrong and what to do. An error of the operating
    system (a full disk, a folder that may not be written) is one of them. Every other error is a fault of the
    program, which needs its traceback. The interpreter's own status for that is 1, which here means that a command
    has found something: so no error is left to it.
    """

    def __init__(
        self,
        *args: Any,
        problems: tuple[type[Exception], ...],
        masked: Callable[[str], str],
        lazy: Mapping[str, Lazy] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self._problems = problems
        self._masked = masked
        self._lazy = dict(lazy or {})

    def main(self, *args: Any, **more: Any) -> Any:
        """Run a command, and end the process with its status."""
        _stand_in()
        _print_all()
        before = signal.getsignal(signal.SIGTERM)
        try:
            return super().main(*args, **more)
        except OSError as error:
            _drop_output()
            self._say(_named(error))
        except self._problems as problem:
            self._say(str(problem))
        except Exception:  # noqa: BLE001 - the program's outermost frame: its traceback, and the status
            sys.excepthook(*sys.exc_info())
        finally:
            if signal.getsignal(signal.SIGTERM) is _end:
                signal.signal(signal.SIGTERM, before)
        sys.exit(EXIT_PROBLEM)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, without the former ones, which are taken all the same."""
        return [name for name, one in self._lazy.items() if not one.hidden] or super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now if it was not yet."""
        if lazy := self._lazy.get(cmd_name):
            command = getattr(import_module(lazy.module), lazy.name)
            assert isinstance(command, click.Command)
            return command
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Look the command up; a mistyped one gets a suggestion, for which click knows no lazy command."""
        try:
            found = super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from error
        lazy = self._lazy.get(found[0] or "")
        if lazy is None or not lazy.handles_sigterm:
            _clean_up_at_sigterm()
        return found

    def summaries(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """The same, without an import: help should not take a second."""
        if self._lazy:
            return ((name, one.help) for name, one in self._lazy.items() if not one.hidden)
        return super().summaries(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What the word may become. Without an import, for the same reason."""
        found = [
            CompletionItem(name, help=text) for name, text in self.summaries(ctx) if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises Problem where it could not do its work."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # what the disk refuses must show here, while it can still be said
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(EXIT_INTERRUPTED)
        except Problem as problem:
            raise self._problem(problem.message) from problem
        except self._problems as problem:
            raise self._problem(str(problem)) from problem
        except OSError as error:
            _drop_output()
            if error.errno == errno.EPIPE:
                ctx.exit(EXIT_UNREAD)
            raise self._problem(_named(error)) from error

    def _problem(self, text: str) -> Problem:
        return Problem(self._masked(text), self.name)

    def _say(self, text: str) -> None:
        """Print a problem that is met outside a command, as by a help text; standard error may be as full."""
        with suppress(OSError):
            self._problem(text).show()


def _named(error: OSError) -> str:
    return f"{error.filename}: {problem_of(error)}" if error.filename else problem_of(error)


def _drop_output() -> None:
    """Have the interpreter not try at its end to write once more what could not be written."""
    if sys.stdout is sys.__stdout__ and sys.stdout is not None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def _clean_up_at_sigterm() -> None:
    """Have SIGTERM unwind the command, as Ctrl-C does, so that no file stays that is half written."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)  # the second one ends what does not end by itself
    raise SystemExit(EXIT_TERMINATED)


def _stand_in() -> None:
    """Have the null device in the place of each standard stream that the caller has closed.

    The interpreter has None there. And without it the number of the closed one would be that of the next file: a
    library that prints to standard output would print into a database.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, closefd=False))


def _print_all() -> None:
    """Have a question mark printed for each character that the encoding of standard output lacks."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
