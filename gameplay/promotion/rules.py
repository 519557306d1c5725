"""The rule of each family: what the settings ask for becomes the ledger's, as an event."""

from collections.abc import Mapping
from functools import partial

from gameplay.config import Settings
from gameplay.promotion.state import Promotion
from ledger.events import RuleSet
from ledger.evidence import Guards, Rule
from ledger.vocabulary import FAMILIES, Family
from projections.decision.rules import ANYTIME_SIGN, DEFAULT, restarts_window

SETTINGS_ACTOR = "settings"


def rules_of(settings: Settings) -> dict[Family, Rule]:
    """The rule that the settings ask for, of every family."""
    named = dict(settings.promotion_rule)
    return {family: _rule(settings, named.get(family, DEFAULT.name)) for family in FAMILIES}


def set_rules(promotion: Promotion, rules: Mapping[Family, Rule], *, actor: str) -> list[RuleSet]:
    """Record each rule that differs from the ledger's; cycles decide by the ledger's alone.

    A change of the test begins a new window for a rule that counts games as they were assigned; one of a guard
    does not. Either leaves the tickers as they are. Raises Conflict while other processes keep moving a family's
    aliases.
    """
    events = [
        promotion.retry(family, partial(_set_rule, promotion, family, rule, actor))
        for family, rule in rules.items()
    ]
    return [event for event in events if event is not None]


def _set_rule(promotion: Promotion, family: Family, rule: Rule, actor: str) -> RuleSet | None:
    state = promotion.state(family)
    before = state.promotion.rule or DEFAULT
    if rule == before:
        return None
    event = RuleSet(model_type=family, rule=rule, restarts_window=restarts_window(before, rule), actor=actor)
    promotion.append(state, [event])
    return event


def _rule(settings: Settings, name: str) -> Rule:
    return Rule(
        name=name,
        alpha=settings.promotion_alpha,
        minimum_games=settings.promotion_minimum_games,
        minimum_predictions=settings.promotion_minimum_predictions,
        settle_seconds=settings.promotion_settle_seconds if name == ANYTIME_SIGN else None,
        evidence=settings.promotion_evidence,
        players=settings.promotion_players,
        ranking_players=settings.promotion_players,
        approval_seconds=settings.promotion_approval_seconds if settings.promotion_approval == "swap" else None,
        guards=Guards(
            sample_ratio=settings.guard_sample_ratio,
            cooldown_cycles=settings.guard_cooldown_cycles,
            cooldown_seconds=settings.guard_cooldown_seconds,
            fallback_share_max=settings.guard_fallback_share,
            parity=settings.guard_parity,
        ),
    )
