"""All detectors, in the order in which they report at one place of the ledger."""

from __future__ import annotations

from streams.contracts.alert import Kind
from streams.fairness.detectors.base import AnyDetector, NoticeDetector, ReviewDetector, TickDetector
from streams.fairness.detectors.best_of_n import BestOfN
from streams.fairness.detectors.data_inequality import DataInequality
from streams.fairness.detectors.declared_probability_wrong import DeclaredProbabilityWrong
from streams.fairness.detectors.draws_unclear import DrawsUnclear
from streams.fairness.detectors.feed_stalled import FeedStalled
from streams.fairness.detectors.graph_fragile import GraphFragile
from streams.fairness.detectors.name_flood import NameFlood
from streams.fairness.detectors.pairing_bias import PairingBias
from streams.fairness.detectors.policy_too_busy import PolicyTooBusy
from streams.fairness.detectors.private_variants import PrivateVariants
from streams.fairness.detectors.prompt_reuse import PromptReuse
from streams.fairness.detectors.rank_churn import RankChurn
from streams.fairness.detectors.repeated_votes import RepeatedVotes
from streams.fairness.detectors.result_break import ResultBreak
from streams.fairness.detectors.retirement_bias import RetirementBias
from streams.fairness.detectors.row_detector import RowDetector
from streams.fairness.detectors.score_retraction import ScoreRetraction
from streams.fairness.detectors.share_drift import ShareDrift
from streams.fairness.detectors.side_bias import SideBias
from streams.fairness.detectors.side_preference import SidePreference
from streams.fairness.detectors.silent_removal import SilentRemoval
from streams.fairness.detectors.stratum_removal import StratumRemoval
from streams.fairness.detectors.unannounced_retirement import UnannouncedRetirement
from streams.fairness.detectors.undeclared_model import UndeclaredModel
from streams.fairness.detectors.vote_loss import VoteLoss
from streams.fairness.detectors.voter_manipulation import VoterManipulation
from streams.fairness.detectors.whole_policy import WholePolicy

# Named for other modules: views publish the evidence of the last two, the silence alert has the kind of the first.
FEED_STALLED, SILENT_REMOVAL, SHARE_DRIFT = FeedStalled(), SilentRemoval(), ShareDrift()

DETECTORS: tuple[AnyDetector, ...] = (
    FEED_STALLED,
    SILENT_REMOVAL,  # before share drift, which tests the models in play: a removal changes which those are
    SHARE_DRIFT,
    UnannouncedRetirement(),
    PrivateVariants(),
    ScoreRetraction(),
    BestOfN(),
    RetirementBias(),
    DataInequality(),
    UndeclaredModel(),
    PromptReuse(),
    GraphFragile(),
    RankChurn(),
    DrawsUnclear(),
    PolicyTooBusy(),
    DeclaredProbabilityWrong(),
    NameFlood(),
    VoteLoss(),
    VoterManipulation(),
    RepeatedVotes(),
    PairingBias(),
    SideBias(),
    StratumRemoval(),
    ResultBreak(),
    SidePreference(),
    WholePolicy(),  # after share drift: it tells what no share explains
)
"""Each review collects the verdicts of all of them, so that alerts are repeated and past events are resolved."""

AT_TICK = tuple(each for each in DETECTORS if isinstance(each, TickDetector))
AT_ROW = tuple(each for each in DETECTORS if isinstance(each, RowDetector))
AT_NOTICE = tuple(each for each in DETECTORS if isinstance(each, NoticeDetector))
AT_REVIEW = tuple(each for each in DETECTORS if isinstance(each, ReviewDetector))
BY_KIND = tuple(sorted(DETECTORS, key=lambda each: list(Kind).index(each.kind)))
"""Detectors in the order of `Kind`, which checkpoints and views use."""
