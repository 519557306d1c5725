"""The source of a folder, read once: its modules, each parsed, and every import in them."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("ledger", "projections", "gameplay", "migrations")


class Module(NamedTuple):
    name: str
    path: Path
    text: str
    nodes: tuple[ast.AST, ...]
    """Every node of the module, outer ones first."""

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @property
    def room(self) -> str:
        """The folder or the file right below the package; "" for the package's own `__init__`."""
        return room_of(self.name)


class Import(NamedTuple):
    importer: Module
    target: str
    line: int
    lazy: bool
    """Inside a function."""
    for_types: bool
    """Inside a type-checking block, which never runs."""

    @property
    def package(self) -> str:
        return self.target.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.importer.name}:{self.line} imports {self.target}"


class Source(NamedTuple):
    root: Path
    modules: tuple[Module, ...]
    imports: tuple[Import, ...]
    """Those inside functions and type-checking blocks too."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(module.name for module in self.modules)


def read_source(root: Path) -> Source:
    """Every module of the packages under `root`."""
    modules = tuple(_module(root, path) for package in PACKAGES for path in sorted((root / package).rglob("*.py")))
    names = {module.name for module in modules}
    return Source(root, modules, tuple(found for module in modules for found in _imports(module, names)))


def room_of(name: str) -> str:
    return name.partition(".")[2].partition(".")[0]


def _module(root: Path, path: Path) -> Module:
    parts = path.relative_to(root).with_suffix("").parts
    text = path.read_text("utf-8")
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, path, text, tuple(ast.walk(ast.parse(text))))


def _imports(module: Module, names: set[str]) -> Iterator[Import]:
    functions = (
        node for node in module.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    )
    lazy = {inner for outer in functions for inner in ast.walk(outer)}
    type_checking = (node for node in module.nodes if isinstance(node, ast.If) and _is_type_checking(node.test))
    for_types = {inner for block in type_checking for one in block.body for inner in ast.walk(one)}
    for node in module.nodes:
        for target in _targets(module, node, names):
            assert isinstance(node, ast.stmt)
            yield Import(module, target, node.lineno, node in lazy, node in for_types)


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _targets(module: Module, node: ast.AST, names: set[str]) -> list[str]:
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
