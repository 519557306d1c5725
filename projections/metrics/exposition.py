"""`/metrics`: the folded states as Prometheus families, computed at scrape and remembered by the ledger's head."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from ledger.vocabulary import ALIASES, HELD_REASONS, VERDICTS
from projections.decision.accuracy import differs
from projections.decision.rules import DEFAULT, RuleError, read_alpha
from projections.metrics.series import EXEMPLAR_LABEL, LEDGER_SERIES, Series
from projections.read_models.all import ReadModels
from projections.read_models.counters import TRAINING_BUCKETS_SECONDS, Counters, Durations, Mover
from projections.read_models.standings import PromotionStates
from projections.read_models.tickers import Tickers

Scope = Literal["ledger", "process"]
SCOPES: tuple[Scope, ...] = ("ledger", "process")
Samples = Mapping[Any, float]
"""Label values, as a tuple in the order of the series' labels -> value."""

Encode = Callable[[Collector], bytes]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
FORMATS: Mapping[str, Encode] = {
    TEXT: generate_latest,
    "text/plain; version=1.0.0; charset=utf-8": generate_latest,
    "application/openmetrics-text; version=1.0.0; charset=utf-8": openmetrics.generate_latest,
}
"""Content type -> what writes it. Every name here is legal as it stands, so `escaping` makes no difference."""

Value = TypeVar("Value")

_NO_MOVERS: Mapping[Any, Mover] = MappingProxyType({})
_LOG_MAX = 709.0
"""The logarithm of what is nearly the largest float."""
_OPENMETRICS_END = b"# EOF\n"


class LedgerCollector(Collector):
    """A prometheus_client collector over the read models; the caller holds them still."""

    def __init__(self, read_models: ReadModels) -> None:
        self._read_models = read_models

    def describe(self) -> Iterable[Metric]:
        """Empty families: they keep the registry's duplicate detection without a collect at registration."""
        return [_family(series, {}) for series in LEDGER_SERIES]

    def collect(self) -> Iterator[Metric]:
        """Every family with its samples."""
        samples, state = ledger_samples(self._read_models), self._read_models.counters.state
        movers: dict[str, Mapping[Any, Mover]] = {
            "rps_model_promotion_events_total": state.decision_movers,
            "rps_model_alias_reorders_total": _labelled(state.reorder_movers),
        }
        for series in LEDGER_SERIES:
            if series.kind == "histogram":
                yield _histogram(series, state.training_durations)
            else:
                yield _family(series, samples[series.name], movers.get(series.name, {}))


class ProcessExposition:
    """Renders what a process says of itself, for one that folds nothing to show."""

    def __init__(self, process: CollectorRegistry) -> None:
        process.register(_Reserved())
        self._process = _WithoutCreated(process)

    def render(self, content_type: str = TEXT, scope: Scope | None = None) -> bytes:
        """The body, in one of FORMATS."""
        assert scope == "process", "the caller has refused any other"
        return FORMATS[content_type](self._process)


class Exposition(ProcessExposition):
    """Renders `/metrics` in each of the FORMATS.

    The ledger's part is a function of its head, so it is kept until that moves; the rest of the process is
    collected each time.
    """

    def __init__(self, read_models: ReadModels, process: CollectorRegistry) -> None:
        super().__init__(process)
        self._read_models = read_models
        collector = LedgerCollector(read_models)
        self._written = {content_type: _Written(collector, encode) for content_type, encode in FORMATS.items()}
        self._rendered: dict[str, bytes] = {}
        self._rendered_hash = b""

    def render(self, content_type: str = TEXT, scope: Scope | None = None) -> bytes:
        """The body, in one of FORMATS; `scope` leaves out one of the two parts.

        Raises ProjectionError when the projections have stopped.
        """
        encode = FORMATS[content_type]
        if scope == "process":
            return encode(self._process)
        body = self._render_ledger(content_type)
        if scope is None:
            body = body.removesuffix(_OPENMETRICS_END) + encode(self._process)
        return body

    def _render_ledger(self, content_type: str) -> bytes:
        with self._read_models.projector.current():
            # Of the hash, and not of the position: that may be of another history after a failover.
            chain_hash = self._read_models.projector.head.chain_hash
            if chain_hash != self._rendered_hash:
                self._rendered, self._rendered_hash = {}, chain_hash
            if content_type not in self._rendered:
                self._rendered[content_type] = self._written[content_type].render()
            return self._rendered[content_type]


