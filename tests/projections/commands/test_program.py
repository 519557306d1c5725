import errno
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ledger.errors import StorageError
from ledger.masking import Masking
from projections.commands.console import output, print_json, say
from projections.commands.program import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    EXIT_UNREAD,
    Lazy,
    Problem,
    Program,
    first_sentence,
)
from projections.commands.program import __name__ as here


def outcome(error: BaseException) -> Result:
    """What a program says of a command that ends with the error."""

    @click.group(cls=Program, name="rps", problems=(StorageError,), masked=Masking(["hush-hush"]))
    def program() -> None:
        """A program of one command."""

    @program.command()
    def fail() -> None:
        raise error

    return CliRunner().invoke(program, ["fail"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StorageError("no [bold] room\nleft"), "no [bold] room\\nleft"),
        (StorageError("refused hush-hush"), "refused ***"),
        (Problem("no answer from http://ada:hush-hush@h"), "no answer from http://***@h"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out.jsonl"),
            "out.jsonl: disk full (No space left on device)",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "disk full (No space left on device)"),
        (PermissionError(errno.EACCES, "Permission denied", "/srv"), "/srv: Permission denied"),
    ],
)
def test_an_expected_error_is_one_line_and_status_two(error: Exception, said: str) -> None:
    result = outcome(error)

    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"rps: {said}\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interrupt_is_status_130_and_no_traceback(error: BaseException) -> None:
    result = outcome(error)

    assert result.exit_code == EXIT_INTERRUPTED == 130
    assert (result.stdout, result.stderr.strip()) == ("", "")


def test_a_fault_of_the_program_keeps_its_traceback_and_is_no_finding() -> None:
    result = outcome(ZeroDivisionError("by nothing"))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert result.stderr.endswith("ZeroDivisionError: by nothing\n")


def test_a_reader_that_has_gone_away_is_no_finding() -> None:
    result = outcome(BrokenPipeError(errno.EPIPE, "Broken pipe"))

    assert (result.exit_code, result.stdout, result.stderr) == (EXIT_UNREAD, "", "")
    with pytest.raises(BrokenPipeError):
        output().on_broken_pipe()


def test_what_an_encoding_lacks_is_replaced_and_escaped_in_json() -> None:
    @click.group(cls=Program, problems=(), masked=str)
    def program() -> None:
        """A program of one command."""

    @program.command()
    def tell() -> None:
        say("\u2581\xe9")
        click.echo("\u2588")
        print_json({"\xe9": "\u2581 \U0001f600"})

    result = CliRunner(charset="latin-1").invoke(program, ["tell"])

    assert result.exit_code == 0
    assert result.stdout == '?\xe9\n?\n{"\xe9":"\\u2581 \\ud83d\\ude00"}\n'


WRITES = """
import signal, sys
from pathlib import Path
import click
from projections.commands.outputs import new_file
from projections.commands.program import Program

@click.group(cls=Program, problems=(), masked=str)
def program(): pass

@program.command()
@click.argument("path", type=Path)
def write(path):
    with new_file(path):
        signal.raise_signal(signal.SIGTERM)

program()
"""


def test_a_terminated_command_leaves_no_file_behind(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", WRITES, "write", str(tmp_path / "out.jsonl")]
    done = subprocess.run(arguments, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (EXIT_TERMINATED, b"", b"")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_as_good_as_the_null_device(example: Path, closed: str) -> None:
    program = Path(sys.executable).with_name("rps-audit")
    command = [
        "sh",
        "-c",
        f'exec "$@" {closed}',
        "sh",
        str(program),
        "--database",
        f"sqlite:///{example}",
        "status",
    ]
    done = subprocess.run(command, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_command_is_imported_when_it_is_called_and_listed_without() -> None:
    lazy = {"absent": Lazy("no.such.module", "x", "Is not there."), "former": Lazy(here, "x", "", hidden=True)}

    @click.group(cls=Program, problems=(), masked=str, lazy=lazy)
    def program() -> None:
        """A program."""

    result = CliRunner().invoke(program, ["--help"])

    assert "absent  Is not there." in result.output
    assert "former" not in result.output
    called = CliRunner().invoke(program, ["absent"])
    assert called.exit_code == 2
    assert "ModuleNotFoundError: No module named 'no'" in called.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Say it. Then say more.", "Say it."),
        ("Say it over\n    two lines. And more.", "Say it over two lines."),
        ("Say what v1.2 is.\n\nMore.", "Say what v1.2 is."),
        ("Say it without a stop\n\nExample: say it.", "Say it without a stop"),
        ("", ""),
    ],
)
def test_the_first_sentence_of_a_help_text_is_one_line(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


@pytest.mark.parametrize("words", [("status",), ("export",), ("aliases", "--json"), ("--help",)])
def test_a_full_disk_behind_the_output_is_said(example: Path, words: tuple[str, ...]) -> None:
    program = Path(sys.executable).with_name("rps-audit")
    arguments = [str(program), "--database", f"sqlite:///{example}", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (2, "rps-audit: disk full (No space left on device)\n")


def test_an_interrupted_command_ends_with_status_130(example: Path) -> None:
    program = Path(sys.executable).with_name("rps-audit")
    arguments = [str(program), "--database", f"sqlite:///{example}", "log", "--follow", "--limit", "1"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()

    assert (running.returncode, said.strip()) == (130, b"")
