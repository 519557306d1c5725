from pathlib import Path

import pytest

from tests.projections.commands.answers import FOLDER, QUESTIONS, answers, prepare, written

RENEW = "python -m tests.projections.commands.answers"


@pytest.fixture(scope="module")
def prepared(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    prepare(example, folder)
    return folder


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_command_answers_as_it_did(prepared: Path, name: str) -> None:
    """Headings, cells, keys and values: what a person reads and a program parses."""
    assert answers(prepared, name) == (FOLDER / f"{name}.txt").read_text("utf-8"), f"if it is meant: `{RENEW}`"


def test_every_file_of_answers_is_compared() -> None:
    assert {path.stem for path in written()} == QUESTIONS.keys()
