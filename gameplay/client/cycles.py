"""Promotion cycles asked of a running service, as a CronJob does it."""

from typing import Any

import httpx2
import msgspec

from ledger.vocabulary import Family

PATH = "/internal/promotion/cycle"
CYCLE_SECONDS_MAX = 120.0
"""A swap sets four aliases in a registry that may be slow."""

Row = dict[str, Any]


class CycleError(Exception):
    """The service has not answered with cycles."""


def ask_for_cycles(
    client: httpx2.Client,
    *,
    token: str | None,
    family: Family | None,
    dry_run: bool,
    reason: str | None,
    key: str | None,
) -> list[Row]:
    """The history row of each family that has decided; of one that has not, with its `problem`.

    Raises CycleError with what the service says where none has, and for a token or a key that no header can hold.
    """
    headers = {}
    if token is not None:
        headers["Authorization"] = f"Bearer {_ascii(token, 'RPS_INTERNAL_TOKEN')}"
    if key is not None:
        headers["Idempotency-Key"] = _ascii(key, "the key")
    body = {"model_type": family, "dry_run": dry_run, "reason": reason}
    try:
        response = client.post(PATH, json=body, headers=headers)
    except httpx2.HTTPError as error:
        raise CycleError(f"no answer from {client.base_url}: {error}; is `rps serve` up?") from error
    return _rows(str(client.base_url), response)


def _ascii(value: str, what: str) -> str:
    if not value.isascii():
        raise CycleError(f"{what} goes into a header, so it can have ASCII characters alone")
    return value


def _rows(url: str, response: httpx2.Response) -> list[Row]:
    try:
        content = msgspec.json.decode(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CycleError(f"{url} answered {response.status_code}, and no JSON: is it `rps serve`?") from error
    if response.status_code != 200:
        said = content.get("detail") if isinstance(content, dict) else None
        raise CycleError(f"{url} answered {response.status_code}: {said or response.text}")
    if not isinstance(content, list):
        raise CycleError(f"{url} answered with no cycles: is it `rps serve`?")
    return content