class _Written:
    """What a collector gives, with the text of each family kept until that changes.

    Games move a third of the samples, and the library takes four times as long to write one as to make it.
    """

    def __init__(self, collector: Collector, encode: Encode) -> None:
        self._collector = collector
        self._encode = encode
        self._kept: dict[str, tuple[Metric, bytes]] = {}

    def render(self) -> bytes:
        end = self._encode(_One())
        return b"".join((*map(self._write, self._collector.collect()), end))

    def _write(self, family: Metric) -> bytes:
        kept = self._kept.get(family.name)
        if kept is None or kept[0] != family:
            kept = self._kept[family.name] = family, self._encode(_One(family)).removesuffix(_OPENMETRICS_END)
        return kept[1]


class _One(Collector):
    """At most one family, as what `Encode` takes."""

    def __init__(self, *families: Metric) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class _WithoutCreated(Collector):
    """A registry's families without their `_created` samples, which double what a scraper stores and tell it
    only when this process began.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            created = f"{family.name}_created"
            family.samples = [sample for sample in family.samples if sample.name != created]
            yield family


class _Reserved(Collector):
    """Keeps the ledger's names out of the process's registry: in one scrape a family may stand only once."""

    def describe(self) -> Iterable[Metric]:
        return [_family(series, {}) for series in LEDGER_SERIES]

    def collect(self) -> Iterable[Metric]:
        return ()


def ledger_samples(read_models: ReadModels) -> dict[str, Samples]:
    """Series name -> label values -> value, for every series but the histogram."""
    position = read_models.projector.position
    names = [*(one.projection.name for one in read_models.tracked), read_models.history.name]
    return {
        **_counter_samples(read_models.counters.state),
        **_ticker_samples(read_models.tickers.state),
        **_promotion_samples(read_models.standings.state),
        **_rule_samples(read_models.standings.state),
        **_parity_samples(read_models.standings.state),
        "rps_active_games": {(): read_models.open_games.state.active()},
        "rps_ledger_position": {(): position},
        "rps_projection_position": {(name,): position for name in names},
        # States are folded together and shown at the head alone: what cannot reach it answers 503 instead.
        "rps_projection_lag_seconds": {(name,): 0.0 for name in names},
    }


def _counter_samples(state: Counters) -> dict[str, Samples]:
    return {
        "rps_model_predictions_by_alias_total": state.predictions,
        "rps_model_correct_predictions_by_alias_total": state.correct,
        "rps_model_games_by_alias_total": state.alias_games,
        "rps_model_game_wins_by_alias_total": state.alias_wins,
        "rps_model_promotion_events_total": state.decisions,
        "rps_model_promotion_reasons_total": state.reasons,
        "rps_model_alias_reorders_total": _labelled(state.reorders),
        "rps_action_predictions_total": state.action_predictions,
        "rps_action_wins_total": state.action_wins,
        "rps_action_losses_total": state.action_losses,
        "rps_action_ties_total": state.action_ties,
        "rps_games_total": state.games,
        "rps_game_wins_total": state.game_wins,
        "rps_game_losses_total": state.game_losses,
        "rps_training_completed_total": state.trainings,
        "rps_model_fallback_total": state.fallbacks,
        "rps_ledger_events_total": _labelled(state.events),
    }


def _ticker_samples(state: Tickers) -> dict[str, Samples]:
    windows = state.windows.items()
    return {
        "rps_model_games_since_production_swap": {
            (family, alias): score.games for family, window in windows for alias, score in window.scores.items()
        },
        "rps_model_promotion_cycles_since_swap": {(family,): window.cycles for family, window in windows},
        "rps_model_promotion_last_swap_timestamp_seconds": {
            (family,): window.last_swap_us / 1_000_000
            for family, window in windows
            if window.last_swap_us is not None
        },
    }


def _promotion_samples(state: PromotionStates) -> dict[str, Samples]:
    """A gauge without a value yet is absent: a made-up 0 or 1 would set off an alert."""
    families = state.families.items()
    evaluated = [(family, promotion.evaluation) for family, promotion in families if promotion.evaluation]
    return {
        "rps_model_promotion_z_statistic": {
            (family,): last.z_statistic for family, last in evaluated if last.z_statistic is not None
        },
        "rps_model_promotion_p_value": {
            (family,): last.p_value for family, last in evaluated if last.p_value is not None
        },
        "rps_model_promotion_e_value": {
            (family,): _e_value(last.log_e) for family, last in evaluated if last.log_e is not None
        },
        "rps_model_promotion_games_needed": {
            (family,): last.games_needed for family, last in evaluated if last.games_needed is not None
        },
        "rps_model_promotion_rule_verdict": {
            (family, rule, decision): int(decision == verdict)
            for family, last in evaluated
            for rule, verdict in last.decisions.items()
            for decision in VERDICTS
        },
        "rps_model_promotion_held": {
            (family, reason): int(last.reason_code == reason)
            for family, last in evaluated
            if last.decisions
            for reason in HELD_REASONS
        },
        "rps_model_promotion_last_evaluation_timestamp_seconds": {
            (family,): last.evaluated_us / 1_000_000 for family, last in evaluated
        },
        "rps_model_promotion_pending": {
            (family,): int(promotion.plan is not None) for family, promotion in families
        },
        "rps_model_alias_rank": {
            (family, alias): rank for family, promotion in families for alias, rank in promotion.ranks.items()
        },
        "rps_model_alias_version": {
            (family, alias): version
            for family, promotion in families
            for alias, version in promotion.aliases.items()
        },
        "rps_model_alias_pinned": {
            (family, alias): int(alias in promotion.pins) for family, promotion in families for alias in ALIASES
        },
        "rps_model_alias_pin_broken": {
            (family, alias): int(promotion.is_pin_broken(alias))
            for family, promotion in families
            for alias in ALIASES
        },
        "rps_model_training_accuracy": {
            (family, alias): promotion.holdout_accuracies[version]
            for family, promotion in families
            for alias, version in promotion.aliases.items()
            if version in promotion.holdout_accuracies
        },
    }


def _rule_samples(state: PromotionStates) -> dict[str, Samples]:
    """Of the rule in force, once the family has the aliases that its cycles decide about."""
    rules = {
        family: promotion.rule or DEFAULT
        for family, promotion in state.families.items()
        if promotion.assignment() is not None
    }
    alphas = {(family,): _alpha(rule.alpha) for family, rule in rules.items()}
    return {
        "rps_model_promotion_alpha": {labels: alpha for labels, alpha in alphas.items() if alpha is not None},
        "rps_model_promotion_minimum_games": {(family,): rule.minimum_games for family, rule in rules.items()},
    }


def _alpha(text: str) -> float | None:
    """None for what no cycle can decide by: the log holds text, and another program may have appended it."""
    try:
        return float(read_alpha(text))
    except RuleError:
        return None


def _parity_samples(state: PromotionStates) -> dict[str, Samples]:
    """Of the versions behind an alias that have been checked."""
    checked = [
        (family, alias, parity)
        for family, promotion in state.families.items()
        for alias, version in promotion.aliases.items()
        if (parity := promotion.parity(version)) is not None
    ]
    return {
        "rps_model_parity_differences": {(family, alias): one.differences for family, alias, one in checked},
        "rps_model_accuracy_vs_bot": {
            (family, alias, one.player, source): hits.correct / hits.rows
            for family, alias, one in checked
            for source, hits in (("live", one.live), ("holdout", one.held_out))
            if hits is not None and hits.rows
        },
        "rps_model_accuracy_vs_bot_differs": {
            (family, alias, one.player): float(differs(one.live, one.held_out))
            for family, alias, one in checked
            if one.held_out is not None and one.held_out.rows and one.live.rows
        },
    }


def _e_value(log_e: float) -> float:
    """E, or the largest float where E is larger still: an infinity would be no number to compare with."""
    return math.exp(min(log_e, _LOG_MAX))


def _labelled(by_one: Mapping[str, Value]) -> dict[tuple[str], Value]:
    return {(label,): value for label, value in by_one.items()}


def _family(series: Series, samples: Samples, movers: Mapping[Any, Mover] = _NO_MOVERS) -> Metric:
    if series.kind == "histogram":
        return _histogram(series, {})
    kind = CounterMetricFamily if series.kind == "counter" else GaugeMetricFamily
    family = kind(series.name, series.help, labels=series.labels)
    for labels, value in samples.items():
        # The library would zip a tuple that is too short without a word.
        assert len(labels) == len(series.labels), f"{series.name} has the labels {series.labels}"
        family.add_metric(labels, value)
        if (mover := movers.get(labels)) is not None:
            family.samples[-1] = family.samples[-1]._replace(exemplar=_exemplar(mover))
    return family


def _exemplar(mover: Mover) -> Exemplar:
    """What Grafana jumps by from a point to its event: it is written in OpenMetrics alone."""
    return Exemplar({EXEMPLAR_LABEL: str(mover.position)}, 1.0, mover.recorded_us / 1_000_000)


def _histogram(series: Series, durations: Mapping[str, Durations]) -> Metric:
    family = HistogramMetricFamily(series.name, series.help, labels=series.labels)
    bounds = [*(str(float(bound)) for bound in TRAINING_BUCKETS_SECONDS), "+Inf"]
    for label, histogram in durations.items():
        cumulated, buckets = 0, []
        for bound, count in zip(bounds, histogram.counts, strict=True):
            cumulated += count
            buckets.append((bound, cumulated))
        family.add_metric([label], buckets, histogram.sum_seconds)
    return family
