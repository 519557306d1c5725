"""The settings, read once from the environment into a frozen value. Nothing else reads the environment."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gameplay import setting_values as values
from gameplay.env_file import EnvFileError, read_env_file
from gameplay.log_style import LogStyle, style_in
from ledger.errors import InvalidTextError
from ledger.files import sqlite_url
from ledger.masking import MASK, Masking, credentials
from ledger.times import parse_time
from ledger.vocabulary import (
    ALIASES,
    PLAYER_KINDS,
    Alias,
    CountedPlayers,
    EvidenceWindow,
    Family,
    PlayerKind,
)
from projections.decision.rules import ANYTIME_SIGN, SETTLE_SECONDS, Z_TEST
from projections.since import SINCE_DATE

SHOWN_MAX = 80
FAIR_SPLIT = 0.5
FILE = ".env"


class SettingError(ValueError):
    """A variable that does not exist or whose value does not parse."""


def _setting(variable: str, default: Any, parse: Callable[[str], Any], help_: str, *, secret: bool = False) -> Any:
    metadata = {"variable": variable, "parse": parse, "help": help_, "secret": secret}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """Everything that can be set. Fields that are None by default follow from `data_dir`."""

    data_dir: Path = _setting("RPS_DATA_DIR", Path("data"), Path, "Folder of the database, MLflow and the models.")
    database_url: str = _setting(
        "RPS_DATABASE_URL", "", values.text, "The ledger; by default SQLite in the data folder."
    )
    mlflow_tracking_uri: str = _setting(
        "MLFLOW_TRACKING_URI", "", values.text, "The model registry; by default SQLite in the data folder."
    )
    model_store_url: str = _setting(
        "RPS_MODEL_STORE_URL", "", values.text, "Object storage for models: file:///FOLDER or s3://BUCKET."
    )
    seal_key: Path = _setting(
        "RPS_SEAL_KEY", Path(), Path, "Key that seals the ledger, made on first use; by default in data_dir."
    )
    minio_endpoint: str | None = _setting(
        "MINIO_ENDPOINT", None, values.text, "Address of an S3 API, with its scheme."
    )
    minio_access_key: str | None = _setting("MINIO_ACCESS_KEY", None, values.text, "Its access key.", secret=True)
    minio_secret_key: str | None = _setting("MINIO_SECRET_KEY", None, values.text, "Its secret key.", secret=True)
    host: str = _setting("RPS_HOST", "127.0.0.1", values.text, "Address to listen on.")
    port: int = _setting("RPS_PORT", 8080, values.port, "Port to listen on.")
    role: values.Role = _setting(
        "RPS_ROLE", "all", values.role, "What the process does: all, play (games) or projector (everything else)."
    )
    shared: bool = _setting(
        "RPS_SHARED", False, values.flag, "Whether to serve a ledger that another service serves."
    )
    internal_token: str | None = _setting(
        "RPS_INTERNAL_TOKEN", None, values.text, "Bearer token for /internal writes and reloads.", secret=True
    )
    allowed_hosts: frozenset[str] = _setting(
        "RPS_ALLOWED_HOSTS",
        frozenset(),
        values.hosts,
        "Names under which guarded calls may be made without a token.",
    )
    allowed_origins: frozenset[str] = _setting(
        "RPS_ALLOWED_ORIGINS",
        frozenset(),
        values.origins,
        "Origins of pages that may play, as https://play.example.",
    )
    metrics_since_us: int = _setting(
        "METRICS_SINCE_DATE",
        parse_time(SINCE_DATE),
        parse_time,
        "Counters leave out older events; changing it is a counter reset.",
    )
    ab_testing: bool = _setting("ENABLE_AB_TESTING", True, values.flag, "Whether B plays at all.")
    ab_split: float = _setting("AB_SPLIT_RATIO", 0.5, values.share, "B's share of the games.")
    promotion_schedule: str | None = _setting(
        "RPS_PROMOTION_SCHEDULE", "*/30 * * * *", values.schedule, "Cron line of the promotion cycles, or off."
    )
    promotion_rule: tuple[tuple[Family, str], ...] = _setting(
        "RPS_PROMOTION_RULE", (), values.rules, "Rule of all families, or of some as xgboost=anytime-sign/1,..."
    )
    promotion_evidence: EvidenceWindow = _setting(
        "RPS_PROMOTION_EVIDENCE",
        "since_swap",
        values.evidence,
        "Decide by the games since the last swap, or by those of the version_pair.",
    )
    promotion_players: CountedPlayers = _setting(
        "RPS_PROMOTION_PLAYERS",
        "all",
        values.players,
        "Whose games are evidence and rank challengers: all or human.",
    )
    promotion_settle_seconds: int = _setting(
        "RPS_PROMOTION_SETTLE_SECONDS",
        SETTLE_SECONDS,
        values.natural,
        "anytime-sign/1 counts a game when it is so old.",
    )
    promotion_alpha: str = _setting("RPS_PROMOTION_ALPHA", "0.20", values.alpha, "Swap when p is below it.")
    promotion_minimum_games: int = _setting(
        "RPS_PROMOTION_MINIMUM_GAMES", 3, values.natural, "Games that each alias needs for a comparison."
    )
    promotion_minimum_predictions: int = _setting(
        "RPS_PROMOTION_MINIMUM_PREDICTIONS",
        30,
        values.natural,
        "Predictions that each challenger needs for a reorder.",
    )
    guard_sample_ratio: bool = _setting(
        "RPS_GUARD_SAMPLE_RATIO",
        True,
        values.flag,
        "Hold a swap back while the games are not split as they should be.",
    )
    guard_cooldown_cycles: int = _setting(
        "RPS_GUARD_COOLDOWN_CYCLES", 0, values.count, "Hold a swap back for so many cycles after the last one."
    )
    guard_cooldown_seconds: int = _setting(
        "RPS_GUARD_COOLDOWN_SECONDS", 0, values.count, "Hold a swap back for so long after the last one."
    )
    guard_fallback_share: float | None = _setting(
        "RPS_GUARD_FALLBACK_SHARE",
        None,
        values.share,
        "Hold a swap back while more of a side's games had a fallback.",
    )
    guard_parity: bool = _setting(
        "RPS_GUARD_PARITY", False, values.flag, "Hold a swap back while B's newest parity check has differences."
    )
    promotion_approval: str = _setting(
        "RPS_PROMOTION_APPROVAL", "off", values.approval, "What waits for an operator's approval: off or swap."
    )
    promotion_approval_seconds: int = _setting(
        "RPS_PROMOTION_APPROVAL_SECONDS", 86_400, values.natural, "How long a swap waits for an approval."
    )
    train_schedule: str | None = _setting(
        "RPS_TRAIN_SCHEDULE", None, values.schedule, "Cron line of the training runs, or off."
    )
    parity_schedule: str | None = _setting(
        "RPS_PARITY_SCHEDULE", None, values.schedule, "Cron line of the parity checks, or off."
    )
    train_aliases: frozenset[Alias] = _setting(
        "RPS_TRAIN_ALIASES", frozenset(ALIASES), values.aliases, "Aliases that a training may move."
    )
    training_since_us: int = _setting(
        "TRAINING_DATA_SINCE_DATE", 0, parse_time, "Training leaves out games that started earlier."
    )
    training_legacy_stride: int = _setting(
        "TRAINING_LEGACY_GAME_STRIDE", 5, values.natural, "Of each bot's games training takes one in so many."
    )
    training_minimum_new_rows: int = _setting(
        "MIN_NEW_ROWS_FOR_TRAINING",
        50,
        values.natural,
        "Rows that a version has not learned from, for another run.",
    )
    training_minimum_rows: int = _setting("MIN_TOTAL_ROWS", 300, values.natural, "Rows that a training run needs.")
    cross_family_share: float = _setting(
        "RPS_CROSS_FAMILY_SHARE", 0.0, values.share, "Share of the games that the other two families predict too."
    )
    cross_family_for: frozenset[PlayerKind] = _setting(
        "RPS_CROSS_FAMILY_FOR", frozenset(PLAYER_KINDS), values.kinds, "Whose games: any of human, bot and script."
    )
    open_games_max: int = _setting(
        "RPS_OPEN_GAMES_MAX", 100_000, values.natural, "No further game starts while so many are open."
    )
    game_idle_seconds: int = _setting(
        "RPS_GAME_IDLE_SECONDS", 1800, values.natural, "A game is abandoned when idle for so long."
    )
    clock_ahead_seconds: int = _setting(
        "RPS_CLOCK_AHEAD_MAX",
        3_600,
        values.natural,
        "Seconds by which the clock may jump before appends are refused.",
    )
    log_format: str = _setting(
        "RPS_LOG_FORMAT", "text", values.log_format, "The log for people or programs: text or json."
    )
    log_level: str = _setting(
        "RPS_LOG_LEVEL", "info", values.log_level, "The least of what is logged, such as warning."
    )
    access_log: bool = _setting("RPS_ACCESS_LOG", False, values.flag, "Whether each request is a line of the log.")
    root_path: str = _setting(
        "RPS_ROOT_PATH", "", values.root_path, "Prefix that a proxy takes off the paths of this service, as /rps."
    )
    forwarded_allow_ips: str = _setting(
        "FORWARDED_ALLOW_IPS",
        "127.0.0.1,::1",
        values.networks,
        "Proxies whose X-Forwarded-* headers are believed: addresses, networks, or *.",
    )
    frame_ancestors: str = _setting(
        "RPS_FRAME_ANCESTORS",
        "'none'",
        values.ancestors,
        "Pages that may show the console in a frame: self, origins.",
    )
    mlflow_webhook_secret: str | None = _setting(
        "RPS_MLFLOW_WEBHOOK_SECRET", None, values.text, "By which MLflow signs what it announces.", secret=True
    )
    webhook_url: str | None = _setting(
        "RPS_WEBHOOK_URL", None, values.address, "Where every promotion event is sent.", secret=True
    )
    webhook_secret: str | None = _setting(
        "RPS_WEBHOOK_SECRET", None, values.webhook_secret, "Key that signs them: whsec_ and base64.", secret=True
    )
    grafana_dashboard_url: str | None = _setting(
        "GRAFANA_DASHBOARD_URL", None, values.text, "Shown by GET /, for people who look for the dashboard."
    )
    grafana_api_key: str | None = _setting(
        "GRAFANA_API_KEY", None, values.text, "Key of the dashboard's deploy script.", secret=True
    )
    grafana_api_key_file: str | None = _setting("GRAFANA_API_KEY_FILE", None, values.text, "A file with that key.")

    library_secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What libraries read from the environment by themselves, and may repeat."""

    def __post_init__(self) -> None:
        folder = self.data_dir.absolute()
        defaults: dict[str, Any] = {
            "seal_key": folder / "seal.key",
            "database_url": sqlite_url(folder / "ledger.db"),
            "mlflow_tracking_uri": sqlite_url(folder / "mlflow.db"),
            "model_store_url": (folder / "models").as_uri(),
        }
        for name, value in defaults.items():
            if getattr(self, name) in ("", Path()):
                object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self.shown().items())
        return f"Settings({', '.join(shown)})"

    def shown(self) -> dict[str, Any]:
        """Every field as it may be printed: secrets are masked, and so are credentials within an address."""
        shown: dict[str, Any] = {}
        masked = self.masking()
        for one in VARIABLES.values():
            value = getattr(self, one.name)
            if one.metadata["secret"] and value:
                value = MASK
            shown[one.name] = masked(value) if isinstance(value, str) else value
        return shown

    def schedules(self) -> dict[str, str | None]:
        """The cron line of each job that has one, None where it is off."""
        return {
            "promotion": self.promotion_schedule,
            "training": self.train_schedule,
            "parity": self.parity_schedule,
        }

    def log_style(self) -> LogStyle:
        """How this process logs."""
        return LogStyle(self.log_format, self.log_level)

    def masking(self) -> Masking:
        """What takes the secrets of these settings out of a text."""
        own = (secret for one in VARIABLES.values() for secret in _secrets(one, getattr(self, one.name)))
        return Masking([*own, *self.library_secrets])


