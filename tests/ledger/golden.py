"""The stored bytes of every event version ever shipped: `golden_events.json`, and what goes into it.

A line once shipped never changes: a ledger out there holds these bytes, and its hashes cover them. After a new
event type or schema version, `python -m tests.ledger.golden` adds its lines, and touches no other.
"""

import json
from pathlib import Path
from typing import TypedDict

from ledger.codec import Codec
from ledger.events import (
    Event,
    FailedModel,
)
from ledger.evidence import (
    Guards,
    ParityFound,
)
from ledger.reported import Report
from tests.builders import (
    alias_pinned,
    alias_unpinned,
    aliases_assigned,
    aliases_planned,
    assignments,
    cycle_decided,
    fell_back,
    game_abandoned,
    game_finished,
    game_started,
    ledger_accepted,
    models_reloaded,
    one_of_each,
    parity_checked,
    plan_rejected,
    prediction_made,
    report,
    round_played,
    rule,
    rule_set,
    statistics,
    training_completed,
    watched,
)

FILE = Path(__file__).parent / "golden_events.json"
SCRIPTED = {"policy": "gus", "model_type": "scripted", "alias": None, "model_version": None}


class Golden(TypedDict):
    type: str
    schema_version: int
    payload: str


def golden_events() -> list[Golden]:
    events: list[Golden] = json.loads(FILE.read_text("utf-8"))
    return events


def samples() -> tuple[Event, ...]:
    """One of each type, and those whose nulls, empty lists, numbers or texts are unlike them."""
    return (
        *one_of_each(),
        game_started(**SCRIPTED, assignment=None, opening=None, bot_seed=2**53, assignment_probability=1.0),
        game_started(player_kind="bot", player_id="cal", in_metrics=False),
        round_played(**SCRIPTED, probability_source="scripted"),
        prediction_made(probabilities=(1 / 3, 1 / 3, 1 / 3), alias="shadow2", model_version=2**53),
        prediction_made(predicted="rock", correct=False, served=False),
        fell_back(model_version=None, reason="minio_miss", detail='空, é, \0, " and \\', served=False),
        game_finished(**SCRIPTED, winner="tie", fallback_affected=True),
        game_abandoned(**SCRIPTED, rounds=0),
        cycle_decided(
            cycle=2,
            trigger="manual",
            z_statistic=None,
            p_value=None,
            statistics=statistics(
                difference=None,
                interval=None,
                sequence=None,
                exact_p=None,
                favourable=0,
                tosses=0,
                log_e=-0.5,
                log_e_max=0.0,
                lead_missing=8,
                games_needed=None,
            ),
            verdicts=(),
            decision="insufficient_data",
            reason_code="too_few_games",
            reason="",
            watched=watched(b_parity=ParityFound(position=7, rounds=400, differences=3)),
            ranking=(),
        ),
        cycle_decided(
            trigger="report",
            rule=None,
            evidence=None,
            z_statistic=-1.5e-7,
            p_value=1.0,
            statistics=None,
            verdicts=(),
            decision="retain_production",
            reason_code="reported",
            ranking=(),
            reordered=True,
            report=report(),
        ),
        cycle_decided(
            trigger="report",
            rule=None,
            evidence=None,
            z_statistic=None,
            p_value=None,
            statistics=None,
            verdicts=(),
            decision="alias_reorder",
            reason_code="reported",
            report=Report(body_sha256=report().body_sha256),
        ),
        rule_set(rule=rule(settle_seconds=None), actor="a person"),
        rule_set(
            rule=rule(
                guards=Guards(
                    sample_ratio=True, cooldown_cycles=4, cooldown_seconds=7_200, fallback_share_max=0.05
                )
            )
        ),
        aliases_planned(cause="manual", cycle=None, swapped=False, reordered=True),
        aliases_assigned(
            cause="promotion", cycle=1, plan=3, swapped=True, assignments=assignments((1, 2, 3, 4), (2, 1, 3, 4))
        ),
        aliases_planned(
            cause="manual",
            cycle=None,
            assignments=assignments((2, 1, 3, 4), (1, 2, 3, 4)),
            actor="ada",
            reason="the last cycle erred",
            key="undo-1",
            undoes=12,
            approve_by_us=1_760_083_199_000_000,
        ),
        aliases_assigned(cause="manual", cycle=None, plan=3, actor="ada", reason="v9 is gone", key="k", undoes=12),
        alias_pinned(expires_us=1_760_083_199_000_000, key="pin-1"),
        alias_unpinned(cause="expired", actor=None, reason=None, key=None),
        plan_rejected(cause="expired", actor=None, reason=None),
        rule_set(rule=rule(approval_seconds=86_400)),
        rule_set(
            rule=rule(
                ranking_players="human",
                guards=Guards(
                    sample_ratio=True, cooldown_cycles=0, cooldown_seconds=0, fallback_share_max=None, parity=True
                ),
            )
        ),
        training_completed(
            alias=None,
            status="failure",
            duration_seconds=None,
            model_version=None,
            run_id=None,
            rows=None,
            training_accuracy=None,
            holdout_accuracy=None,
            after_position=None,
            through_position=None,
            error="no rows",
        ),
        models_reloaded(loaded=(), failed=(FailedModel(alias="shadow1", version=None, reason="no answer"),)),
        parity_checked(run_id="r1", held_out=None, metric=None),
        ledger_accepted(known=None, archived=0),
    )


def main() -> None:
    golden = golden_events() if FILE.exists() else []
    held = {(event["type"], event["schema_version"]) for event in golden}
    for sample in samples():
        event_type, schema_version, payload = Codec().encode(sample)
        if (event_type, schema_version) not in held:
            golden.append({"type": event_type, "schema_version": schema_version, "payload": payload.decode()})
    golden.sort(key=lambda event: (event["type"], event["schema_version"]))
    lines = ",\n".join(json.dumps(event, ensure_ascii=False) for event in golden)
    FILE.write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
