import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gameplay.cli import rps
from gameplay.config import (
    VARIABLES,
    SettingError,
    Settings,
    read_environment,
    read_masking,
    read_settings,
    read_sources,
)
from ledger.engines.database import file_of
from ledger.evidence import Rule, Tally
from ledger.masking import MASK
from ledger.vocabulary import FAMILIES
from projections.decision.rules import KNOWN_RULES, decide
from projections.decision.sample_size import games_needed_for_gain
from projections.objects import parse_address
from tests.builders import evidence
from tests.numbers import NO_NUMBERS

WEBHOOK_SECRETS = ("RPS_WEBHOOK_URL", "RPS_WEBHOOK_SECRET", "RPS_MLFLOW_WEBHOOK_SECRET")
SECRETS = ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "RPS_INTERNAL_TOKEN", "GRAFANA_API_KEY", *WEBHOOK_SECRETS)

# Variable -> text, the field that it sets, its value. Every variable is here.
GOOD: dict[str, tuple[str, str, object]] = {
    "RPS_DATA_DIR": ("/srv/rps", "data_dir", Path("/srv/rps")),
    "RPS_DATABASE_URL": ("sqlite:////tmp/x.db", "database_url", "sqlite:////tmp/x.db"),
    "MLFLOW_TRACKING_URI": ("http://mlflow:5000", "mlflow_tracking_uri", "http://mlflow:5000"),
    "RPS_MODEL_STORE_URL": ("s3://mlflow-artifacts", "model_store_url", "s3://mlflow-artifacts"),
    "RPS_SEAL_KEY": ("/etc/rps/seal.key", "seal_key", Path("/etc/rps/seal.key")),
    "MINIO_ENDPOINT": ("http://minio:9000", "minio_endpoint", "http://minio:9000"),
    "MINIO_ACCESS_KEY": ("access", "minio_access_key", "access"),
    "MINIO_SECRET_KEY": ("hidden", "minio_secret_key", "hidden"),
    "RPS_HOST": ("0.0.0.0", "host", "0.0.0.0"),
    "RPS_PORT": ("9000", "port", 9000),
    "RPS_INTERNAL_TOKEN": ("token", "internal_token", "token"),
    "METRICS_SINCE_DATE": ("2026-01-01T00:00:00Z", "metrics_since_us", 1_767_225_600_000_000),
    "ENABLE_AB_TESTING": ("false", "ab_testing", False),
    "AB_SPLIT_RATIO": ("0.25", "ab_split", 0.25),
    "RPS_PROMOTION_SCHEDULE": ("0 * * * *", "promotion_schedule", "0 * * * *"),
    "RPS_PROMOTION_RULE": (
        "xgboost=anytime-sign/1, feedforward_nn=ztest/1",
        "promotion_rule",
        (("xgboost", "anytime-sign/1"), ("feedforward_nn", "ztest/1")),
    ),
    "RPS_MLFLOW_WEBHOOK_SECRET": ("a-mlflow-secret", "mlflow_webhook_secret", "a-mlflow-secret"),
    "RPS_WEBHOOK_URL": ("https://hooks.example/a", "webhook_url", "https://hooks.example/a"),
    "RPS_WEBHOOK_SECRET": (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "webhook_secret",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ),
    "RPS_PROMOTION_EVIDENCE": ("version_pair", "promotion_evidence", "version_pair"),
    "RPS_PROMOTION_PLAYERS": ("human", "promotion_players", "human"),
    "RPS_PROMOTION_APPROVAL": ("swap", "promotion_approval", "swap"),
    "RPS_PROMOTION_APPROVAL_SECONDS": ("3600", "promotion_approval_seconds", 3_600),
    "RPS_PROMOTION_SETTLE_SECONDS": ("60", "promotion_settle_seconds", 60),
    "RPS_GUARD_SAMPLE_RATIO": ("false", "guard_sample_ratio", False),
    "RPS_GUARD_COOLDOWN_CYCLES": ("4", "guard_cooldown_cycles", 4),
    "RPS_GUARD_COOLDOWN_SECONDS": ("7200", "guard_cooldown_seconds", 7_200),
    "RPS_GUARD_FALLBACK_SHARE": ("0.05", "guard_fallback_share", 0.05),
    "RPS_GUARD_PARITY": ("on", "guard_parity", True),
    "RPS_PROMOTION_ALPHA": ("0.05", "promotion_alpha", "0.05"),
    "RPS_PROMOTION_MINIMUM_GAMES": ("10", "promotion_minimum_games", 10),
    "RPS_PROMOTION_MINIMUM_PREDICTIONS": ("100", "promotion_minimum_predictions", 100),
    "RPS_GAME_IDLE_SECONDS": ("60", "game_idle_seconds", 60),
    "RPS_ROLE": ("all", "role", "all"),
    "RPS_SHARED": ("1", "shared", True),
    "RPS_OPEN_GAMES_MAX": ("500", "open_games_max", 500),
    "RPS_CLOCK_AHEAD_MAX": ("60", "clock_ahead_seconds", 60),
    "RPS_PARITY_SCHEDULE": ("30 3 * * *", "parity_schedule", "30 3 * * *"),
    "RPS_TRAIN_SCHEDULE": ("0 3 * * *", "train_schedule", "0 3 * * *"),
    "TRAINING_DATA_SINCE_DATE": ("2026-01-01", "training_since_us", 1_767_225_600_000_000),
    "TRAINING_LEGACY_GAME_STRIDE": ("1", "training_legacy_stride", 1),
    "MIN_NEW_ROWS_FOR_TRAINING": ("500", "training_minimum_new_rows", 500),
    "MIN_TOTAL_ROWS": ("900", "training_minimum_rows", 900),
    "RPS_CROSS_FAMILY_SHARE": ("0.1", "cross_family_share", 0.1),
    "RPS_TRAIN_ALIASES": ("B, shadow1", "train_aliases", frozenset({"B", "shadow1"})),
    "RPS_CROSS_FAMILY_FOR": ("human, bot", "cross_family_for", frozenset({"human", "bot"})),
    "RPS_ALLOWED_HOSTS": ("rps.example, RPS, ::2", "allowed_hosts", frozenset({"rps.example", "rps", "::2"})),
    "RPS_ALLOWED_ORIGINS": (
        "https://play.example http://localhost:3000",
        "allowed_origins",
        frozenset({"https://play.example", "http://localhost:3000"}),
    ),
    "RPS_LOG_FORMAT": ("JSON", "log_format", "json"),
    "RPS_LOG_LEVEL": ("warning", "log_level", "warning"),
    "RPS_ACCESS_LOG": ("yes", "access_log", True),
    "RPS_ROOT_PATH": ("/rps/", "root_path", "/rps"),
    "FORWARDED_ALLOW_IPS": ("10.0.0.0/8, ::1", "forwarded_allow_ips", "10.0.0.0/8,::1"),
    "RPS_FRAME_ANCESTORS": ("self, https://g.example", "frame_ancestors", "'self' https://g.example"),
    "GRAFANA_DASHBOARD_URL": ("https://g/d/x", "grafana_dashboard_url", "https://g/d/x"),
    "GRAFANA_API_KEY": ("key", "grafana_api_key", "key"),
    "GRAFANA_API_KEY_FILE": ("/run/secrets/grafana", "grafana_api_key_file", "/run/secrets/grafana"),
}
BAD: list[tuple[str, str]] = [
    ("RPS_PORT", "x"),
    ("RPS_PORT", "-1"),
    ("RPS_PORT", "65536"),
    ("METRICS_SINCE_DATE", "yesterday"),
    ("RPS_LOG_FORMAT", "yaml"),
    ("RPS_LOG_LEVEL", "loud"),
    ("RPS_ACCESS_LOG", "sometimes"),
    ("METRICS_SINCE_DATE", "2026-13-01"),
    ("ENABLE_AB_TESTING", "perhaps"),
    ("AB_SPLIT_RATIO", "1.01"),
    ("AB_SPLIT_RATIO", "-0.1"),
    ("AB_SPLIT_RATIO", "nan"),
    ("AB_SPLIT_RATIO", "half"),
    ("RPS_PROMOTION_SCHEDULE", "sometimes"),
    ("RPS_PROMOTION_SCHEDULE", "* * * *"),
    ("RPS_PROMOTION_SCHEDULE", "61 * * * *"),
    ("RPS_PROMOTION_SCHEDULE", "0 0 31 2 *"),
    ("RPS_PROMOTION_RULE", "coin/1"),
    ("RPS_PROMOTION_RULE", "ztest"),
    ("RPS_PROMOTION_RULE", ","),
    ("RPS_PROMOTION_RULE", "xgboost"),
    ("RPS_PROMOTION_RULE", "xgboost="),
    ("RPS_PROMOTION_RULE", "=ztest/1"),
    ("RPS_PROMOTION_RULE", "catboost=ztest/1"),
    ("RPS_PROMOTION_RULE", "xgboost=ztest/1,xgboost=anytime-sign/1"),
    ("RPS_PROMOTION_RULE", "ztest/1,xgboost=anytime-sign/1"),
    ("RPS_PROMOTION_EVIDENCE", "since_ever"),
    ("RPS_WEBHOOK_URL", "hooks.example"),
    ("RPS_WEBHOOK_URL", "ftp://hooks.example"),
    ("RPS_WEBHOOK_URL", "https://user@hooks.example"),
    ("RPS_WEBHOOK_URL", "https://"),
    ("RPS_WEBHOOK_URL", "https://hooks.example/a b"),
    ("RPS_WEBHOOK_URL", "https://[::1"),
    ("RPS_WEBHOOK_URL", "https://hooks..example/a"),
    ("RPS_WEBHOOK_URL", "https://.example/a"),
    ("RPS_WEBHOOK_URL", f"https://hooks.{64 * 'x'}/a"),
    ("RPS_WEBHOOK_URL", "https://hööks..example/a"),
    ("RPS_WEBHOOK_URL", f"https://{60 * 'ö'}.example/a"),
    ("RPS_WEBHOOK_SECRET", "whsec_short"),
    ("RPS_WEBHOOK_SECRET", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("RPS_WEBHOOK_SECRET", "whsec_" + 32 * "*"),
    ("RPS_PROMOTION_PLAYERS", "bot"),
    ("RPS_PROMOTION_APPROVAL", "all"),
    ("RPS_PROMOTION_APPROVAL_SECONDS", "0"),
    ("RPS_PROMOTION_SETTLE_SECONDS", "0"),
    ("RPS_GUARD_SAMPLE_RATIO", "sometimes"),
    ("RPS_GUARD_COOLDOWN_CYCLES", "-1"),
    ("RPS_GUARD_COOLDOWN_SECONDS", "1.5"),
    ("RPS_GUARD_FALLBACK_SHARE", "1.01"),
    ("RPS_GUARD_FALLBACK_SHARE", "nan"),
    ("RPS_GUARD_PARITY", "strict"),
    ("RPS_PROMOTION_ALPHA", "0"),
    ("RPS_PROMOTION_ALPHA", "1"),
    ("RPS_PROMOTION_ALPHA", "NaN"),
    ("RPS_PROMOTION_ALPHA", "sNaN"),
    ("RPS_PROMOTION_ALPHA", "Infinity"),
    ("RPS_PROMOTION_ALPHA", "a fifth"),
    ("RPS_PROMOTION_MINIMUM_GAMES", "0"),
    ("RPS_PROMOTION_MINIMUM_GAMES", "2.5"),
    ("RPS_PROMOTION_MINIMUM_GAMES", "9" * 30),
    ("RPS_PROMOTION_MINIMUM_PREDICTIONS", "-30"),
    ("RPS_TRAIN_SCHEDULE", "nightly"),
    ("RPS_PARITY_SCHEDULE", "nightly"),
    ("RPS_TRAIN_SCHEDULE", "0 0 30 feb *"),
    ("TRAINING_DATA_SINCE_DATE", "never"),
    ("TRAINING_LEGACY_GAME_STRIDE", "0"),
    ("MIN_TOTAL_ROWS", "many"),
    ("RPS_CROSS_FAMILY_SHARE", "2"),
    ("RPS_TRAIN_ALIASES", "production"),
    ("RPS_TRAIN_ALIASES", ","),
    ("RPS_CROSS_FAMILY_FOR", "humans"),
    ("RPS_ROLE", "player"),
    ("RPS_ROLE", "PLAY"),
    ("RPS_CROSS_FAMILY_FOR", ","),
    ("RPS_ALLOWED_HOSTS", "https://rps.example"),
    ("RPS_ALLOWED_HOSTS", "rps.example:8080"),
    ("RPS_ALLOWED_HOSTS", "*"),
    ("RPS_ALLOWED_ORIGINS", "play.example"),
    ("RPS_ROOT_PATH", "rps"),
    ("FORWARDED_ALLOW_IPS", "proxy.example"),
    ("FORWARDED_ALLOW_IPS", "10.0.0.1/8"),
    ("RPS_ROOT_PATH", "//other.example"),
    ("RPS_FRAME_ANCESTORS", "g.example"),
    ("RPS_FRAME_ANCESTORS", "none self"),
    ("RPS_FRAME_ANCESTORS", "https://g.example; script-src *"),
    ("RPS_ALLOWED_ORIGINS", "https://play.example/"),
    ("RPS_ALLOWED_ORIGINS", "https://play.example, null"),
    ("RPS_ALLOWED_ORIGINS", "*"),
    ("RPS_GAME_IDLE_SECONDS", "0"),
    ("RPS_GAME_IDLE_SECONDS", "9" * 5_000),
]


NUMBERS = [name for name, one in VARIABLES.items() if type(one.default) in (int, float) or "ALPHA" in name]


@pytest.mark.parametrize("variable", NUMBERS)
def test_a_number_is_written_in_digits_and_nothing_else(variable: str) -> None:
    refused = {text: refusal(variable, text) for text in NO_NUMBERS if text}

    assert [text for text, said in refused.items() if not said.startswith(f"{variable}=")] == []
    assert max(map(len, refused.values())) < 300
    words = ("invalid literal", "could not convert", "isoformat", "Decimal", "ValueError")
    assert [said for said in refused.values() if any(word in said for word in words)] == []


def refusal(variable: str, text: str) -> str:
    """What is said of a value; empty when it is taken."""
    try:
        read_settings({variable: text})
    except SettingError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("alpha", ["0." + "0" * 90 + "1", "0." + "9" * 16, "0.5", ".5"])
@pytest.mark.parametrize("name", KNOWN_RULES)
def test_an_alpha_that_the_settings_take_decides(alpha: str, name: str) -> None:
    """However near to 0 or 1: what only the cycle refuses, it refuses every half an hour."""
    settings = read_settings({"RPS_PROMOTION_ALPHA": alpha})
    rule = Rule(name=name, alpha=settings.promotion_alpha, minimum_games=3, minimum_predictions=30)

    verdict = decide(evidence(), rule)

    assert games_needed_for_gain(Tally(games=10, wins=5), float(alpha)) is not None
    assert verdict.decision in ("swap_production_b", "retain_production")


def test_a_rule_without_a_family_is_every_family_s() -> None:
    settings = read_settings({"RPS_PROMOTION_RULE": "anytime-sign/1"})

    assert dict(settings.promotion_rule) == dict.fromkeys(FAMILIES, "anytime-sign/1")


@pytest.mark.parametrize("rule", ["anytime-sign/1", "xgboost=anytime-sign/1,feedforward_nn=ztest/1"])
@pytest.mark.parametrize(
    ("variable", "text"), [("AB_SPLIT_RATIO", "0.4"), ("AB_SPLIT_RATIO", "1"), ("ENABLE_AB_TESTING", "false")]
)
def test_the_anytime_rule_is_refused_without_a_fair_coin(rule: str, variable: str, text: str) -> None:
    with pytest.raises(SettingError, match=variable):
        read_settings({"RPS_PROMOTION_RULE": rule, variable: text})

    read_settings({"RPS_PROMOTION_RULE": "ztest/1", variable: text})


SHARED = {"MLFLOW_TRACKING_URI": "http://mlflow:5000", "RPS_MODEL_STORE_URL": "s3://mlflow-artifacts"}


@pytest.mark.parametrize("role", ["play", "projector"])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"MLFLOW_TRACKING_URI": ""}, "MLFLOW_TRACKING_URI"),
        ({"MLFLOW_TRACKING_URI": "sqlite:////data/mlflow.db"}, "MLFLOW_TRACKING_URI"),
        ({"MLFLOW_TRACKING_URI": "file:///data/mlruns"}, "MLFLOW_TRACKING_URI"),
        ({"RPS_MODEL_STORE_URL": ""}, "RPS_MODEL_STORE_URL"),
        ({"RPS_MODEL_STORE_URL": "file:///models"}, "RPS_MODEL_STORE_URL"),
    ],
)
def test_a_process_of_a_cluster_has_no_registry_and_no_store_of_its_own(
    role: str, change: dict[str, str], named: str
) -> None:
    assert read_settings({"RPS_ROLE": role, **SHARED}).role == role
    with pytest.raises(SettingError, match=f"RPS_ROLE={role}: .*set {named} to"):
        read_settings({"RPS_ROLE": role, **SHARED, **change})
    assert read_settings({"RPS_ROLE": "all", **SHARED, **change}).role == "all"


