"""Has every pin of the lock a wheel for another Python? Asks `pip download`; runs nothing of what it gets.

    python -m scripts.wheels 3.14

pip reads markers for the Python that runs it, so the pins of the other are chosen here.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

LOCK = Path(__file__).parents[1] / "requirements-dev.txt"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def pins(lock: Path) -> Iterator[Requirement]:
    """Every pin of a requirements file and of the files that it includes."""
    for line in lock.read_text("utf-8").splitlines():
        if line.startswith("-r "):
            yield from pins(lock.parent / line.removeprefix("-r ").strip())
        elif re.match(r"[A-Za-z0-9]", line):
            yield Requirement(line.removesuffix("\\").strip())


def pins_for(lock: Path, version: str) -> list[str]:
    """The pins that hold for CPython of a version on Linux, without their markers."""
    there = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    return [f"{pin.name}{pin.specifier}" for pin in pins(lock) if pin.marker is None or pin.marker.evaluate(there)]


def command(requirements: Path, folder: Path, version: str) -> list[str]:
    """What asks for the wheels, and for wheels alone."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    chosen = ["--only-binary=:all:", "--python-version", version, "--implementation", "cp", *platforms]
    return [*pip, *chosen, "--dest", str(folder), "--requirement", str(requirements)]


def main() -> int:
    """Download them into a folder that is thrown away; pip names the first pin that has none."""
    (version,) = sys.argv[1:] or ("3.14",)
    wanted = pins_for(LOCK, version)
    with tempfile.TemporaryDirectory() as work:
        requirements, wheels = Path(work) / "pins.txt", Path(work) / "wheels"
        requirements.write_text("\n".join(wanted), "utf-8")
        status = subprocess.run(command(requirements, wheels, version), check=False).returncode
        found = len(list(wheels.glob("*.whl"))) if wheels.exists() else 0
    sys.stdout.write(f"{found} of {len(wanted)} pins have a wheel for Python {version}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
