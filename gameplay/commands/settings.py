"""The settings, as the commands get them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from gameplay.config import read_settings

Result = TypeVar("Result")


def pass_settings(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the settings as its first argument.

    They are read when it runs and not before, so that `--help` and wrong options are answered whatever is set.
    """

    @wraps(command)
    def with_settings(*arguments: Any, **options: Any) -> Result:
        return command(read_settings(), *arguments, **options)

    return with_settings
