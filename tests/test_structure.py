"""The arrows between the packages and the habits within them, read from the source.

Every rule is a function from the source of a folder to its findings, so that each can be shown a folder
that breaks it.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.source import PACKAGES, Import, Source, read_source, room_of

ROOT = Path(__file__).parents[1]
SOURCE = read_source(ROOT)
LINES_MAX = 500

# Folders around the packages: none is imported by a package, or by a folder that stands before it.
AROUND = ("scripts", "bench", "tests")

# The rooms of each package from the ground up: a room imports only from those that stand before it.
ROOMS: dict[str, tuple[str, ...]] = {
    "ledger": (
        "errors",
        "decoders",
        "files",
        "masking",
        "numbers",
        "times",
        "vocabulary",
        "facts",
        "evidence",
        "reported",
        "events",
        "codec",
        "chain",
        "ids",
        "clock",
        "streams",
        "guards",
        "schema",
        "engines",
        "upgrade",
        "grants",
        "rows",
        "retry",
        "entries",
        "appends",
        "numbering",
        "recent",
        "store",
        "identity",
        "writer",
        "opened",
        "sealing",
        "verification",
    ),
    "projections": (
        "errors",
        "since",
        "schema",
        "fold",
        "positions",
        "objects",
        "projection",
        "snapshots",
        "waypoints",
        "projector",
        "read_models",
        "past",
        "decision",
        "audit",
        "metrics",
        "notebook",
        "commands",
        "cli",
    ),
    "gameplay": (
        "cron",
        "env_file",
        "log_style",
        "telemetry",
        "setting_values",
        "config",
        "refusals",
        "identity",
        "observability",
        "game",
        "models",
        "promotion",
        "core",
        "training",
        "parity",
        "serving",
        "web",
        "client",
        "commands",
        "cli",
    ),
}
# What a room does not import although it stands before it.
CLOSED = {
    "gameplay.client": frozenset(
        {"gameplay.promotion", "gameplay.parity", "gameplay.core", "gameplay.serving", "gameplay.web"}
    )
}

# What each package may import beside itself and the standard library; `None`: the outside world.
LIBRARIES: dict[str, frozenset[str] | None] = {
    "ledger": frozenset({"msgspec", "sqlalchemy"}),
    "projections": frozenset({"ledger", "msgspec", "sqlalchemy", "prometheus_client"}),
    "gameplay": None,
    "migrations": frozenset({"ledger", "sqlalchemy", "alembic"}),
}
# What a room or a module may import beyond its package's share.
EXTRA = {
    "ledger.engines.postgresql": frozenset({"psycopg"}),
    "ledger.sealing.keys": frozenset({"cryptography"}),
    "projections.commands": frozenset({"click", "rich"}),
    "ledger.upgrade": frozenset({"alembic"}),
    "ledger.engines.dialects": frozenset({"alembic"}),
    "projections.cli": frozenset({"click", "rich"}),
}
# What any room of a package may import, and then no other.
ONE_ROOM = {"projections": frozenset({"obstore", "numpy", "matplotlib", "pyarrow"})}
ONLY_MODULES = {"mlflow": frozenset({"gameplay.models.registry", "gameplay.models.logged_model"})}
ONE_MODULE = frozenset({"sklearn", "xgboost", "skl2onnx", "onnxmltools", "onnxruntime"})
# They take a second or more to import, which those who do not need them should not pay.
HEAVY = ONE_MODULE | {"mlflow", "onnx", "pandas", "matplotlib", "alembic", "scipy", "numpy", "pyarrow"}
# A room of ours whose library only those who need it should load.
LAZY_ROOM = "ledger.engines.postgresql"
# `rps-audit` starts fast: these are imported by the function that needs them.
IN_FUNCTIONS = {"projections": frozenset({"numpy", "matplotlib", "pyarrow"})}

# Folders of tests/ beside those of the packages: what they run crosses all rooms.
TESTS_OF_THE_WHOLE = frozenset({"crash", "fuzz", "guarantees", "lifecycle", "mutants", "ops", "prometheus"})

# Tests in a package's folders that bear no module's name: they ask one question of several modules.
TESTS_OF_SEVERAL = {
    "gameplay/commands/test_secrets": "no command prints or records a secret",
    "gameplay/promotion/test_convergence": "the registry converges to the ledger, crash by crash",
    "gameplay/promotion/test_identity": "a number that was handed out again moves nothing, wherever it comes in",
    "gameplay/serving/test_cluster": "several processes over one ledger, on each kind of database",
    "gameplay/serving/test_restart": "a service that is killed keeps what it has answered",
    "gameplay/serving/test_service_postgresql": "the service on a database server",
    "gameplay/serving/test_sealing": "the sealing job: its key, its archive, its place among the jobs",
    "gameplay/test_foreign_game": "a program that is not ours appends a game, and everything counts it",
    "gameplay/web/console/test_shots": "the pictures of docs/console.md can be taken",
    "gameplay/web/test_bad_input": "every route refuses what is wrong, and writes nothing",
    "gameplay/web/test_poison": "every route names the event that cannot be read",
    "gameplay/web/test_secrets": "no answer of any route holds a secret",
    "ledger/test_append_only": "the triggers below the code",
    "ledger/test_append_only_postgresql": "the same on PostgreSQL",
    "ledger/test_crash": "an appender that is killed",
    "ledger/verification/test_backup_postgresql": "backups on PostgreSQL",
    "ledger/verification/test_walk_postgresql": "what a superuser changes",
    "ledger/test_tailing": "many append and several read along",
    "ledger/test_interleavings": "appends of several processes, in every order",
    "migrations/test_migrations": "the migrations add up to the schema",
    "migrations/test_migrations_postgresql": "the same on PostgreSQL",
    "projections/commands/test_answers": "what every command answers about the example, whole",
    "projections/commands/test_commands": "options that several commands share",
    "projections/commands/test_damage": "every command on a damaged file",
    "gameplay/promotion/test_parity_guard": "a guard: decided, derived again, and asked of the past",
    "projections/test_first_release": "a ledger of the first release, through every fold",
    "projections/test_golden_state": "the states of all projections after one story",
}

ENVIRONMENT_READERS = {
    "gameplay.config": "makes the settings of it, once, for everybody",
    "gameplay.telemetry": "the libraries read their opt-outs from there alone, at their import",
    "gameplay.models.registry": "MLflow takes its time-outs from there alone; it sets what is unset",
    "ledger.engines.postgresql_dump": "hands it on to PostgreSQL's programs, which know what in it is for them",
}
BROAD_HANDLERS = {
    "gameplay.serving.cross_family": "the task's outermost loop: no round may end it",
    "gameplay.models.deadlines": "a call's outermost frame: what it raises is raised to who waits for it",
    "projections.commands.program": "the program's outermost frame: a fault is no finding, whose status is 1",
    "projections.commands.replaying": "a module that is not ours may raise anything when it is imported",
    "projections.objects": "a panic is no Exception, and its class cannot be imported: translated, once",
    "gameplay.models.graph": "the runtime's errors have no root but Exception: translated, once",
    "gameplay.models.loaded": "the loading thread's outermost loop: without it nothing would be loaded again",
    "gameplay.serving.scheduler": "a job's outermost frame: an extension's panic is no Exception",
    "gameplay.serving.threads": "a thread's outermost frame: what ended it is shown at /healthz",
    "gameplay.training.fit": "a run's outermost frame: three libraries fit, and a failed run is an event",
    "ledger.writer": "the thread's outermost loop: a dead writer would hang every caller",
    "projections.fold": "a reader's bug may raise anything: it is raised again, with its position",
}


def wrong_arrows(source: Source) -> list[str]:
    """Imports of other packages and of libraries that a package, a room or a module may not use."""
    findings = []
    for found in source.imports:
        package, allowed = found.importer.package, LIBRARIES[found.importer.package]
        if found.package == package or found.package in sys.stdlib_module_names or allowed is None:
            continue
        if found.package not in allowed | _extra(found.importer.name) | ONE_ROOM.get(package, frozenset()):
            findings.append(str(found))
    return findings


def _extra(name: str) -> frozenset[str]:
    """A module may be split into several whose names begin like its own."""
    return frozenset().union(*(more for start, more in EXTRA.items() if name.startswith(start)))


def rooms_without_place(source: Source) -> list[str]:
    """Rooms that ROOMS does not name."""
    rooms = {(module.package, module.room) for module in source.modules if module.room}
    return [
        f"{package}.{room} has no place in ROOMS"
        for package, room in sorted(rooms)
        if package in ROOMS and room not in ROOMS[package]
    ]


def upward_arrows(source: Source) -> list[str]:
    """Imports from a room that stands after the importer's own, or that is closed to it."""
    return [str(found) for found in source.imports if _is_inner(found) and _leads_up(found)]


