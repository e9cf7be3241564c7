"""All detectors, in the order in which one place of the ledger reports them."""

from __future__ import annotations

from streams.fairness.detectors.best_of_n import BestOfN
from streams.fairness.detectors.data_inequality import DataInequality
from streams.fairness.detectors.feed_stalled import FeedStalled
from streams.fairness.detectors.graph_fragile import GraphFragile
from streams.fairness.detectors.private_variants import PrivateVariants
from streams.fairness.detectors.prompt_reuse import PromptReuse
from streams.fairness.detectors.rank_churn import RankChurn
from streams.fairness.detectors.retirement_bias import RetirementBias
from streams.fairness.detectors.score_retraction import ScoreRetraction
from streams.fairness.detectors.share_drift import ShareDrift
from streams.fairness.detectors.silent_removal import SilentRemoval
from streams.fairness.detectors.unannounced_retirement import UnannouncedRetirement
from streams.fairness.detectors.undeclared_model import UndeclaredModel

# At each tick.
FEED_STALLED = FeedStalled()
SILENT_REMOVAL = SilentRemoval()
SHARE_DRIFT = ShareDrift()

# At each notice.
UNANNOUNCED_RETIREMENT = UnannouncedRetirement()
PRIVATE_VARIANTS = PrivateVariants()
SCORE_RETRACTION = ScoreRetraction()
BEST_OF_N = BestOfN()
RETIREMENT_BIAS = RetirementBias()

# At each review.
DATA_INEQUALITY = DataInequality()
UNDECLARED_MODEL = UndeclaredModel()
PROMPT_REUSE = PromptReuse()
GRAPH_FRAGILE = GraphFragile()
RANK_CHURN = RankChurn()

AT_TICK = (FEED_STALLED, SILENT_REMOVAL, SHARE_DRIFT)
AT_NOTICE = (UNANNOUNCED_RETIREMENT, PRIVATE_VARIANTS, SCORE_RETRACTION, BEST_OF_N, RETIREMENT_BIAS)
AT_REVIEW = (DATA_INEQUALITY, UNDECLARED_MODEL, PROMPT_REUSE)
AT_RATINGS = (GRAPH_FRAGILE, RANK_CHURN)
EVERY = (*AT_TICK, *AT_NOTICE, *AT_REVIEW, *AT_RATINGS)
"""At each review all of them are asked what stands, so that alerts are repeated and past events end."""