def test_the_key_that_seals_is_for_projectors_alone() -> None:
    key = {"RPS_SEAL_KEY": "/keys/seal.key"}
    with pytest.raises(SettingError, match="RPS_SEAL_KEY to projectors"):
        read_settings({"RPS_ROLE": "play", **SHARED, **key})
    assert read_settings({"RPS_ROLE": "projector", **SHARED, **key}).seal_key == Path("/keys/seal.key")


def test_every_variable_is_tried_here() -> None:
    assert GOOD.keys() == VARIABLES.keys()


@pytest.mark.parametrize("variable", GOOD)
def test_a_variable_sets_its_field_and_no_other(variable: str) -> None:
    text, name, value = GOOD[variable]

    settings = read_settings({variable: text})

    assert getattr(settings, name) == value
    assert type(getattr(settings, name)) is type(value)
    from_folder = {"database_url", "mlflow_tracking_uri", "model_store_url", "seal_key"}
    derived = from_folder if name == "data_dir" else set()
    plain = read_settings({}).shown()
    assert {key for key, shown in settings.shown().items() if shown != plain[key]} <= {name, *derived}


def test_without_variables_everything_is_in_the_data_folder() -> None:
    settings = read_settings({"PATH": "/bin", "RPS_DATA_DIR": "/srv/rps"})

    assert settings.database_url == "sqlite:////srv/rps/ledger.db"
    assert settings.mlflow_tracking_uri == "sqlite:////srv/rps/mlflow.db"
    assert settings.model_store_url == "file:///srv/rps/models"
    assert (settings.host, settings.port, settings.internal_token) == ("127.0.0.1", 8080, None)
    assert (settings.ab_testing, settings.ab_split) == (True, 0.5)
    assert (settings.promotion_schedule, settings.promotion_alpha) == ("*/30 * * * *", "0.20")
    assert (settings.promotion_minimum_games, settings.promotion_minimum_predictions) == (3, 30)
    assert settings.game_idle_seconds == 1800
    since = datetime(2025, 10, 10, 8, tzinfo=UTC)
    assert settings.metrics_since_us == since.timestamp() * 1_000_000