def _is_inner(found: Import) -> bool:
    """From room to room of one package; a package's own `__init__` stands above its rooms."""
    return found.package == found.importer.package and "" not in (room_of(found.target), found.importer.room)


def _leads_up(found: Import) -> bool:
    package, importer, imported = found.package, found.importer.room, room_of(found.target)
    order = ROOMS.get(package, ())
    if importer == imported or not {importer, imported} <= set(order):
        return False
    closed = f"{package}.{imported}" in CLOSED.get(f"{package}.{importer}", ())
    return closed or order.index(imported) > order.index(importer)


def rooms_named_as_their_house(source: Source) -> list[str]:
    """Folders and files that bear the name of the folder that they are in."""
    return [module.name for module in source.modules if _repeats(module.name.split("."))]


def _repeats(parts: list[str]) -> bool:
    return any(outer == inner for outer, inner in pairwise(parts))


def strayed_libraries(source: Source) -> list[str]:
    """Libraries that are imported by another module than their own, or by two modules or rooms."""
    importers: dict[str, set[str]] = {}
    for found in source.imports:
        importers.setdefault(found.package, set()).add(found.importer.name)
    strayed = [
        f"{library} is imported by {importer}, not by {' and '.join(sorted(only))} alone"
        for library, only in ONLY_MODULES.items()
        for importer in sorted(importers.get(library, set()) - only)
    ]
    shared = [
        f"{library} is imported by {', '.join(sorted(importers[library]))}: one module is enough"
        for library in sorted(ONE_MODULE & importers.keys())
        if len(importers[library]) > 1
    ]
    return [*strayed, *shared, *_spread(source)]


