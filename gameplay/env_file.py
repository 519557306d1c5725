"""A file of variables, as shells and compose files have them: `NAME=value`, comments, quotes, `export`."""

from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from ledger.files import problem_of


class EnvFileError(ValueError):
    """A file that cannot be read, or says a name without a value."""


def read_env_file(path: Path) -> dict[str, str]:
    """What the file says, word for word: a dollar sign in a password stands for itself. Nothing without a file."""
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return {}
    except OSError as error:
        raise EnvFileError(f"cannot read {path}: {problem_of(error)}") from error
    except UnicodeDecodeError as error:
        raise EnvFileError(f"{path} is no text") from error
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    if empty := next((name for name, value in found.items() if value is None), None):
        raise EnvFileError(f"{path}: {empty} has no value: write {empty}=VALUE")
    return {name: value for name, value in found.items() if value is not None}
