"""The audit: infer from published snapshots of a leaderboard how its models were treated; pure functions."""

from streams.audit.assemble import audit_snapshots
from streams.audit.board.history import Row
from streams.audit.options import Options
from streams.audit.report.document import Report
from streams.contracts.model import Model

__all__ = [
    "Model",
    "Options",
    "Report",
    "Row",
    "audit_snapshots",
]
