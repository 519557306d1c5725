"""A data folder as the set-up leaves it: the aliases of every family, and its tiny versions in the store."""

from pathlib import Path

from gameplay.config import Settings
from gameplay.models.store import open_model_store
from ledger.engines.database import open_engine
from ledger.store import Ledger
from ledger.upgrade import upgrade
from ledger.vocabulary import ALIASES, FAMILIES
from tests.builders import aliases_assigned, training_completed
from tests.gameplay.faults import registry_with_versions


def write_prepared(folder: Path) -> Path:
    """Fill the folder, which is made; returns it."""
    folder.mkdir(exist_ok=True)
    settings = Settings(data_dir=folder)
    engine = open_engine(settings.database_url)
    upgrade(engine)
    ledger, store, registry = Ledger(engine), open_model_store(settings.model_store_url), registry_with_versions()
    for family in FAMILIES:
        trained = [
            training_completed(
                model_type=family, alias=alias, model_version=version, holdout_accuracy=0.3 + version / 100
            )
            for version, alias in enumerate(ALIASES, start=1)
        ]
        ledger.append(f"training-{family}", trained, 0)
        ledger.append(f"promotion-{family}", [aliases_assigned(model_type=family)], 0)
        for version, alias in enumerate(ALIASES, start=1):
            store.put_model(family, registry.kept[family, version])
            store.set_marker(family, alias, version)
    engine.dispose()
    return folder
