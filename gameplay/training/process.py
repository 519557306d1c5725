"""Training beside serving: in a process of its own, and with lower priority.

Fitting and converting keep the interpreter busy for seconds at a time. On a thread of the service every `/play`
would wait for its turn in between; and what the libraries have once imported, a process never gives back.
"""

import logging
import multiprocessing
import os
import threading
from collections.abc import Iterable
from multiprocessing.process import BaseProcess

from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.models.errors import TrainingError
from gameplay.observability.logs import log_to, mask_process
from gameplay.training.retraining import candidates, read_training_data, retrain
from ledger.events import TrainingCompleted
from ledger.vocabulary import ALIASES, FAMILIES
from projections.commands.console import messages

log = logging.getLogger(__name__)

SOURCE = "scheduler"
NICENESS = 10


class TrainingProcess:
    """One run at a time, each in a new process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: BaseProcess | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Train whatever is due, and wait for it. Raises TrainingError when that did not come to its end."""
        # A new interpreter: a fork would copy locks that other threads hold at this moment.
        process = multiprocessing.get_context("spawn").Process(
            target=train_once, args=(self._settings,), name="training", daemon=True
        )
        with self._lock:
            if self._stopped:
                return
            process.start()
            self._running = process
        process.join()
        if process.exitcode and not self._stopped:
            raise TrainingError(f"the training process ended with exit code {process.exitcode}")

    def stop(self) -> None:
        """End a run that is under way, for good; a plan that it leaves open is completed by the next start."""
        with self._lock:
            self._stopped = True
            if self._running is not None:
                self._running.terminate()


def train_once(settings: Settings) -> None:
    """Train whatever is due, here and now."""
    os.nice(NICENESS)
    # Where the service logs JSON, this process's standard error is its pipe, which makes JSON of all other lines.
    log_to(messages, settings.masking(), settings.log_style())
    mask_process(settings.masking(), settings.log_style())
    logging.captureWarnings(True)
    core = open_core(settings)
    try:
        core.read_models.projector.start()
        dataset = read_training_data(core.ledger, settings)
        due = candidates(core, dataset, FAMILIES, ALIASES, force=False)
        retrain(core, dataset, due, source=SOURCE, track=_silently)
    finally:
        core.close()


def _silently(runs: Iterable[TrainingCompleted], _what: str, _total: int) -> Iterable[TrainingCompleted]:
    return runs