VARIABLES: Mapping[str, "dataclasses.Field[Any]"] = {
    one.metadata["variable"]: one for one in dataclasses.fields(Settings) if one.metadata
}
# Libraries read these by themselves, and repeat what they have read.
LIBRARY_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
)


def read_environment(folder: Path = Path()) -> dict[str, str]:
    """The environment, and below it what the file `.env` in the folder says of our own variables.

    Such a file is often another program's too (a compose file's), so what is not ours is left alone. Raises
    SettingError for a file that cannot be read.
    """
    try:
        found = read_env_file(folder / FILE)
    except EnvFileError as error:
        raise SettingError(str(error)) from error
    return {name: text for name, text in found.items() if name in VARIABLES or name.startswith("RPS_")} | {
        **os.environ
    }


def read_masking(environ: Mapping[str, str] | None = None) -> Masking:
    """What takes every secret in `environ` out of a text, whether or not its settings can be read."""
    environ = _safely() if environ is None else environ
    secrets = [secret for variable, one in VARIABLES.items() for secret in _secrets(one, environ.get(variable))]
    return Masking([*secrets, *_library_secrets(environ)])


def _library_secrets(environ: Mapping[str, str]) -> frozenset[str]:
    return frozenset(environ[name] for name in LIBRARY_SECRETS if name in environ)


