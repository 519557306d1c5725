"""Disks that are full: one that is so for a process alone, and one that is too small."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: the system refuses whatever would make a file longer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class SmallDisk:
    """A file system of its own, which holds so many bytes."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self._mount("-t", "tmpfs", "-o", f"size={size},mode=0777", "none")

    def grow(self, size: int) -> None:
        """Let it hold more."""
        self._mount("-o", f"remount,size={size}")

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run(["mount", *arguments, self.folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"only root, and not in every container, can make a small disk: {done.stderr.strip()}")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """A small disk at a folder for a block; skips the test where none is to be had."""
    disk = SmallDisk(folder, size)
    try:
        yield disk
    finally:
        disk.unmount()