def _spread(source: Source) -> Iterator[str]:
    for package, libraries in ONE_ROOM.items():
        for library in sorted(libraries):
            found = (one for one in source.imports if (one.importer.package, one.package) == (package, library))
            rooms = sorted({one.importer.room for one in found})
            if len(rooms) > 1:
                yield f"{library} is imported by {', '.join(rooms)} of {package}: one room is enough"


def lazy_imports(source: Source) -> list[str]:
    """Imports inside a function, but for those that take long."""
    return [
        str(found)
        for found in source.imports
        if found.lazy and found.package not in HEAVY and found.target != LAZY_ROOM
    ]


def slow_starts(source: Source) -> list[str]:
    """Heavy libraries at the top of a module of a package that starts fast."""
    return [
        str(found)
        for found in source.imports
        if not (found.lazy or found.for_types) and found.package in IN_FUNCTIONS.get(found.importer.package, ())
    ]


def cycles(source: Source) -> list[str]:
    """Modules that import each other, by whatever detour."""
    edges: dict[str, set[str]] = {name: set() for name in source.names}
    for found in source.imports:
        if found.target in edges:
            edges[found.importer.name].add(found.target)
    # A module that imports nothing that is left is in no cycle; take those away until none is left to take.
    while free := {name for name, imported in edges.items() if not imported & edges.keys()}:
        edges = {name: imported for name, imported in edges.items() if name not in free}
    return [f"{name} imports {', '.join(sorted(edges[name] & edges.keys()))}" for name in sorted(edges)]


def long_files(source: Source) -> list[str]:
    """Files that hold more than one noun, to judge by their length."""
    lengths = {module.name: len(module.text.splitlines()) for module in source.modules}
    return [f"{name} has {length} lines" for name, length in lengths.items() if length > LINES_MAX]


def broad_handlers(source: Source) -> list[str]:
    """Handlers that catch everything, outside the modules where one is argued for."""
    return [f"{name}:{line} catches everything" for name, line in _broad(source) if name not in BROAD_HANDLERS]


def _broad(source: Source) -> Iterator[tuple[str, int]]:
    for module in source.modules:
        for node in module.nodes:
            if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                yield module.name, node.lineno


def _is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return not caught.isdisjoint({"Exception", "BaseException"})


