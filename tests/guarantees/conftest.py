from tests.gameplay.conftest import prepared

__all__ = ["prepared"]
