"""One believable event of every type; a test names only the fields that it is about."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from ledger.events import (
    AliasChange,
    AliasesAssigned,
    AliasesPlanned,
    AliasPinned,
    AliasUnpinned,
    Assignment,
    ClockAccepted,
    CrossFamilySet,
    CycleDecided,
    Event,
    FailedModel,
    GameAbandoned,
    GameFinished,
    GameStarted,
    Hits,
    InferenceFellBack,
    KnownLedger,
    LedgerAccepted,
    LoadedModel,
    ModelsReloaded,
    ParityChecked,
    PlanApproved,
    PlanRejected,
    Points,
    PredictionMade,
    RoundPlayed,
    RuleSet,
    TrainingCompleted,
)
from ledger.evidence import (
    Arm,
    Counted,
    Evidence,
    Interval,
    RankedChallenger,
    Rule,
    RuleVerdict,
    Side,
    Split,
    Statistics,
    Tally,
    TallyByKind,
    Tickers,
    Watched,
    Windows,
)
from ledger.reported import Report, ReportedAccuracy, ReportedAssignment, ReportedRanking
from ledger.vocabulary import ALIASES
from projections.read_models.counting import NO_GAMES

Versions = tuple[int, int, int, int]
"""Of Production, B, shadow1 and shadow2, in this order."""

FIRST_VERSIONS: Versions = (1, 2, 3, 4)


def points(rock: int = 10, paper: int = 12, scissors: int = 15) -> Points:
    return Points(rock=rock, paper=paper, scissors=scissors)


def assignment(versions: Versions = FIRST_VERSIONS) -> Assignment:
    production, b, shadow1, shadow2 = versions
    return Assignment(Production=production, B=b, shadow1=shadow1, shadow2=shadow2)


def assignments(before: Versions | None, after: Versions) -> tuple[AliasChange, ...]:
    """Every alias with its version before (`None`: the family had none) and after."""
    old: Sequence[int | None] = before or (None, None, None, None)
    return tuple(
        AliasChange(alias=alias, before=was, after=now)
        for alias, was, now in zip(ALIASES, old, after, strict=True)
    )


def rule(**changes: Any) -> Rule:
    return replace(Rule(name="ztest/1", alpha="0.20", minimum_games=3, minimum_predictions=30), **changes)


def tally(wins: int, games: int) -> Tally:
    return Tally(games=games, wins=wins)


def arm(version: int, games: int, wins: int, *, own: tuple[int, int] | None = None) -> Arm:
    """One side of the comparison; `own` is (games, wins) of the version, by default the window's."""
    own_games, own_wins = own or (games, wins)
    return Arm(
        version=version,
        window=tally(wins, games),
        own=tally(own_wins, own_games),
    )


def evidence(**changes: Any) -> Evidence:
    return replace(
        Evidence(after_position=0, through_position=900, production=arm(1, 20, 8), b=arm(2, 20, 15)),
        **changes,
    )


def watched(**changes: Any) -> Watched:
    """What the guards look at, where none of them has anything to say."""
    return replace(
        Watched(
            splits=(Split(b_share=0.5, production=21, b=20),),
            production_finished=20,
            production_fallbacks=0,
            b_finished=20,
            b_fallbacks=0,
            cycles=0,
            seconds=None,
        ),
        **changes,
    )


def by_kind(human: Tally = NO_GAMES, bot: Tally = NO_GAMES, script: Tally = NO_GAMES) -> TallyByKind:
    return TallyByKind(human=human, bot=bot, script=script)


def windows(**changes: Any) -> Windows:
    """The games of `evidence()`: a training put version 2 behind B after three games of version 5."""
    production, own = Side(versions=(1,), games=by_kind(tally(8, 20))), by_kind(tally(13, 16), tally(0, 1))
    return replace(
        Windows(
            since_swap=Counted(
                after_position=0,
                production=production,
                b=Side(versions=(2, 5), games=by_kind(tally(15, 19), tally(0, 1))),
            ),
            version_pair=Counted(after_position=400, production=production, b=Side(versions=(2,), games=own)),
            mixed=True,
        ),
        **changes,
    )


def statistics(**changes: Any) -> Statistics:
    """What `evidence()` says."""
    return replace(
        Statistics(
            difference=0.35,
            interval=Interval(lower=0.0929, upper=0.5497),
            sequence=Interval(lower=-0.0761, upper=0.6948),
            exact_p=0.0148,
            small_sample=True,
            favourable=27,
            tosses=40,
            log_e=1.778,
            log_e_max=1.778,
            lead_missing=0,
            games_needed=140,
        ),
        **changes,
    )


def verdicts() -> tuple[RuleVerdict, ...]:
    swap: Any = {"decision": "swap_production_b", "reason_code": "better"}
    return (
        RuleVerdict(rule="ztest/1", z_statistic=2.2376, p_value=0.0126, **swap),
        RuleVerdict(rule="anytime-sign/1", z_statistic=None, p_value=0.169, **swap),
    )