def read_log_style(environ: Mapping[str, str] | None = None) -> LogStyle:
    """How to log, before the settings are read and whether or not they can be: the log has to say why not."""
    return style_in(_safely() if environ is None else environ)


def _safely() -> Mapping[str, str]:
    try:
        return read_environment()
    except SettingError:
        return os.environ


def read_sources(folder: Path = Path()) -> dict[str, str]:
    """Where each variable's value comes from: `environment`, `.env` or `default`. Raises SettingError."""
    both = read_environment(folder)
    return {
        variable: "default" if not both.get(variable) else "environment" if variable in os.environ else FILE
        for variable in VARIABLES
    }


def _secrets(setting: "dataclasses.Field[Any]", value: object) -> Iterable[str]:
    """What of a setting's value is secret: all of it, or the credentials of an address."""
    if not isinstance(value, str) or not value:
        return ()
    return (value,) if setting.metadata["secret"] else credentials(value)


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in `environ`, by default the environment and `.env`; an empty variable counts as not set.

    Raises SettingError, which names the variable, for an unknown RPS_ variable or a value that does not parse.
    """
    environ = read_environment() if environ is None else environ
    masked = read_masking(environ)
    for variable in environ:
        if variable.startswith("RPS_") and variable not in VARIABLES:
            raise SettingError(f"{variable} is no setting{_meant(variable)}")
    values: dict[str, Any] = {}
    for variable, one in VARIABLES.items():
        if text := environ.get(variable):
            try:
                values[one.name] = one.metadata["parse"](text)
            except ValueError as error:
                value = (
                    MASK
                    if one.metadata["secret"]
                    else repr(text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}...")
                )
                problem = f"it is not {error.expected}" if isinstance(error, InvalidTextError) else str(error)
                raise SettingError(masked(f"{variable}={value} does not parse: {problem}")) from None
    settings = Settings(**values, library_secrets=_library_secrets(environ))
    if misfit := _unfair(settings) or _apart(settings, environ):
        raise SettingError(misfit)
    return settings


def _unfair(settings: Settings) -> str | None:
    """What keeps the anytime rule from a fair coin, which it takes for granted."""
    if ANYTIME_SIGN not in dict(settings.promotion_rule).values():
        return None
    if not settings.ab_testing:
        return f"RPS_PROMOTION_RULE: {ANYTIME_SIGN} compares games of B, and ENABLE_AB_TESTING=false makes none"
    if settings.ab_split != FAIR_SPLIT:
        needed = f"RPS_PROMOTION_RULE: {ANYTIME_SIGN} needs a fair coin for each game"
        return f"{needed}: set AB_SPLIT_RATIO to {FAIR_SPLIT}, not {settings.ab_split}, or keep {Z_TEST}"
    return None


def _apart(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """What a process of a cluster would have for itself, where all have to share it."""
    role = f"RPS_ROLE={settings.role}"
    if settings.role == "all":
        return None
    if not settings.mlflow_tracking_uri.startswith(("http://", "https://")):
        return (
            f"{role}: the processes of a cluster share one registry; set MLFLOW_TRACKING_URI to an MLflow server"
        )
    if not settings.model_store_url.startswith("s3://"):
        return f"{role}: the processes of a cluster share one model store; set RPS_MODEL_STORE_URL to s3://BUCKET"
    if settings.role == "play" and environ.get("RPS_SEAL_KEY"):
        return f"{role}: a process that plays seals nothing; give RPS_SEAL_KEY to projectors alone"
    return None


def _meant(variable: str) -> str:
    """What a mistyped name was meant to be, as far as one is like it."""
    near = get_close_matches(variable.upper(), VARIABLES, n=2)
    return f": did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(sorted(VARIABLES))}"
