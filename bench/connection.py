"""A client of the games, as cheap as can be: what it costs is not what is measured."""

import asyncio
import json
from typing import Any


class Connection:
    """One kept connection; a client library would cost more than the service that is measured."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and JSON of the answer. Raises OSError, EOFError."""
        reader, writer = await self._open()
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(headers.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(headers.split(b" ", 2)[1]), json.loads(await reader.readexactly(length))

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        return self._streams

    def close(self) -> None:
        """Begin with another connection next time."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
