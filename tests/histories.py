"""Histories that the service could have written: a strategy that plays, predicts, decides and moves aliases."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from ledger.events import (
    AliasesAssigned,
    AliasesPlanned,
    Assignment,
    CycleDecided,
    Event,
)
from ledger.reported import Report
from ledger.vocabulary import (
    ALIASES,
    DECISIONS,
    FALLBACK_REASONS,
    FAMILIES,
    MODEL_TYPE_OF_OPPONENT,
    MOVES,
    PLAYED_ALIASES,
    Decision,
    Family,
    ModelType,
    Opponent,
    PlayedAlias,
)
from tests import builders
from tests.builders import Versions

OPPONENTS: tuple[Opponent, ...] = ("brian", "brian", "brian", "forrest", "gus")


@dataclass
class Seat:
    """A running game, with what it keeps to its end."""

    game_id: str
    policy: Opponent
    model_type: ModelType
    alias: PlayedAlias | None
    assignment: Assignment | None
    swap_count: int
    in_metrics: bool
    rounds: int = 0
    fallback_affected: bool = False

    @property
    def model_version(self) -> int | None:
        return getattr(self.assignment, self.alias) if self.assignment and self.alias else None


@dataclass
class FamilyState:
    """What a family's next event must agree with."""

    versions: Versions | None = None
    stream_version: int = 0
    cycle: int = 0
    swap_count: int = 0
    newest: int = 4
    plan: tuple[int, AliasesPlanned] | None = None


@dataclass
class Story:
    """Everything that has happened so far, and what may happen next."""

    draw: DrawFn
    events: list[Event] = field(default_factory=list)
    seats: list[Seat] = field(default_factory=list)
    families: dict[str, FamilyState] = field(default_factory=lambda: {name: FamilyState() for name in FAMILIES})
    games: int = 0

    def chance(self) -> bool:
        return self.draw(st.booleans())

    def family(self) -> Family:
        return self.draw(st.sampled_from(FAMILIES[:2]))

    def record(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, CycleDecided | AliasesPlanned | AliasesAssigned):
                self.families[event.model_type].stream_version += 1
            self.events.append(event)


def start(story: Story) -> None:
    story.games += 1
    policy = story.draw(st.sampled_from(OPPONENTS))
    model_type = MODEL_TYPE_OF_OPPONENT[policy]
    assignment, swap_count, alias = None, 0, None
    if model_type != "scripted":
        family = story.families[model_type]
        alias = story.draw(st.sampled_from(PLAYED_ALIASES))
        assignment = builders.assignment(family.versions) if family.versions else None
        swap_count = family.swap_count
    in_metrics = story.draw(st.integers(0, 4)) > 0
    seat = Seat(f"g{story.games}", policy, model_type, alias, assignment, swap_count, in_metrics)
    story.seats.append(seat)
    story.record(
        builders.game_started(
            game_id=seat.game_id,
            policy=policy,
            model_type=model_type,
            alias=alias,
            model_version=seat.model_version,
            assignment=assignment,
            swap_count=swap_count,
            in_metrics=in_metrics,
        )
    )


def play(story: Story) -> None:
    if not story.seats:
        return start(story)
    seat = story.draw(st.sampled_from(story.seats))
    seat.rounds += 1
    common = {"game_id": seat.game_id, "round": seat.rounds, "in_metrics": seat.in_metrics}
    source = "scripted" if seat.model_type == "scripted" else "opening"
    if seat.assignment is not None and seat.model_type != "scripted":
        actual = story.draw(st.sampled_from(MOVES))
        fell_back = story.draw(st.integers(0, 5)) == 0
        source = "uniform" if fell_back else "model"
        if fell_back:
            seat.fallback_affected = True
            reason = story.draw(st.sampled_from(FALLBACK_REASONS))
            story.record(builders.fell_back(**common, model_type=seat.model_type, alias=seat.alias, reason=reason))
        for alias in ALIASES:
            if not (fell_back and alias == seat.alias):
                predicted = story.draw(st.sampled_from(MOVES))
                story.record(
                    builders.prediction_made(
                        **common,
                        model_type=seat.model_type,
                        alias=alias,
                        model_version=getattr(seat.assignment, alias),
                        predicted=predicted,
                        actual=actual,
                        correct=predicted == actual,
                        served=alias == seat.alias,
                    )
                )
    story.record(
        builders.round_played(
            **common,
            result=story.draw(st.sampled_from(("win", "lose", "draw"))),
            policy=seat.policy,
            model_type=seat.model_type,
            alias=seat.alias,
            model_version=seat.model_version,
            probability_source=source,
        )
    )
    return None


