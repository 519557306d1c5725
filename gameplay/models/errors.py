"""What can go wrong around the models. Every error carries its facts and says them in its message."""

from collections.abc import Sequence

from ledger.vocabulary import FallbackReason, Family


class ModelError(Exception):
    """The root of what registry, model store, models and training raise on purpose."""


class RegistryError(ModelError):
    """MLflow did not do what it was asked for."""


class RegistryUnavailable(RegistryError):  # noqa: N818 - a state of the world, not a fault of the caller
    """MLflow cannot be reached, or failed inside."""

    def __init__(self, operation: str, problem: str) -> None:
        super().__init__(f"the model registry could not {operation}: {problem}")
        self.operation = operation
        self.problem = problem


class VersionMissing(RegistryError):  # noqa: N818
    """MLflow knows no such version, or the version lacks what serving needs."""

    def __init__(self, family: Family, version: int, problem: str) -> None:
        super().__init__(f"the model registry has no usable version {version} of {family}: {problem}")
        self.family = family
        self.version = version
        self.problem = problem


class VersionReused(RegistryError):  # noqa: N818
    """MLflow has another run behind a number than the ledger knows: it has handed the number out again."""

    def __init__(self, family: Family, version: int, problem: str) -> None:
        super().__init__(f"version {version} of {family} in the model registry is another one: {problem}")
        self.family = family
        self.version = version
        self.problem = problem


class StoreError(ModelError):
    """The model store did not do what it was asked for."""


class StoreUnavailable(StoreError):  # noqa: N818
    """The object storage cannot be reached, or refuses."""

    def __init__(self, operation: str, problem: str) -> None:
        super().__init__(f"the model store could not {operation}: {problem}")
        self.operation = operation
        self.problem = problem


class StoreSettingError(StoreError):
    """The URL or the endpoint of the object storage cannot be right. Holds no secret."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class ModelMissing(StoreError):  # noqa: N818
    """The model store holds no such version."""

    def __init__(self, family: Family, version: int) -> None:
        super().__init__(f"the model store has no version {version} of {family}")
        self.family = family
        self.version = version


class ModelDamaged(StoreError):  # noqa: N818
    """The model store holds a version that cannot be used; another copy of it repairs that."""

    def __init__(self, family: Family, version: int, problem: str) -> None:
        super().__init__(f"version {version} of {family} in the model store is damaged: {problem}")
        self.family = family
        self.version = version
        self.problem = problem


class PointerTaken(StoreError):  # noqa: N818
    """The model store holds another run under the version's number, which is never overwritten."""

    def __init__(self, family: Family, version: int, problem: str) -> None:
        super().__init__(f"version {version} of {family} in the model store is another one: {problem}")
        self.family = family
        self.version = version
        self.problem = problem


class DigestMismatch(ModelDamaged):
    """The model store holds another graph than was put there."""

    def __init__(self, family: Family, version: int, expected: str, actual: str) -> None:
        super().__init__(family, version, f"{actual} is not {expected}")
        self.expected = expected
        self.actual = actual


class GraphError(ModelError):
    """Bytes that are no servable graph, or scores that are no probabilities."""


class ModelUnavailable(ModelError):  # noqa: N818
    """A version could not be loaded from anywhere; `steps` are (reason, detail) in the order they were tried.

    `registry` is the error when the last step was a registry that did not answer.
    """

    def __init__(
        self,
        family: Family,
        version: int,
        steps: Sequence[tuple[FallbackReason, str]],
        *,
        registry: RegistryUnavailable | None = None,
    ) -> None:
        tried = "; ".join(f"{reason}: {detail}" for reason, detail in steps)
        super().__init__(f"version {version} of {family} cannot be loaded: {tried}")
        self.family = family
        self.version = version
        self.steps = tuple(steps)
        self.registry = registry


class TrainingError(ModelError):
    """A version could not be trained from these games, or must not be served."""
