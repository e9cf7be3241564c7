"""Settings under which everything happens within a few thousand battles."""

import pytest

from streams.fairness.settings import FairnessSettings


@pytest.fixture
def brisk() -> FairnessSettings:
    return FairnessSettings(
        false_pages="one in 10,000,000 battles",
        review_battles=1_000,
        window_reviews=3,
        ratings_reviews=1,
        repeat_reviews=3,
        undeclared_battles=10,
        zero_battles=500,
        max_provider_share=0.5,
        max_license_share=1.0,
        max_provider_hhi=1.0,
        max_provider_gini=1.0,
    )