def prints(source: Source) -> list[str]:
    """Calls of `print`: the CLIs write through click and rich, all others log."""
    return [
        f"{module.name}:{node.lineno} prints"
        for module in source.modules
        for node in module.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def hasty_decoders(source: Source) -> list[str]:
    """Decoders of a type that do not take turns with those of other threads."""
    return [
        f"{module.name}:{node.lineno} makes a decoder itself: ledger.decoders makes them one at a time"
        for module in source.modules
        for node in module.nodes
        if module.name != "ledger.decoders" and isinstance(node, ast.Call) and _makes_decoder(node)
    ]


def _makes_decoder(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="msgspec"), attr="convert"):
            return True
        case ast.Attribute(attr="Decoder") | ast.Name(id="Decoder"):
            return bool(call.args or call.keywords)
        case ast.Attribute(attr="decode") | ast.Name(id="decode"):
            return any(keyword.arg == "type" for keyword in call.keywords)
    return False


def environment_readers(source: Source) -> list[str]:
    """Modules that touch the environment, but for those that have a reason."""
    readers = []
    for module in source.modules:
        for node in module.nodes:
            words = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                words = {node.attr}
            if not words.isdisjoint({"environ", "environb", "getenv", "getenvb"}):
                readers.append(module.name)
    return [f"{name} reads the environment" for name in readers if name not in ENVIRONMENT_READERS]


def unmirrored_tests(source: Source) -> list[str]:
    """Tests of a package that mirror none of its folders or, in that folder, no module and no folder."""
    tests = source.root / "tests"
    findings = []
    for path in sorted(path.relative_to(tests) for path in tests.rglob("test_*.py")):
        folder, name = source.root / path.parent, path.stem.removeprefix("test_")
        if path.parent == Path() or path.parts[0] in TESTS_OF_THE_WHOLE:
            continue
        if not folder.is_dir():
            findings.append(f"tests/{path} is in a folder that mirrors none")
        elif path.with_suffix("").as_posix() not in TESTS_OF_SEVERAL and not _mirrors(folder, name):
            findings.append(f"tests/{path} bears the name of no module: rename it, or say why in TESTS_OF_SEVERAL")
    return findings


def _mirrors(folder: Path, name: str) -> bool:
    """A module's tests may be several files, whose names begin like its own."""
    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    return any(name == module or name.startswith(f"{module}_") for module in modules)


Rule = Callable[[Source], list[str]]
RULES: tuple[Rule, ...] = (
    wrong_arrows,
    rooms_without_place,
    upward_arrows,
    rooms_named_as_their_house,
    strayed_libraries,
    lazy_imports,
    slow_starts,
    cycles,
    long_files,
    broad_handlers,
    prints,
    hasty_decoders,
    environment_readers,
    unmirrored_tests,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_packages_keep_the_rule(rule: Rule) -> None:
    assert rule(SOURCE) == []


def outward_arrows(root: Path) -> list[str]:
    """Imports of a folder around the packages by a package, or by a folder that stands before it."""
    order = (*PACKAGES, *AROUND)
    return [
        f"{path.relative_to(root)} imports {target}"
        for place, folder in enumerate(order[:-1])  # the last one may import all others
        for path in sorted((root / folder).rglob("*.py"))
        for target in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text("utf-8"), re.MULTILINE)
        if target in AROUND and order.index(target) > place
    ]


def test_no_arrow_leads_out_of_the_packages() -> None:
    assert outward_arrows(ROOT) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [("ledger", "scripts"), ("gameplay", "tests"), ("scripts", "bench"), ("scripts", "tests"), ("bench", "tests")],
)
def test_an_arrow_out_is_found(tmp_path: Path, importer: str, imported: str) -> None:
    (tmp_path / importer).mkdir()
    (tmp_path / importer / "one.py").write_text(f"def late():\n    from {imported}.two import three\n")

    assert outward_arrows(tmp_path) == [f"{importer}/one.py imports {imported}"]


def test_all_packages_are_looked_at() -> None:
    assert {module.package for module in SOURCE.modules} == set(PACKAGES)
    assert any(found.target == "ledger.chain" for found in SOURCE.imports)


def test_every_room_that_has_a_place_exists() -> None:
    rooms = {(module.package, module.room) for module in SOURCE.modules}

    assert {(package, room) for package, order in ROOMS.items() for room in order} <= rooms


def test_every_test_of_several_modules_exists() -> None:
    assert [name for name in TESTS_OF_SEVERAL if not (ROOT / "tests" / name).with_suffix(".py").exists()] == []


def test_every_broad_handler_that_is_argued_for_exists() -> None:
    assert {name for name, _ in _broad(SOURCE)} == BROAD_HANDLERS.keys()


