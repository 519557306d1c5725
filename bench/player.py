"""One process that plays, over a folder of models: `rps serve` would want an S3 store."""

import sys
from pathlib import Path

import uvicorn

from gameplay.config import Settings
from gameplay.web.app import create_app
from gameplay.web.server import server_config


def main(data: str, database_url: str, models: str, port: str) -> None:
    """Serve until a signal comes."""
    settings = Settings(
        data_dir=Path(data),
        database_url=database_url,
        model_store_url=models,
        mlflow_tracking_uri="http://127.0.0.1:9",
        port=int(port),
        role="play",
    )
    uvicorn.Server(server_config(create_app(settings), settings)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
