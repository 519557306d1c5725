"""The example ledger behind the pages, and a registry that agrees with it."""

from gameplay.config import Settings
from ledger.engines.database import open_engine
from ledger.store import Ledger
from ledger.vocabulary import ALIASES, FAMILIES
from projections.read_models.all import ReadModels
from tests.gameplay.faults import FaultyRegistry, registry_with_versions

SWAP_QUERY = {"decision": "swap_production_b", "rule": "ztest/1"}
"""What `/decisions` is asked for a swap that a cycle of the service's own has made."""


def agreeing_registry(settings: Settings) -> FaultyRegistry:
    """A registry whose aliases are the ledger's."""
    registry = registry_with_versions(count=6)
    engine = open_engine(settings.database_url)
    read_models = ReadModels(Ledger(engine), read_only=True)
    with read_models.projector.current():
        for family in FAMILIES:
            aliases = read_models.standings.state.families[family].aliases
            registry.named[family] = {alias: aliases[alias] for alias in ALIASES}
    engine.dispose()
    return registry