def test_an_empty_variable_is_not_set() -> None:
    assert repr(read_settings(dict.fromkeys(VARIABLES, ""))) == repr(read_settings({}))


@pytest.mark.parametrize("word", ["off", "OFF", "Off"])
def test_a_schedule_may_be_off(word: str) -> None:
    assert read_settings({"RPS_PROMOTION_SCHEDULE": word}).promotion_schedule is None


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("YES", True), ("on", True), ("0", False), ("No", False)]
)
def test_a_flag_has_many_words(word: str, value: bool) -> None:
    assert read_settings({"ENABLE_AB_TESTING": word}).ab_testing is value


def test_a_time_without_a_zone_is_utc() -> None:
    without, with_zone = (
        read_settings({"METRICS_SINCE_DATE": text}).metrics_since_us
        for text in ("2026-06-01T02:00:00", "2026-06-01T04:00:00+02:00")
    )

    assert without == with_zone


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("RPS_ALPHA", ": did you mean RPS_PROMOTION_ALPHA"),
        ("RPS_Port", ": did you mean RPS_PORT"),
        ("RPS_MLFLOW_TRACKING_URI", ": did you mean MLFLOW_TRACKING_URI?"),
        ("RPS_XYLOPHONE_QUARTZ", "; there are AB_SPLIT_RATIO, "),
    ],
)
def test_an_unknown_variable_is_refused_with_what_was_meant(variable: str, meant: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings({variable: "1"})

    assert str(caught.value).startswith(f"{variable} is no setting{meant}")


@pytest.mark.parametrize(("variable", "text"), BAD, ids=[f"{variable}={text[:12]}" for variable, text in BAD])
def test_a_value_that_does_not_parse_names_its_variable(variable: str, text: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable}="):
        read_settings({variable: text})


@pytest.mark.parametrize("variable", SECRETS)
def test_a_secret_never_prints(variable: str) -> None:
    secret = GOOD[variable][0] if variable in WEBHOOK_SECRETS else "hush-hush"
    settings = read_settings({variable: secret})

    assert secret in vars(settings).values()
    for shown in (repr(settings), str(settings), f"{settings}", str(settings.shown())):
        assert secret not in shown
        assert MASK in shown


def test_all_secrets_are_marked() -> None:
    marked = {variable for variable, one in VARIABLES.items() if one.metadata["secret"]}

    assert marked == set(SECRETS)
    assert all(one.metadata["help"].endswith(".") for one in VARIABLES.values())


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]


