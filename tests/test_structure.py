"""The arrows between the packages and the habits within them, read from the source.

Every rule is a function from a folder to its findings, so that each can be shown a folder that breaks it.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("ledger", "projections", "gameplay", "migrations")
LINES_MAX = 500

# What each package may import beside itself and the standard library; `None`: the outside world.
ALLOWED: dict[str, frozenset[str] | None] = {
    "ledger": frozenset({"msgspec", "sqlalchemy"}),
    "projections": frozenset({"ledger", "msgspec", "sqlalchemy", "prometheus_client", "scipy", "click", "rich"}),
    "gameplay": None,
    "migrations": frozenset({"ledger", "sqlalchemy", "alembic"}),
}
# What a few modules may import beyond their package's share.
EXTRA = {
    "ledger.sealing.keys": frozenset({"cryptography"}),
    "projections.audit.archive": frozenset({"obstore"}),
}
ONLY_HOME = {"mlflow": "gameplay.models.registry"}
ONE_HOME = frozenset({"sklearn", "xgboost", "skl2onnx", "onnxmltools", "onnxruntime"})
# They take a second or more to import, which those who do not need them should not pay.
HEAVY = ONE_HOME | {"mlflow", "onnx", "matplotlib", "alembic", "scipy"}

ENVIRONMENT_READERS = {
    "gameplay.config": "makes the settings of it, once, for everybody",
    "gameplay.models.registry": "MLflow takes its time-outs from there alone; it sets what is unset",
}
BROAD_HANDLERS = {
    "gameplay.serving.cross_family": "the task's outermost loop: without it the next round would wait for ever",
    "gameplay.models.graph": "the runtime's errors have no root but Exception: translated, once",
    "gameplay.models.loaded": "the loading thread's outermost loop: without it nothing would be loaded again",
    "gameplay.serving.service": "the preparing thread's outermost frame: it logs and raises again",
    "gameplay.training.fit": "a run's outermost frame: three libraries fit, and a failed run is an event",
    "ledger.writer": "the thread's outermost loop: a dead writer would hang every caller",
    "projections.projector": "a handler's bug may raise anything: it is raised again, with its position",
}


class Module(NamedTuple):
    name: str
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]


class Import(NamedTuple):
    importer: Module
    target: str
    line: int
    lazy: bool

    @property
    def package(self) -> str:
        return self.target.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.importer.name}:{self.line} imports {self.target}"


def modules(root: Path) -> list[Module]:
    """Every module of the packages under `root`."""
    found = []
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_text("utf-8"))))
    return found


def imports(root: Path) -> list[Import]:
    """Every import of every module, inside functions and type-checking blocks too."""
    all_modules = modules(root)
    names = {module.name for module in all_modules}
    return [found for module in all_modules for found in imports_of(module, names)]


def imports_of(module: Module, names: set[str]) -> Iterator[Import]:
    lazy = {
        inner
        for outer in ast.walk(module.tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(module.tree):
        for target in targets(module, node, names):
            assert isinstance(node, ast.stmt)
            yield Import(module, target, node.lineno, node in lazy)


def targets(module: Module, node: ast.AST, names: set[str]) -> list[str]:
    """The modules that a statement imports, by their full names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        is_package = module.path.name == "__init__.py"
        above = module.name.split(".")[: None if is_package and node.level == 1 else is_package - node.level]
        base = ".".join([*above, *([base] if base else [])])
    inner = [f"{base}.{alias.name}" for alias in node.names]
    return sorted({target if target in names else base for target in inner})


def wrong_arrows(root: Path) -> list[str]:
    """Imports that a package, or a module of it, has no leave for."""
    findings = []
    for found in imports(root):
        importer = found.importer
        allowed = ALLOWED[importer.package]
        if found.package == importer.package or found.package in sys.stdlib_module_names:
            continue
        if allowed is None or found.package in allowed or found.package in extra(importer.name):
            continue
        findings.append(str(found))
    return findings


