"""A database that an older release has left, and its migration by this one, killed on the way."""

import shutil
import signal

from alembic import command
from alembic.config import Config

from ledger.engines.database import defining, disposing, open_engine
from ledger.store import Ledger
from ledger.streams import game_stream
from ledger.upgrade import REVISION, current_revision, scripts
from ledger.verification.audit import audit
from tests.builders import game_started
from tests.crash.lives import NEVER, Lives

OLD_REVISION = "0003"
GAMES = 20


def killed_migration(lives: Lives, moment: tuple[str, int]) -> None:
    """Migrate, killed at the moment and then to the end: never half, and nothing is lost."""
    folder = lives.settings.data_dir.with_name("old release")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    url = f"sqlite:///{folder / 'ledger.db'}"
    with disposing(open_engine(url)) as engine:
        config = Config()
        config.set_main_option("script_location", str(scripts()))
        with defining(engine) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, OLD_REVISION)
        ledger = Ledger(engine)
        for number in range(GAMES):
            ledger.append(game_stream(f"g{number}"), [game_started(game_id=f"g{number}")], 0)
        head = ledger.head()
    for how, code, revision in ((moment, -signal.SIGKILL, OLD_REVISION), (NEVER, 0, REVISION)):
        assert lives.run(how, "migrate", data_dir=folder) == code
        with disposing(open_engine(url)) as engine:
            assert current_revision(engine) == revision
            assert Ledger(engine).head() == head
            if code == 0:
                assert not audit(Ledger(engine)).findings