def end(story: Story) -> None:
    if not story.seats:
        return start(story)
    seat = story.seats.pop(story.draw(st.integers(0, len(story.seats) - 1)))
    labels = {
        "game_id": seat.game_id,
        "policy": seat.policy,
        "model_type": seat.model_type,
        "alias": seat.alias,
        "model_version": seat.model_version,
        "swap_count": seat.swap_count,
        "in_metrics": seat.in_metrics,
    }
    if seat.rounds == 0 or story.draw(st.integers(0, 3)) == 0:
        story.record(builders.game_abandoned(**labels, rounds=seat.rounds))
    else:
        winner = story.draw(st.sampled_from(("user", "bot", "bot", "tie")))
        story.record(
            builders.game_finished(
                **labels, winner=winner, rounds=seat.rounds, fallback_affected=seat.fallback_affected
            )
        )
    return None


def whole_game(story: Story) -> None:
    start(story)
    play(story)
    end(story)


def cycle(story: Story) -> None:
    """A cycle of the service's own, and perhaps at once its completion."""
    name = story.family()
    family = story.families[name]
    if family.versions is None or family.plan is not None:
        return complete(story, name)
    family.cycle += 1
    decision: Decision = story.draw(st.sampled_from(DECISIONS[:3]))
    swapped = decision == "swap_production_b"
    after = moved(story, family.versions, swapped) if decision != "insufficient_data" else family.versions
    reordered = not swapped and after != family.versions
    tested = decision != "insufficient_data" and story.chance()
    story.record(
        builders.cycle_decided(
            model_type=name,
            cycle=family.cycle,
            decision=decision,
            z_statistic=0.5 if tested else None,
            p_value=0.3 if tested else None,
            ranking=builders.ranking() if decision == "retain_production" else (),
            reordered=reordered,
            tickers=builders.tickers(0, 0, 0) if swapped else builders.tickers(),
        )
    )
    if swapped or reordered:
        plan = builders.aliases_planned(
            model_type=name,
            cycle=family.cycle,
            assignments=builders.assignments(family.versions, after),
            swapped=swapped,
            reordered=reordered,
        )
        story.record(plan)
        family.plan = family.stream_version, plan
        if story.chance():
            complete(story, name)
    return None


def moved(story: Story, versions: Versions, swapped: bool) -> Versions:
    production, *challengers = versions
    if swapped:
        return challengers[0], production, challengers[1], challengers[2]
    b, shadow1, shadow2 = story.draw(st.permutations(challengers))
    return production, b, shadow1, shadow2


def complete(story: Story, name: Family) -> None:
    """Carry out the family's open plan; a family without aliases gets its first ones."""
    family = story.families[name]
    if family.versions is None:
        family.versions = builders.FIRST_VERSIONS
        return story.record(builders.aliases_assigned(model_type=name))
    if family.plan is None:
        return None
    (version, plan), family.plan = family.plan, None
    take_over(
        story,
        builders.aliases_assigned(
            model_type=name,
            cause=plan.cause,
            cycle=plan.cycle,
            plan=version,
            assignments=plan.assignments,
            swapped=plan.swapped,
            reordered=plan.reordered,
        ),
    )
    return None


