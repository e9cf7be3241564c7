"""Sources of votes: files, named data sets and standard input, read by the rules of the stream."""

from services.sources.base import Chunk, ColumnChunk, RecordChunk, RejectedItem, SourceError, VoteSource
from services.sources.named import NAMED, Named
from services.sources.votes import open_source

__all__ = [
    "NAMED",
    "Chunk",
    "ColumnChunk",
    "Named",
    "RecordChunk",
    "RejectedItem",
    "SourceError",
    "VoteSource",
    "open_source",
]
