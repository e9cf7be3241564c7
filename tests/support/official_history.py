"""A synthetic history of the official one's shape and size: `python -m tests.support.official_history FILE`.

The official history (Hugging Face, `lmarena-ai/leaderboard-dataset`, CC BY 4.0) has 1,135,923 rows for text; only the
names of its columns are used here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars

ROWS = 1_135_923
FIRST = date(2023, 5, 8)
CATEGORIES = (
    "overall", "coding", "math", "hard_prompts", "creative_writing", "longer_query", "multi_turn", "english", "german",
    "french", "spanish", "chinese", "japanese", "korean", "russian", "instruction_following", "expert", "industry_law",
)  # fmt: skip
MODELS, DAYS = 300, 1_100


def official_history(rows: int = ROWS, seed: int = 1) -> polars.DataFrame:
    """The first `rows` rows: for each day and category the models that have arrived by then, best first.

    Totals only grow. Models arrive one by one over all days; each category starts later than the one before it.
    """
    random = np.random.default_rng(seed)
    skill = random.normal(1300, 80, MODELS)
    pace = random.gamma(2.0, 40.0, MODELS)
    parts, made = [], 0
    for day, at, here in _lists():
        share = 1.0 if at == 0 else 0.4 / at
        totals = np.floor(pace[here] * share * np.maximum(0, day - here * DAYS // MODELS)).astype(np.int64) + 30
        rating = np.round(skill[here] + random.normal(0, 3, len(here)), 2)
        half = 400 / np.sqrt(totals)
        parts.append(_one_list(here, totals, rating, half, CATEGORIES[at], FIRST + timedelta(days=day)))
        made += len(here)
        if made >= rows:
            break
    return polars.concat(parts).head(rows)


def _lists() -> Iterator[tuple[int, int, np.ndarray]]:
    for day in range(DAYS):
        for at in range(len(CATEGORIES)):
            if day >= 45 * at:
                yield day, at, np.arange(max(0, 2 + day * (MODELS - 2) // DAYS - at))


def _one_list(
    here: np.ndarray, totals: np.ndarray, rating: np.ndarray, half: np.ndarray, category: str, day: date
) -> polars.DataFrame:
    frame = polars.DataFrame(
        {
            "model_name": [f"maker-{number % 23}-model-{number}" for number in here],
            "organization": [f"Maker {number % 23}" for number in here],
            "license": [("Proprietary", "Apache 2.0", "MIT")[number % 3] for number in here],
            "rating": rating,
            "rating_lower": np.round(rating - half, 2),
            "rating_upper": np.round(rating + half, 2),
            "variance": np.round((half / 1.96) ** 2, 4),
            "vote_count": totals,
            "category": [category] * len(here),
            "leaderboard_publish_date": [day.isoformat()] * len(here),
        }
    )
    ranked = frame.sort("rating", descending=True).with_row_index("rank", offset=1)
    names = [name for name in frame.columns if name not in ("category", "leaderboard_publish_date")]
    return ranked.select(*names, "rank", "category", "leaderboard_publish_date")


def write_history(path: Path, rows: int = ROWS) -> None:
    """Write the history as Parquet or CSV, by the ending of the name."""
    frame = official_history(rows)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)


if __name__ == "__main__":
    write_history(Path(sys.argv[1]))
