"""The service's sealing job: its key, its archive, its place among the jobs."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from gameplay.config import Settings
from gameplay.core import open_core
from gameplay.serving.schedule import Schedule
from ledger.sealing.keys import public_path, read_verifier
from ledger.sealing.seals import read_seals
from ledger.verification.audit import audit
from projections.audit.archive import open_archive
from tests.builders import game_started
from tests.gameplay.fakes import FakeRegistry


def test_the_service_seals_with_its_own_key_and_the_model_store_as_archive(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, promotion_schedule=None)
    core = open_core(settings, registry=FakeRegistry())
    try:
        core.ledger.append("game-g1", [game_started()], 0)
        made = core.open_sealer().run(2**62)

        assert made is not None
        verifier = read_verifier(public_path(tmp_path / "seal.key"))
        archived = open_archive(str(tmp_path / "models")).notes()
        assert (
            archived
            == [(seal.size, seal.checkpoint) for seal in read_seals(core.ledger)]
            == [(1, made.checkpoint)]
        )
        report = audit(core.ledger, verifiers=[verifier], archived=archived)
        assert (report.findings, report.claims) == ((), 2)
    finally:
        core.close()


def test_the_key_is_where_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", seal_key=tmp_path / "keys" / "own.key")
    core = open_core(settings, registry=FakeRegistry())
    try:
        core.open_sealer()

        assert (tmp_path / "keys" / "own.key").is_file()
        assert not (tmp_path / "data" / "seal.key").exists()
    finally:
        core.close()


def test_sealing_is_one_of_the_jobs_whose_failures_are_counted(tmp_path: Path) -> None:
    process = CollectorRegistry()
    core = open_core(Settings(data_dir=tmp_path, promotion_schedule=None), registry=FakeRegistry())
    try:
        Schedule(core, process)

        samples = [sample for family in process.collect() for sample in family.samples]
        failures = {
            tuple(one.labels.values()): one.value for one in samples if one.name == "rps_job_failures_total"
        }
        assert failures["seal",] == 0
    finally:
        core.close()
