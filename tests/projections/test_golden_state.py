import json

import pytest
from sqlalchemy import Engine

from ledger.events import EVENT_CLASSES
from ledger.store import Ledger
from projections.audit.rebuild import READ_MODELS
from projections.read_models.all import ReadModels
from projections.read_models.history import NAME as HISTORY
from tests.projections import golden
from tests.projections.golden import Golden

NAMES = READ_MODELS
RENEW = "python -m tests.projections.golden"


@pytest.fixture
def present(engine: Engine) -> dict[str, Golden]:
    return golden.golden_states(engine)["projections"]


@pytest.mark.parametrize("name", NAMES)
def test_the_fixed_history_folds_to_the_golden_state(present: dict[str, Golden], name: str) -> None:
    expected, found = golden.stored()["projections"][name], present[name]

    assert found["version"] == expected["version"], f"{name} has another version: run `{RENEW}`"
    same = json.loads(json.dumps(found)) == expected
    assert same, (
        f"{name} folds to another state than its version {expected['version']} did, so that snapshots would no"
        f" longer equal a replay: raise the version of {name}, then run `{RENEW}`.\n{differences(expected, found)}"
    )


def differences(expected: Golden, found: Golden) -> str:
    before, after = (json.dumps(one, indent=1).splitlines() for one in (expected, found))
    return "\n".join(
        [
            *(f"- {line}" for line in before if line not in after),
            *(f"+ {line}" for line in after if line not in before),
        ]
    )


def test_the_golden_states_are_of_the_fixed_history(engine: Engine) -> None:
    assert golden.golden_states(engine)["history_sha256"] == golden.stored()["history_sha256"], f"run `{RENEW}`"


def test_every_projection_has_its_golden_state(engine: Engine) -> None:
    tracked = {one.projection.name for one in ReadModels(Ledger(engine)).tracked}

    assert {*tracked, HISTORY} == set(golden.stored()["projections"]) == set(NAMES)


def test_the_fixed_history_has_every_type_of_event() -> None:
    assert {type(event) for event in golden.golden_history()} == set(EVENT_CLASSES)
