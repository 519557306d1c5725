from tests.gameplay.conftest import data_dir, prepared, registry, serve, served, settings

__all__ = ["data_dir", "prepared", "registry", "serve", "served", "settings"]