def tree(root: Path, sources: Mapping[str, str]) -> Source:
    """The source of a folder with modules, given by their paths."""
    for name, source in sources.items():
        path = (root / name).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return read_source(root)


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("ledger/store", "import projections.rules"),
        ("ledger/store", "from gameplay import rules"),
        ("ledger/store", "def f():\n    from gameplay.rules import winner"),
        ("ledger/store", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import gameplay"),
        ("ledger/store", "from ..gameplay import rules"),
        ("ledger/store", "import click"),
        ("ledger/store", "import cryptography.hazmat"),
        ("ledger/store", "import migrations"),
        ("projections/rules", "from gameplay.rules import winner"),
        ("ledger/sealing/seals", "import cryptography"),
        ("ledger/verification/walk", "import numpy"),
        ("projections/rules", "import numpy, torch"),
        ("projections/audit/what_if", "from rich.table import Table"),
        ("projections/metrics/series", "import click"),
        ("projections/rules", "import migrations"),
        ("projections/deep/rules", "from ...gameplay import rules"),
        ("migrations/env", "import projections"),
        ("migrations/env", "import click"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path: Path, importer: str, statement: str) -> None:
    source = tree(tmp_path, {"gameplay/rules": "winner = 1", importer: statement})

    (finding,) = wrong_arrows(source)

    assert finding.startswith(importer.replace("/", "."))


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("ledger/sealing/keys", "import cryptography.hazmat"),
        ("ledger/store", "import json, msgspec\nfrom sqlalchemy import Table\nfrom . import chain"),
        ("projections/audit/archive", "import obstore"),
        ("projections/commands/console", "import click\nfrom rich.table import Table"),
        ("projections/cli", "import click, rich"),
        ("projections/decision/rules", "def f():\n    import numpy"),
        ("projections/rules", "from ledger import events\nfrom .tickers import fold"),
        ("gameplay/web/app", "import starlette, ledger, projections\nfrom ..rules import winner"),
        ("ledger/upgrade", "def f():\n    from alembic import command"),
    ],
)
def test_a_right_arrow_is_left_alone(tmp_path: Path, importer: str, statement: str) -> None:
    assert wrong_arrows(tree(tmp_path, {importer: statement})) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("ledger/errors", "ledger/store"),
        ("ledger/store", "ledger/sealing/seals"),
        ("ledger/engines/sqlite", "ledger/verification/walk"),
        ("projections/read_models/counters", "projections/audit/recount"),
        ("projections/decision/rules", "projections/cli"),
        ("gameplay/game/rules", "gameplay/models/store"),
        ("gameplay/serving/play", "gameplay/web/app"),
        ("gameplay/promotion/plan", "gameplay/core"),
        ("gameplay/client/simulate", "gameplay/web/games"),
        ("gameplay/client/cycles", "gameplay/serving/play"),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_an_arrow_up_is_found(tmp_path: Path, importer: str, imported: str, lazy: bool) -> None:
    statement = f"import {imported.replace('/', '.')}"
    sources = {importer: f"def f():\n    {statement}" if lazy else statement, imported: "x = 1"}

    (finding,) = upward_arrows(tree(tmp_path, sources))

    assert finding.endswith(f"imports {imported.replace('/', '.')}")


def test_a_room_may_import_those_before_it_and_itself(tmp_path: Path) -> None:
    source = tree(
        tmp_path,
        {
            "ledger/events": "x = 1",
            "ledger/store": "from ledger import events",
            "ledger/sealing/keys": "from ledger.store import x",
            "ledger/sealing/seals": "from .keys import x\nfrom ..events import x",
            "gameplay/client/cycles": "from gameplay.game.rules import x\nimport gameplay.training.dataset",
            "gameplay/game/rules": "x = 1",
            "gameplay/training/dataset": "x = 1",
        },
    )

    assert upward_arrows(source) == []


