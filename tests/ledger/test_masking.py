import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.masking import MASK, Masking, credentials, mask_addresses

WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "encoded as a path": quote,
    "encoded as a form": quote_plus,
    "encoded in small letters": lambda secret: (
        quote(secret, safe="").lower() if secret.islower() else quote(secret)
    ),
    "decoded": unquote,
    "as Python shows it": lambda secret: repr(secret)[1:-1],
    "as JSON": lambda secret: json.dumps(secret)[1:-1],
    "as JSON in UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "secret", ["hush-hush", "hush hush", "a/b+c=", 'quo"te\\d', "schlüssel", 'schlü"ssel', "p%40ss", "<&>'"]
)
def test_a_secret_is_masked_in_every_form_that_a_library_writes(way: str, secret: str) -> None:
    written = WAYS[way](secret)

    assert Masking([secret])(f"refused: {written}, try again") == f"refused: {MASK}, try again"


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=3, max_size=30), st.text())
def test_no_text_keeps_a_secret_whatever_surrounds_it(secret: str, around: str) -> None:
    assume(secret not in MASK * 2 and secret not in f"{around}{MASK}{around}")

    assert secret not in Masking([secret])(f"{around}{secret}{around}")


def test_of_two_secrets_the_longer_one_goes_whole() -> None:
    assert Masking(["hush", "hush-hush"])("hush-hush, hush") == f"{MASK}, {MASK}"


def test_two_letters_are_no_secret() -> None:
    assert Masking(["a", "in"])("a word in a sentence") == "a word in a sentence"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("no answer from https://ada:lovelace@mlflow/x?y=1", "no answer from https://***@mlflow/x?y=1"),
        ("s3://key:secret@bucket, and http://token@h", "s3://***@bucket, and http://***@h"),
        (
            "postgresql://h/db?user=rps&password=hush&sslmode=off",
            "postgresql://h/db?user=rps&password=***&sslmode=off",
        ),
        ("GET /api?access_token=hush#top", "GET /api?access_token=***#top"),
        ("http://h:5000/models/rps_bot@Production", "http://h:5000/models/rps_bot@Production"),
        ("models:/rps_bot@Production and ada@example.com", "models:/rps_bot@Production and ada@example.com"),
    ],
)
def test_the_credentials_of_an_address_are_masked_where_no_secret_is_known(text: str, masked: str) -> None:
    assert mask_addresses(text) == masked


@pytest.mark.parametrize(
    ("address", "leaks"),
    [
        ("https://ada:love%2Flace@mlflow/x", ["love%2Flace", "love/lace"]),
        ("https://ada:love/lace@mlflow/x", ["love/lace", "port: 'love'", "path /lace@mlflow"]),
        ("https://ada:love@lace@mlflow/x", ["love@lace", "love%40lace"]),
        ("https://ghp_token@mlflow", ["ghp_token"]),
        ("postgresql+psycopg://rps:hush@db/rps?sslpassword=other", ["hush", "other"]),
        ("https://ada:lovelace@mlflow", [base64.b64encode(b"ada:lovelace").decode()]),
    ],
)
def test_what_a_library_makes_of_an_address_shows_none_of_its_credentials(address: str, leaks: list[str]) -> None:
    masked = Masking(credentials(address))

    shown = [masked(f"it failed with {leak}") for leak in (address, *leaks)]

    secrets = ("love", "lace", "ghp", "hush", "other", base64.b64encode(b"ada:lovelace").decode())
    assert [one for one in shown if any(secret in one for secret in secrets)] == []


@pytest.mark.parametrize(
    "address",
    ["https://mlflow.example/path?x=a@b", "http://h:5000/x@y", "sqlite:////a@b.db", "", "plain@text"],
)
def test_an_address_without_credentials_has_no_secret(address: str) -> None:
    assert list(credentials(address)) == []


def test_a_role_of_a_database_is_a_name_and_no_secret() -> None:
    assert list(credentials("postgresql+psycopg://postgres@db/rps")) == []
    assert "hush" in list(credentials("postgresql+psycopg://postgres:hush@db/rps"))
    assert "postgres" not in list(credentials("postgresql+psycopg://postgres:hush@db/rps"))