@given(st.sampled_from(sorted(VARIABLES)), st.text(min_size=1, max_size=12))
def test_any_text_is_a_setting_or_refused(variable: str, text: str) -> None:
    try:
        read_settings({variable: text})
    except SettingError as error:
        assert str(error).startswith(variable)  # noqa: PT017 - either way is right


def test_credentials_within_an_address_are_masked() -> None:
    settings = read_settings({"MLFLOW_TRACKING_URI": "https://ada:lovelace@mlflow.example/path"})

    assert settings.shown()["mlflow_tracking_uri"] == "https://***@mlflow.example/path"
    assert "lovelace" not in repr(settings)


def test_a_file_sets_what_the_environment_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("RPS_PORT", "9000")
    monkeypatch.setenv("RPS_HOST", "")
    lines = [
        "# ours",
        "RPS_PORT=1",
        "RPS_HOST=0.0.0.0",
        "export AB_SPLIT_RATIO='0.25'",
        "MINIO_SECRET_KEY=hu$sh-hush",
    ]
    (tmp_path / ".env").write_text("\n".join([*lines, "POSTGRES_PASSWORD=other", "PATH=/nowhere"]))

    settings, sources = read_settings(), read_sources()

    assert (settings.port, settings.host, settings.ab_split) == (9000, "127.0.0.1", 0.25)
    assert settings.minio_secret_key == "hu$sh-hush"
    assert read_masking()("hu$sh-hush") == "***"
    assert (sources["RPS_PORT"], sources["AB_SPLIT_RATIO"], sources["RPS_ROLE"]) == (
        "environment",
        ".env",
        "default",
    )
    assert not {"POSTGRES_PASSWORD", "PATH"} & (read_environment().keys() - os.environ.keys())
    assert read_environment()["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"RPS_PRT=1\n", "RPS_PRT is no setting: did you mean RPS_PORT"),
        (b"RPS_PORT=x\n", "RPS_PORT='x' does not parse"),
        (b"RPS_PORT\n", "RPS_PORT has no value"),
        (b"RPS_PORT=\xff\n", "is no text"),
    ],
)
def test_a_file_that_is_wrong_is_refused_and_help_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(content)

    with pytest.raises(SettingError, match=re.escape(said)):
        read_settings()
    result = CliRunner().invoke(rps, ["serve", "--help"])
    assert (result.exit_code, result.stdout.startswith("Usage: rps serve")) == (0, True)
    result = CliRunner().invoke(rps, ["config"])
    assert (result.exit_code, said in result.stderr, "Traceback" in result.stderr) == (2, True, False)


@pytest.mark.parametrize("name", ["a?b", "a%2Fb", "a b", "a#b", "50%"])
def test_what_lies_in_the_data_folder_lies_there_whatever_its_name(tmp_path: Path, name: str) -> None:
    settings = Settings(data_dir=tmp_path / name)

    assert file_of(settings.database_url) == tmp_path / name / "ledger.db"
    assert file_of(settings.mlflow_tracking_uri) == tmp_path / name / "mlflow.db"
    assert parse_address(settings.model_store_url) == tmp_path / name / "models"