def extra(name: str) -> frozenset[str]:
    """A module may be split into several whose names begin like its own."""
    return frozenset().union(*(more for start, more in EXTRA.items() if name.startswith(start)))


def strayed_libraries(root: Path) -> list[str]:
    """Libraries that are imported by another module than their home, or that have two homes."""
    homes: dict[str, set[str]] = {}
    for found in imports(root):
        homes.setdefault(found.package, set()).add(found.importer.name)
    strayed = [
        f"{library} is imported by {importer}, not by {home} alone"
        for library, home in ONLY_HOME.items()
        for importer in sorted(homes.get(library, set()) - {home})
    ]
    shared = [
        f"{library} is imported by {', '.join(sorted(homes[library]))}: one module is enough"
        for library in sorted(ONE_HOME & homes.keys())
        if len(homes[library]) > 1
    ]
    return strayed + shared


def lazy_imports(root: Path) -> list[str]:
    """Imports inside a function, but for those that take long."""
    return [str(found) for found in imports(root) if found.lazy and found.package not in HEAVY]


def cycles(root: Path) -> list[str]:
    """Modules that import each other, by whatever detour."""
    names = {module.name for module in modules(root)}
    edges: dict[str, set[str]] = {name: set() for name in names}
    for found in imports(root):
        if found.target in names:
            edges[found.importer.name].add(found.target)
    # Whoever imports nothing that is left is in no cycle; take those away until none is left to take.
    while free := {name for name, imported in edges.items() if not imported & edges.keys()}:
        edges = {name: imported for name, imported in edges.items() if name not in free}
    return [f"{name} imports {', '.join(sorted(edges[name] & edges.keys()))}" for name in sorted(edges)]


def long_files(root: Path) -> list[str]:
    """Files that hold more than one noun, to judge by their length."""
    lengths = {module.name: len(module.path.read_text("utf-8").splitlines()) for module in modules(root)}
    return [f"{name} has {length} lines" for name, length in lengths.items() if length > LINES_MAX]


def broad_handlers(root: Path) -> list[str]:
    """Handlers that catch everything, outside the modules where one is argued for."""
    return [
        f"{module.name}:{node.lineno} catches everything"
        for module in modules(root)
        if module.name not in BROAD_HANDLERS
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    ]


