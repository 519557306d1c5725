"""The settings, as the commands get them."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from gameplay.config import Settings, read_settings

Result = TypeVar("Result")


def pass_settings(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the settings as its first argument.

    They are read when it runs and not before, so that `--help` and wrong options are answered whatever is set.
    """

    @wraps(command)
    def with_settings(*arguments: Any, **options: Any) -> Result:
        return command(read_settings(), *arguments, **options)

    return with_settings


def service_url(settings: Settings) -> str:
    """The address of the service that these settings describe."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"
