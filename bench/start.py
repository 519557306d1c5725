"""What `rps serve` does before it loads models: `python -m bench.start FOLDER` prints how far it comes.

First whether there is anything to set up, then the service's own start.
"""

import sys
from pathlib import Path

import gameplay.web.app  # noqa: F401 - a service imports all of it
from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.training.setup import is_set_up


def main(data: str) -> None:
    """Start, and let go."""
    settings = Settings(data_dir=Path(data))
    first = open_core(settings)
    is_set_up(first)
    first.close()
    core = open_core(settings)
    core.read_models.projector.start()
    print(core.read_models.projector.position)  # noqa: T201
    core.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