def is_broad(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return not caught.isdisjoint({"Exception", "BaseException"})


def prints(root: Path) -> list[str]:
    """Calls of `print`: the CLIs write through click and rich, all others log."""
    return [
        f"{module.name}:{node.lineno} prints"
        for module in modules(root)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def environment_readers(root: Path) -> list[str]:
    """Modules that touch the environment, but for those that have a reason."""
    readers = []
    for module in modules(root):
        for node in ast.walk(module.tree):
            words = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                words = {node.attr}
            if not words.isdisjoint({"environ", "environb", "getenv", "getenvb"}):
                readers.append(module.name)
    return [f"{name} reads the environment" for name in readers if name not in ENVIRONMENT_READERS]


Rule = Callable[[Path], list[str]]
RULES: tuple[Rule, ...] = (
    wrong_arrows,
    strayed_libraries,
    lazy_imports,
    cycles,
    long_files,
    broad_handlers,
    prints,
    environment_readers,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_packages_keep_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


def test_all_packages_are_looked_at() -> None:
    assert {module.package for module in modules(ROOT)} == set(PACKAGES)
    assert any(found.target == "ledger.chain" for found in imports(ROOT))


def test_every_broad_handler_that_is_argued_for_exists() -> None:
    with_one = {
        module.name
        for module in modules(ROOT)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    }

    assert with_one == BROAD_HANDLERS.keys()


def tree(root: Path, **sources: str) -> Path:
    """A folder with modules, given by names in which a double underscore stands for the dot."""
    for name, source in sources.items():
        path = (root / name.replace("__", "/")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return root


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("ledger__store", "import projections.rules"),
        ("ledger__store", "from gameplay import rules"),
        ("ledger__store", "def f():\n    from gameplay.rules import winner"),
        ("ledger__store", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import gameplay"),
        ("ledger__store", "from ..gameplay import rules"),
        ("ledger__store", "import click"),
        ("ledger__store", "import cryptography.hazmat"),
        ("ledger__store", "import migrations"),
        ("projections__rules", "from gameplay.rules import winner"),
        ("projections__rules", "import scipy, numpy"),
        ("projections__rules", "import obstore"),
        ("projections__rules", "import migrations"),
        ("projections__deep__rules", "from ...gameplay import rules"),
        ("migrations__env", "import projections"),
        ("migrations__env", "import click"),
    ],
)
def test_a_wrong_arrow_is_found(tmp_path: Path, importer: str, statement: str) -> None:
    tree(tmp_path, gameplay__rules="winner = 1", **{importer: statement})

    (finding,) = wrong_arrows(tmp_path)

    assert finding.startswith(importer.replace("__", "."))


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        ("ledger__sealing__keys", "import cryptography.hazmat"),
        ("ledger__store", "import json, msgspec\nfrom sqlalchemy import Table\nfrom . import chain"),
        ("projections__audit__archive_store", "import obstore"),
        ("projections__rules", "from ledger import events\nfrom .tickers import fold"),
        ("gameplay__web__app", "import starlette, ledger, projections, migrations\nfrom ..rules import winner"),
    ],
)
def test_a_right_arrow_is_left_alone(tmp_path: Path, importer: str, statement: str) -> None:
    tree(tmp_path, **{importer: statement})

    assert wrong_arrows(tmp_path) == []


@pytest.mark.parametrize(
    ("rule", "sources"),
    [
        (strayed_libraries, {"gameplay__training__fit": "import mlflow"}),
        (strayed_libraries, {"gameplay__a": "import xgboost", "gameplay__b": "from xgboost import Booster"}),
        (lazy_imports, {"ledger__store": "def f():\n    import json"}),
        (lazy_imports, {"ledger__store": "class A:\n    async def f(self):\n        from json import dumps"}),
        (cycles, {"ledger__a": "from ledger import b", "ledger__b": "from ledger.a import x"}),
        (
            cycles,
            {"ledger__a": "from . import b", "ledger__b": "import ledger.c", "ledger__c": "from .a import x"},
        ),
        (cycles, {"ledger__a": "import ledger.a"}),
        (long_files, {"ledger__store": "x = 1\n" * (LINES_MAX + 1)}),
        (broad_handlers, {"ledger__store": "try:\n    pass\nexcept Exception:\n    pass"}),
        (broad_handlers, {"ledger__store": "try:\n    pass\nexcept (OSError, BaseException):\n    pass"}),
        (broad_handlers, {"ledger__store": "try:\n    pass\nexcept:\n    pass"}),
        (prints, {"gameplay__cli": "print('hello')"}),
        (environment_readers, {"gameplay__cli": "import os\nx = os.environ['HOME']"}),
        (environment_readers, {"gameplay__cli": "from os import getenv"}),
    ],
)
def test_a_broken_rule_is_found(tmp_path: Path, rule: Rule, sources: dict[str, str]) -> None:
    assert rule(tree(tmp_path, **sources)) != []


def test_what_is_allowed_is_left_alone(tmp_path: Path) -> None:
    tree(
        tmp_path,
        gameplay__models__registry="def f():\n    import mlflow",
        gameplay__training__estimators="def f():\n    import sklearn.neural_network\n    from sklearn import svm",
        gameplay__config="import os\nhome = os.environ['HOME']",
        gameplay____init__="from gameplay.config import home",
        ledger__writer="try:\n    pass\nexcept Exception:\n    raise",
        ledger__store="import os\nx = os.urandom(1)\ntry:\n    pass\nexcept (OSError, ValueError):\n    pass",
    )

    assert [finding for rule in RULES for finding in rule(tmp_path)] == []
