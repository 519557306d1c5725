import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser

from gameplay.config import Settings
from tests.gameplay.web.console.browsers import Visit, open_browser, visiting
from tests.gameplay.web.console.told import agreeing_registry
from tests.gameplay.web.sites import Site, running_site

Opened = TypeVar("Opened")


# Playwright keeps an event loop running in the thread that has started it, where no other test could run one.
# So the browser has a thread of its own, and tests that use it run there.
THREAD = pytest.StashKey[ThreadPoolExecutor]()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that has the browser in the browser's thread."""
    if "browser" not in pyfuncitem.fixturenames:
        return None
    wanted = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in wanted}
    pyfuncitem.config.stash[THREAD].submit(pyfuncitem.obj, **arguments).result()
    return True


@pytest.fixture(scope="session")
def thread(pytestconfig: pytest.Config) -> Iterator[ThreadPoolExecutor]:
    """The browser's thread."""
    with ThreadPoolExecutor(1, "browser") as thread:
        pytestconfig.stash[THREAD] = thread
        yield thread


@pytest.fixture(scope="session")
def browser(thread: ThreadPoolExecutor) -> Iterator[Browser]:
    """One browser for all; started by the first test that wants it."""
    with within(thread, open_browser) as browser:
        yield browser


@contextmanager
def within(thread: ThreadPoolExecutor, opened: Callable[[], AbstractContextManager[Opened]]) -> Iterator[Opened]:
    """What is opened and closed in a thread, so that it can be used there."""
    held = opened()
    value = thread.submit(held.__enter__).result()
    try:
        yield value
    finally:
        thread.submit(held.__exit__, None, None, None).result()


@pytest.fixture(scope="session")
def told(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the example ledger: days of games, cycles and swaps, sealed."""
    folder = tmp_path_factory.mktemp("told") / "data"
    return shutil.copytree(example.parent, folder)


@pytest.fixture(scope="session")
def site(told: Path) -> Iterator[Site]:
    """A service over the example ledger, whose registry agrees with it."""
    settings = Settings(data_dir=told, promotion_schedule=None)
    with running_site(settings, agreeing_registry(settings)) as site:
        yield site


@pytest.fixture
def visit(thread: ThreadPoolExecutor, browser: Browser, site: Site) -> Iterator[Visit]:
    """A tab on the example ledger's pages."""
    with within(thread, partial(visiting, browser, site.url)) as visit:
        yield visit


@pytest.fixture
def visiting_as(browser: Browser, site: Site) -> Callable[..., AbstractContextManager[Visit]]:
    """A visit by another device, such as a phone."""
    return partial(visiting, browser, site.url)