def tickers(production_games: int = 20, b_games: int = 20, cycles: int = 1) -> Tickers:
    return Tickers(production_games=production_games, b_games=b_games, cycles=cycles)


def ranking() -> tuple[RankedChallenger, ...]:
    return (
        RankedChallenger(alias="B", version=2, rank=1, correct=40, predictions=90),
        RankedChallenger(alias="shadow1", version=3, rank=2, correct=35, predictions=90),
        RankedChallenger(alias="shadow2", version=4, rank=3, correct=30, predictions=90),
    )


def report(**changes: Any) -> Report:
    return replace(
        Report(
            production_wins=8,
            production_total_games=20,
            b_wins=15,
            b_total_games=20,
            production_games_since_swap=0,
            b_games_since_swap=0,
            promotion_cycles_since_swap=0,
            alias_rankings=(
                ReportedRanking(alias="B", rank=1, source_alias="Production", accuracy=0.4, total_predictions=90),
            ),
            alias_accuracies=(
                ReportedAccuracy(alias="Production", source_alias="B", accuracy=0.45, total_predictions=90),
            ),
            alias_assignments=(
                ReportedAssignment(
                    alias="Production", version=2, source_alias="B", previous_version=1, changed=True
                ),
            ),
            created_us=1_700_000_000_000_000,
            body_sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        **changes,
    )


def game_started(**changes: Any) -> GameStarted:
    return replace(
        GameStarted(
            game_id="g1",
            player_kind="human",
            player_id="p1",
            policy="brian",
            model_type="feedforward_nn",
            alias="Production",
            model_version=1,
            assignment=assignment(),
            swap_count=0,
            assignment_probability=0.5,
            difficulty="standard",
            opening="rotation-1",
            bot_seed=None,
            in_metrics=True,
        ),
        **changes,
    )


def round_played(**changes: Any) -> RoundPlayed:
    return replace(
        RoundPlayed(
            game_id="g1",
            round=1,
            user_move="paper",
            bot_move="rock",
            result="win",
            points=points(),
            user_delta_tenths=12,
            bot_delta_tenths=0,
            user_score_tenths=12,
            bot_score_tenths=0,
            policy="brian",
            difficulty="standard",
            model_type="feedforward_nn",
            alias="Production",
            model_version=1,
            probability_source="model",
            in_metrics=True,
        ),
        **changes,
    )


def prediction_made(**changes: Any) -> PredictionMade:
    return replace(
        PredictionMade(
            game_id="g1",
            round=1,
            model_type="feedforward_nn",
            alias="Production",
            model_version=1,
            probabilities=(0.2, 0.5, 0.3),
            predicted="paper",
            actual="paper",
            correct=True,
            served=True,
            in_metrics=True,
        ),
        **changes,
    )


def fell_back(**changes: Any) -> InferenceFellBack:
    return replace(
        InferenceFellBack(
            game_id="g1",
            round=1,
            model_type="feedforward_nn",
            alias="Production",
            model_version=1,
            reason="predict_error",
            detail="the session refused its input",
            served=True,
            in_metrics=True,
        ),
        **changes,
    )


def game_finished(**changes: Any) -> GameFinished:
    return replace(
        GameFinished(
            game_id="g1",
            player_kind="human",
            policy="brian",
            difficulty="standard",
            model_type="feedforward_nn",
            alias="Production",
            model_version=1,
            swap_count=0,
            winner="user",
            user_score_tenths=105,
            bot_score_tenths=84,
            rounds=21,
            fallback_affected=False,
            in_metrics=True,
        ),
        **changes,
    )


def game_abandoned(**changes: Any) -> GameAbandoned:
    return replace(
        GameAbandoned(
            game_id="g1",
            player_kind="human",
            policy="brian",
            difficulty="standard",
            model_type="feedforward_nn",
            alias="Production",
            model_version=1,
            swap_count=0,
            rounds=4,
            idle_seconds=1_800,
            in_metrics=True,
        ),
        **changes,
    )


def cycle_decided(**changes: Any) -> CycleDecided:
    return replace(
        CycleDecided(
            model_type="feedforward_nn",
            cycle=1,
            trigger="schedule",
            source="scheduler",
            decided_us=1_760_083_199_000_000,
            rule=rule(),
            evidence=evidence(),
            watched=watched(),
            windows=windows(),
            z_statistic=2.2376,
            p_value=0.0126,
            statistics=statistics(),
            verdicts=verdicts(),
            decision="swap_production_b",
            reason_code="better",
            reason="B won 15 of 20 games, Production 8 of 20: p = 0.0126 is below 0.20",
            ranking=ranking(),
            reordered=False,
            tickers=tickers(),
        ),
        **changes,
    )


def rule_set(**changes: Any) -> RuleSet:
    return replace(
        RuleSet(
            model_type="feedforward_nn",
            rule=rule(name="anytime-sign/1", settle_seconds=1_800),
            restarts_window=True,
            actor="settings",
        ),
        **changes,
    )


def aliases_planned(**changes: Any) -> AliasesPlanned:
    return replace(
        AliasesPlanned(
            model_type="feedforward_nn",
            cause="promotion",
            cycle=1,
            assignments=assignments(FIRST_VERSIONS, (2, 1, 3, 4)),
            runs=(),
            swapped=True,
            reordered=False,
        ),
        **changes,
    )


def aliases_assigned(**changes: Any) -> AliasesAssigned:
    """By default the bootstrap: versions 1 to 4 behind Production, B, shadow1 and shadow2."""
    return replace(
        AliasesAssigned(
            model_type="feedforward_nn",
            cause="bootstrap",
            cycle=None,
            plan=None,
            assignments=assignments(None, FIRST_VERSIONS),
            runs=(),
            swapped=False,
            reordered=False,
        ),
        **changes,
    )


def alias_pinned(**changes: Any) -> AliasPinned:
    """By default version 2 is held behind B."""
    return replace(
        AliasPinned(
            model_type="feedforward_nn",
            alias="B",
            version=2,
            expires_us=None,
            actor="ada",
            reason="a campaign runs until Monday",
            key=None,
        ),
        **changes,
    )


def alias_unpinned(**changes: Any) -> AliasUnpinned:
    return replace(
        AliasUnpinned(
            model_type="feedforward_nn",
            alias="B",
            version=2,
            cause="manual",
            actor="ada",
            reason="the campaign is over",
            key=None,
        ),
        **changes,
    )


def plan_approved(**changes: Any) -> PlanApproved:
    return replace(
        PlanApproved(model_type="feedforward_nn", plan=3, actor="ada", reason="the evidence is sound", key=None),
        **changes,
    )


def plan_rejected(**changes: Any) -> PlanRejected:
    return replace(
        PlanRejected(
            model_type="feedforward_nn", plan=3, cause="manual", actor="ada", reason="not before Monday", key=None
        ),
        **changes,
    )


def training_completed(**changes: Any) -> TrainingCompleted:
    """By default the run is the one that `graphs.files` gives the version."""
    family, version = changes.get("model_type", "feedforward_nn"), changes.get("model_version", 5)
    return replace(
        TrainingCompleted(
            model_type="feedforward_nn",
            alias="shadow2",
            status="success",
            source="scheduler",
            duration_seconds=3.5,
            model_version=5,
            run_id=version and f"run-{family}-{version}",
            rows=1_200,
            training_accuracy=0.48,
            holdout_accuracy=0.41,
            after_position=0,
            through_position=900,
            error=None,
        ),
        **changes,
    )


def models_reloaded(**changes: Any) -> ModelsReloaded:
    return replace(
        ModelsReloaded(
            model_type="feedforward_nn",
            loaded=(LoadedModel(alias="Production", version=1, source="model store"),),
            failed=(FailedModel(alias="B", version=2, reason="no such object"),),
        ),
        **changes,
    )


def parity_checked(**changes: Any) -> ParityChecked:
    return replace(
        ParityChecked(
            model_type="feedforward_nn",
            version=1,
            run_id=None,
            player="cal",
            games=20,
            rounds=400,
            differences=0,
            live=Hits(correct=180, rows=400),
            held_out=Hits(correct=92, rows=200),
            metric="holdout_own_vs_cal_accuracy",
        ),
        **changes,
    )


def cross_family_set(**changes: Any) -> CrossFamilySet:
    return replace(
        CrossFamilySet(share=0.1, players=("human", "bot"), actor="ada", reason="a look at the others"), **changes
    )


def ledger_accepted(**changes: Any) -> LedgerAccepted:
    known = KnownLedger(ledger_id="0190", position=12, chain_hash="ab" * 32)
    return replace(
        LedgerAccepted(
            ledger_id="0190", position=7, chain_hash="cd" * 32, known=known, archived=2, reason="restored a backup"
        ),
        **changes,
    )


def clock_accepted(**changes: Any) -> ClockAccepted:
    return replace(
        ClockAccepted(clock_us=2_000_000_000_000_000, head_us=1_700_000_000_000_000, reason="it was wrong before"),
        **changes,
    )


def one_of_each() -> tuple[Event, ...]:
    """An event of every type, in the order of the union."""
    return (
        game_started(),
        round_played(),
        prediction_made(),
        fell_back(),
        game_finished(),
        game_abandoned(),
        cycle_decided(),
        rule_set(),
        aliases_planned(),
        aliases_assigned(),
        alias_pinned(),
        alias_unpinned(),
        plan_approved(),
        plan_rejected(),
        training_completed(),
        models_reloaded(),
        parity_checked(),
        cross_family_set(),
        ledger_accepted(),
        clock_accepted(),
    )