@pytest.mark.parametrize(
    ("rule", "sources"),
    [
        (strayed_libraries, {"gameplay/training/fit": "import mlflow"}),
        (strayed_libraries, {"gameplay/a": "import xgboost", "gameplay/b": "from xgboost import Booster"}),
        (lazy_imports, {"ledger/store": "def f():\n    import json"}),
        (lazy_imports, {"ledger/store": "class A:\n    async def f(self):\n        from json import dumps"}),
        (cycles, {"ledger/a": "from ledger import b", "ledger/b": "from ledger.a import x"}),
        (
            cycles,
            {"ledger/a": "from . import b", "ledger/b": "import ledger.c", "ledger/c": "from .a import x"},
        ),
        (cycles, {"ledger/a": "import ledger.a"}),
        (rooms_without_place, {"gameplay/utils": "x = 1"}),
        (rooms_without_place, {"projections/reports/daily": "x = 1"}),
        (rooms_named_as_their_house, {"gameplay/promotion/promotion": "x = 1"}),
        (rooms_named_as_their_house, {"ledger/ledger": "x = 1"}),
        (rooms_named_as_their_house, {"gameplay/web/console/console/__init__": "x = 1"}),
        (
            strayed_libraries,
            {"projections/audit/archive": "import obstore", "projections/metrics/backfill": "import obstore"},
        ),
        (
            strayed_libraries,
            {
                "projections/decision/rules": "def f():\n    import numpy.linalg",
                "projections/audit/sweep": "def f():\n    from numpy import random",
            },
        ),
        (slow_starts, {"projections/decision/rules": "import numpy.linalg"}),
        (
            slow_starts,
            {"projections/a": "if TYPE_CHECKING:\n    x = 1\nelse:\n    import numpy"},
        ),
        (unmirrored_tests, {"ledger/store": "x = 1", "tests/ledger/sealing/test_keys": "x = 1"}),
        (unmirrored_tests, {"gameplay/cli": "x = 1", "tests/elsewhere/test_cli": "x = 1"}),
        (unmirrored_tests, {"ledger/store": "x = 1", "tests/ledger/test_storage": "x = 1"}),
        (long_files, {"ledger/store": "x = 1\n" * (LINES_MAX + 1)}),
        (broad_handlers, {"ledger/store": "try:\n    pass\nexcept Exception:\n    pass"}),
        (broad_handlers, {"ledger/store": "try:\n    pass\nexcept (OSError, BaseException):\n    pass"}),
        (broad_handlers, {"ledger/store": "try:\n    pass\nexcept:\n    pass"}),
        (prints, {"gameplay/cli": "print('hello')"}),
        (hasty_decoders, {"ledger/store": "import msgspec\ndef f(x):\n    return msgspec.convert(x, int)"}),
        (hasty_decoders, {"gameplay/web/feed": "import msgspec\nx = msgspec.json.Decoder(list[int]).decode"}),
        (hasty_decoders, {"projections/past": "from msgspec import msgpack\nx = msgpack.decode(b'', type=int)"}),
        (environment_readers, {"gameplay/cli": "import os\nx = os.environ['HOME']"}),
        (environment_readers, {"gameplay/cli": "from os import getenv"}),
    ],
)
def test_a_broken_rule_is_found(tmp_path: Path, rule: Rule, sources: dict[str, str]) -> None:
    assert rule(tree(tmp_path, sources)) != []


def test_what_is_allowed_is_left_alone(tmp_path: Path) -> None:
    source = tree(
        tmp_path,
        {
            "gameplay/models/registry": "def f():\n    import mlflow",
            "gameplay/training/estimators": "def f():\n    import sklearn.ensemble\n    from sklearn import svm",
            "ledger/decoders": "import msgspec\ndef f(kind):\n    return msgspec.json.Decoder(kind)",
            "gameplay/web/numbers": "import msgspec\nx = msgspec.json.Decoder()\ny = msgspec.json.decode(b'1')",
            "gameplay/config": "import os\nhome = os.environ['HOME']",
            "gameplay/__init__": "from gameplay.config import home",
            "ledger/writer": "try:\n    pass\nexcept Exception:\n    raise",
            "ledger/store": "import os\nx = os.urandom(1)\ntry:\n    x\nexcept (OSError, ValueError):\n    x",
            "projections/decision/rules": "def f():\n    import numpy.linalg",
            "projections/decision/ranking": "def f():\n    import numpy.random",
            "projections/decision/e_process": (
                "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy as np\nelse:\n    x = 1"
            ),
            "tests/ledger/test_store": "x = 1",
            "tests/ledger/test_store_append": "x = 1",
            "tests/gameplay/test_models": "x = 1",
            "tests/gameplay/models/test_registry": "x = 1",
            "tests/prometheus/test_scraping": "x = 1",
            "tests/test_structure": "x = 1",
        },
    )

    assert [finding for rule in RULES for finding in rule(source)] == []
