"""Which code, and which libraries, turned rounds into a version: the same ones do it again, bit for bit."""

from importlib import metadata
from pathlib import Path
from typing import Final

from gameplay.models.artifacts import digest

PACKAGE: Final = "promotion-ledger"
MODULES: Final = ("game/rules", "game/rounds", "game/features", "training/dataset", "training/estimators")
LIBRARIES: Final = ("numpy", "scipy", "scikit-learn", "xgboost-cpu", "skl2onnx", "onnxmltools", "onnx")


def code_version() -> str:
    """The release, and a digest of the modules that decide what is learned from which rows.

    A release says too little while people work on one: two runs of an afternoon would look alike.
    """
    package = Path(__file__).parents[1]
    sources = b"\n".join((package / f"{module}.py").read_bytes() for module in MODULES)
    return f"{metadata.version(PACKAGE)}+{digest(sources)[:12]}"


def libraries() -> dict[str, str]:
    """Library -> release, of those that fit and convert."""
    return {name: metadata.version(name) for name in LIBRARIES}
