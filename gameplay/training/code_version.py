"""Which code, and which libraries, turned rounds into a version: the same ones do it again, bit for bit."""

import getpass
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Final

from gameplay.models.artifacts import Origin, digest
from gameplay.models.errors import TrainingError

PACKAGE: Final = "promotion-ledger"
MODULES: Final = ("game/rules", "game/rounds", "game/features", "training/dataset", "training/estimators")
GIT_SECONDS_MAX: Final = 5.0
LIBRARIES: Final = ("numpy", "scikit-learn", "scipy", "xgboost-cpu", "skl2onnx", "onnxmltools", "onnx")
"""A missing one is named in this order: scipy comes with scikit-learn, which is what a person would install."""


def code_version() -> str:
    """The release, and a digest of the modules that decide what is learned from which rows.

    A release says too little while people work on one: two runs of an afternoon would look alike.
    """
    package = Path(__file__).parents[1]
    sources = b"\n".join((package / f"{module}.py").read_bytes() for module in MODULES)
    return f"{metadata.version(PACKAGE)}+{digest(sources)[:12]}"


def require_libraries() -> None:
    """Raise TrainingError where the libraries that fit are left out, as in an installation that only serves."""
    for name in LIBRARIES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError as error:
            raise TrainingError(
                f"{name} is not installed, so nothing can be trained here: pip install '{PACKAGE}[training]'"
            ) from error


def libraries() -> dict[str, str]:
    """Library -> release, of those that fit and convert."""
    return {name: metadata.version(name) for name in LIBRARIES}


def origin_now(trainer: str) -> Origin:
    """Where a fit comes from that begins now, as part of what is called `trainer`."""
    return Origin(time.time_ns() // 1_000_000, trainer, _user(), git_commit(Path(__file__).parents[2]))


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None  # a container's user often has no name


def git_commit(checkout: Path) -> str | None:
    """The commit of a checkout. An installed package has none, and a repository around it is not its own."""
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS_MAX, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