def take_over(story: Story, assigned: AliasesAssigned) -> None:
    family = story.families[assigned.model_type]
    production, b, shadow1, shadow2 = (change.after for change in assigned.assignments)
    family.versions = production, b, shadow1, shadow2
    family.swap_count += assigned.swapped
    story.record(assigned)


def report(story: Story) -> None:
    """An outside automation reports its cycle, before the ledger knows the aliases or after."""
    name = story.family()
    family = story.families[name]
    if family.plan is not None:
        return complete(story, name)
    family.cycle += 1
    decision = story.draw(st.sampled_from(DECISIONS))
    swapped = decision == "swap_production_b" and family.versions is not None
    reordered = not swapped and (decision == "alias_reorder" or story.chance())
    story.record(
        builders.cycle_decided(
            model_type=name,
            cycle=family.cycle,
            trigger="report",
            rule=None,
            evidence=None,
            z_statistic=None,
            p_value=None,
            decision=decision,
            reason_code="reported",
            ranking=(),
            reordered=reordered,
            report=builders.report() if story.chance() else Report(body_sha256="0"),
        )
    )
    if family.versions is not None and (swapped or reordered):
        after = moved(story, family.versions, swapped)
        take_over(
            story,
            builders.aliases_assigned(
                model_type=name,
                cause="report",
                cycle=family.cycle,
                assignments=builders.assignments(family.versions, after),
                swapped=swapped,
                reordered=reordered,
            ),
        )
    return None


def adopt(story: Story) -> None:
    """The registry was moved from outside: a swap, or a version that a trainer has made."""
    name = story.family()
    family = story.families[name]
    if family.versions is None or family.plan is not None:
        return complete(story, name)
    swapped = story.chance()
    production, b, shadow1, _ = family.versions
    after = (b, production, *family.versions[2:]) if swapped else (production, b, shadow1, family.newest)
    return take_over(
        story,
        builders.aliases_assigned(
            model_type=name,
            cause="registry",
            assignments=builders.assignments(family.versions, after),
            swapped=swapped,
        ),
    )


def pin(story: Story) -> None:
    """An operator holds what is behind an alias, or lets it go; the fold takes either at any time."""
    name = story.family()
    family = story.families[name]
    if family.versions is None:
        return complete(story, name)
    index = story.draw(st.integers(0, len(ALIASES) - 1))
    held = {"model_type": name, "alias": ALIASES[index], "version": family.versions[index]}
    return story.record(builders.alias_pinned(**held) if story.chance() else builders.alias_unpinned(**held))


def train(story: Story) -> None:
    name = story.family()
    family = story.families[name]
    if story.chance():
        family.newest += 1
        duration = story.draw(st.sampled_from((None, 0.1, 10.0, 59.7, 4_000.0)))
        story.record(
            builders.training_completed(model_type=name, model_version=family.newest, duration_seconds=duration)
        )
    else:
        story.record(
            builders.training_completed(
                model_type=name, status="failure", model_version=None, holdout_accuracy=None, error="no rows"
            )
        )


def reload(story: Story) -> None:
    story.record(builders.models_reloaded(model_type=story.family()))


def check_parity(story: Story) -> None:
    version, differences = story.draw(st.integers(1, 5)), story.draw(st.integers(0, 2))
    story.record(builders.parity_checked(model_type=story.family(), version=version, differences=differences))


STEPS: tuple[Callable[[Story], None], ...] = (
    play,
    play,
    end,
    whole_game,
    start,
    cycle,
    cycle,
    report,
    adopt,
    pin,
    train,
    reload,
    check_parity,
)


@st.composite
def histories(draw: DrawFn, *, steps_max: int = 12) -> list[Event]:
    """At least one event: games, cycles, plans and trainings of two families, and a scripted opponent."""
    story = Story(draw)
    if draw(st.booleans()):
        complete(story, FAMILIES[0])
    for step in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=steps_max)):
        step(story)
    if not story.events:
        reload(story)
    return story.events
