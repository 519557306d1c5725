"""Mutants: the source of a package with one small change in a function, as mutmut makes them."""

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import nsmallest
from pathlib import Path
from typing import NamedTuple

import libcst as cst
from mutmut.configuration import config
from mutmut.mutation.file_mutation import Mutation, create_mutations


class Name(NamedTuple):
    """What a mutant is called in the file of reasons: without line numbers, which move."""

    file: str
    function: str
    before: str
    after: str


class Mutant(NamedTuple):
    """A change of one function; `before` and `after` are the changed lines, stripped."""

    file: str
    function: str
    first_line: int
    """Of the function, its decorators included."""
    line: int
    before: str
    after: str
    source: str
    """The whole file with the change."""

    @property
    def name(self) -> Name:
        """What stays the same when other functions change."""
        return Name(self.file, self.function, self.before, self.after)


class _Possible(NamedTuple):
    """A change that may be drawn."""

    rank: bytes
    file: str
    module: cst.Module
    mutation: Mutation


def draw(root: Path, count: int, seed: int) -> list[Mutant]:
    """`count` mutants of the packages that pyproject.toml names for mutmut.

    Each change has a rank of its own, made from the seed and its text, and the lowest are drawn: an edit of the
    source exchanges the mutants of the edited functions, and the reasons for all others stay of use.
    """
    files = sorted(file for package in config().source_paths for file in (root / package).rglob("*.py"))
    possible = (one for file in files for one in _possible(file.read_text(), str(file.relative_to(root)), seed))
    drawn = nsmallest(count, possible, key=lambda one: one.rank)
    return [mutant_of(one.file, one.module, one.mutation) for one in sorted(drawn, key=lambda one: one.file)]


def _possible(code: str, file: str, seed: int) -> Iterator[_Possible]:
    module, found = mutations(code, file)
    seen: Counter[str] = Counter()
    for mutation in found:
        assert mutation.contained_by_top_level_function is not None
        nodes = (mutation.original_node, mutation.mutated_node)
        before, after = (module.code_for_node(node) for node in nodes)
        text = f"{seed}:{file}:{mutation.contained_by_top_level_function.name.value}:{before}:{after}"
        seen[text] += 1
        yield _Possible(hashlib.sha256(f"{text}:{seen[text]}".encode()).digest(), file, module, mutation)


def mutations(code: str, file: str) -> tuple[cst.Module, list[Mutation]]:
    """What mutmut changes in functions and methods, but for changes of text alone."""
    module, found, _, _ = create_mutations(file, code)
    return module, [
        mutation
        for mutation in found
        if isinstance(mutation.contained_by_top_level_function, cst.FunctionDef) and not changes_text(mutation)
    ]


def changes_text(mutation: Mutation) -> bool:
    """Whether a message, or a part of one, is all that is changed or taken away."""
    before, after = mutation.original_node, mutation.mutated_node
    match before:
        case cst.Call() if isinstance(after, cst.Call):
            changed = [one for one in before.args if not any(one is other for other in after.args)]
            return bool(changed) and all(is_text(one.value) for one in changed)
        case cst.Assign() | cst.AnnAssign():
            return is_text(before.value)
    return is_text(before)


def is_text(node: cst.CSTNode | None) -> bool:
    """Whether it is a string with a space in it: a sentence for people, or SQL, to which case means nothing."""
    match node:
        case cst.SimpleString():
            return " " in node.value
        case cst.FormattedString():
            return any(isinstance(part, cst.FormattedStringText) and " " in part.value for part in node.parts)
        case cst.ConcatenatedString():
            return is_text(node.left) or is_text(node.right)
    return False


def mutant_of(file: str, module: cst.Module, mutation: Mutation) -> Mutant:
    """The file with the change, and where it is."""
    changed = module.deep_replace(mutation.original_node, mutation.mutated_node)
    assert isinstance(changed, cst.Module)
    old, new = module.code.splitlines(), changed.code.splitlines()
    same = _same(old, new)
    same_after = min(_same(old[::-1], new[::-1]), len(old) - same, len(new) - same)
    line = same + 1
    name, first_line = _function_at(ast.parse(module.code), line)
    before, after = (
        "\n".join(text.strip() for text in lines[same : len(lines) - same_after]) for lines in (old, new)
    )
    return Mutant(file, name, first_line, line, before, after, changed.code)


def _same(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines are the same at the beginning."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((number for number, (one, other) in pairs if one != other), min(len(old), len(new)))


def _function_at(tree: ast.Module | ast.ClassDef, line: int, within: str = "") -> tuple[str, int]:
    """The qualified name and the first line of the outermost function that has the line."""
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                first = min(part.lineno for part in (node, *node.decorator_list))
                if not first <= line <= (node.end_lineno or first):
                    continue
                if isinstance(node, ast.ClassDef):
                    return _function_at(node, line, f"{within}{node.name}.")
                return within + node.name, first
    raise LookupError(f"line {line} is in no function")
