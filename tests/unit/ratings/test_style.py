import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from streams.ratings import bradley_terry
from streams.ratings.features import Moments, contrast
from streams.ratings.intervals import SandwichCovariance
from streams.ratings.newton import NotConverged
from streams.ratings.style import CovariateRows, Dropped, fit


def votes(
    models: int = 8, rows: int = 3000, seed: int = 0, features: int = 4, draws: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Votes with known θ and β, and contrasts of counts like those of answers."""
    random = np.random.default_rng(seed)
    a = random.integers(0, models, rows)
    b = (a + random.integers(1, models, rows)) % models
    x = contrast(*random.integers(0, 9, (2, rows, features)).astype(float))
    theta, beta = np.linspace(1, -1, models), np.array([0.5, -0.3, 0.0, 0.2])[:features]
    p = 1 / (1 + np.exp(theta[b] - theta[a] - (x / x.std(axis=0)) @ beta))
    score = np.where(random.random(rows) < p, 1.0, 0.0)
    if draws:
        score[random.random(rows) < 0.2] = 0.5
    return a, b, score, x


def test_the_contrast_is_a_share_and_swapping_the_sides_negates_it() -> None:
    one, other = np.array([[30.0, 0.0, 4.0]]), np.array([[10.0, 0.0, 0.0]])
    assert contrast(one, other).tolist() == [[0.5, 0.0, 1.0]]
    assert np.array_equal(contrast(other, one), -contrast(one, other))


def test_nothing_over_nothing_is_no_contrast() -> None:
    assert contrast(np.zeros((2, 4)), np.zeros((2, 4))).tolist() == [[0.0] * 4] * 2


def test_moments_of_parts_add_up_to_those_of_the_whole() -> None:
    *_, x = votes()
    parts = Moments.of(x[:10]) + Moments.of(x[10:2000]) + Moments.of(x[2000:])
    np.testing.assert_allclose(parts.deviation(), x.std(axis=0), rtol=1e-12)
    np.testing.assert_allclose(Moments.of(x).deviation(), parts.deviation(), rtol=1e-12)


def test_moments_of_nothing_are_nothing() -> None:
    assert Moments.of(np.zeros((0, 4))).deviation().tolist() == [0.0] * 4


def test_a_constant_does_not_vary_whatever_rounding_says() -> None:
    assert Moments.of(np.full((1001, 1), 0.1)).deviation().tolist() == [0.0]


def test_the_gradient_and_the_hessian_are_those_of_finite_differences() -> None:
    a, b, score, x = votes(rows=200)
    rows = CovariateRows(8 * a + b, score, x, 8)
    point = np.random.default_rng(1).normal(size=12)
    point[:8] -= point[:8].mean()

    def log_likelihood(at: NDArray[np.float64]) -> float:
        logits = at[a] - at[b] + x @ at[8:]
        return -(score * np.logaddexp(0, -logits) + (1 - score) * np.logaddexp(0, logits)).sum()

    gradient, hessian = rows.derivatives(point)
    hessian[:8, :8] -= rows.gauge
    by = 1e-5
    numeric = [(log_likelihood(point + by * e) - log_likelihood(point - by * e)) / (2 * by) for e in np.eye(12)]
    np.testing.assert_allclose(gradient, numeric, atol=1e-6)
    curvature = [(rows.gradient(point - by * e) - rows.gradient(point + by * e)) / (2 * by) for e in np.eye(12)]
    np.testing.assert_allclose(hessian, curvature, atol=1e-6)


def test_the_fit_is_the_maximum_a_general_optimiser_finds() -> None:
    a, b, score, x = votes(rows=800)
    z = x / x.std(axis=0)

    def loss(at: NDArray[np.float64]) -> float:
        logits = at[a] - at[b] + z @ at[8:]
        return (score * np.logaddexp(0, -logits) + (1 - score) * np.logaddexp(0, logits)).sum() + at[:8].sum() ** 2

    expected = minimize(loss, np.zeros(12), method="BFGS", options={"gtol": 1e-6}).x
    found = fit(a, b, score, x, 8)
    np.testing.assert_allclose(found.theta, expected[:8], atol=1e-5)
    np.testing.assert_allclose(found.beta, expected[8:], atol=1e-5)
    assert found.gradient_norm < 1e-9
    assert found.dropped == (None,) * 4


def test_the_truth_is_found_within_its_errors() -> None:
    found = fit(*votes(rows=60_000, draws=False), 8)
    truth = np.array([0.5, -0.3, 0.0, 0.2])
    assert np.abs((found.beta - truth) / found.beta_error).max() < 3.5
    assert np.abs((found.theta - np.linspace(1, -1, 8)) / found.theta_error).max() < 3.5


def test_without_style_it_is_bradley_terry_with_its_errors() -> None:
    a, b, score, x = votes()
    found = fit(a, b, score, np.zeros_like(x), 8)
    wins, draws = np.zeros((8, 8)), np.zeros((8, 8))
    np.add.at(wins, (a, b), score == 1)
    np.add.at(wins, (b, a), score == 0)
    np.add.at(draws, (a, b), score == 0.5)
    draws += draws.T
    plain = bradley_terry.fit(wins, draws)
    np.testing.assert_allclose(found.theta, plain.theta, atol=1e-12)
    np.testing.assert_allclose(
        found.theta_error, np.sqrt(SandwichCovariance.of(wins, draws, plain).variances()), rtol=1e-9
    )


def test_swapping_the_sides_changes_nothing() -> None:
    a, b, score, x = votes()
    swap = np.random.default_rng(4).random(a.size) < 0.5
    moments = Moments.of(x)  # the deviation is about the mean, so it must be given
    mixed = fit(
        np.where(swap, b, a),
        np.where(swap, a, b),
        np.where(swap, 1 - score, score),
        np.where(swap[:, None], -x, x),
        8,
        moments=moments,
    )
    straight = fit(a, b, score, x, 8)
    np.testing.assert_allclose(mixed.theta, straight.theta, atol=1e-12)
    np.testing.assert_allclose(mixed.beta, straight.beta, atol=1e-12)


def test_negating_a_feature_negates_its_coefficient() -> None:
    a, b, score, x = votes()
    found, turned = fit(a, b, score, x, 8), fit(a, b, score, x * [-1, 1, 1, 1], 8)
    assert turned.beta[0] == pytest.approx(-found.beta[0], abs=1e-12)
    np.testing.assert_allclose(turned.theta, found.theta, atol=1e-12)


def test_the_unit_of_a_feature_does_not_matter() -> None:
    a, b, score, x = votes()
    np.testing.assert_allclose(fit(a, b, score, 1000 * x, 8).beta, fit(a, b, score, x, 8).beta, atol=1e-11)


def test_the_start_changes_no_bit() -> None:
    rows = votes()
    found = fit(*rows, 8)
    again = fit(*rows, 8, start=np.append(found.theta[:5], [np.nan]))
    assert np.array_equal(found.theta, again.theta)
    assert np.array_equal(found.beta, again.beta)


def test_a_feature_that_does_not_vary_is_dropped_with_the_reason() -> None:
    a, b, score, x = votes()
    x[:, 2] = 0.25
    found = fit(a, b, score, x, 8)
    assert found.dropped == (None, None, Dropped.NO_VARIANCE, None)
    assert np.isnan(found.beta).tolist() == [False, False, True, False]
    assert np.isnan(found.beta_error).tolist() == [False, False, True, False]
    np.testing.assert_allclose(found.beta[[0, 1, 3]], fit(a, b, score, x[:, [0, 1, 3]], 8).beta, atol=1e-12)


def test_a_feature_that_repeats_others_is_dropped_with_the_reason() -> None:
    a, b, score, x = votes()
    x[:, 3] = 0.5 * x[:, 0] - 0.25 * x[:, 1]
    found = fit(a, b, score, x, 8)
    assert found.dropped == (None, None, None, Dropped.COLLINEAR)
    np.testing.assert_allclose(found.beta[:3], fit(a, b, score, x[:, :3], 8).beta, atol=1e-12)


def test_a_feature_that_only_says_who_was_shown_is_dropped_with_the_reason() -> None:
    a, b, score, x = votes()
    strength = np.linspace(0, 0.4, 8)
    x[:, 0] = strength[a] - strength[b]
    assert fit(a, b, score, x, 8).dropped[0] is Dropped.COLLINEAR


def test_rows_without_style_are_left_out_and_counted() -> None:
    a, b, score, x = votes()
    x[::10, 1] = np.nan
    found = fit(a, b, score, x, 8)
    whole = ~np.isnan(x).any(axis=1)
    assert (found.rows, found.missing) == (2700, 300)
    expected = fit(a[whole], b[whole], score[whole], x[whole], 8)
    assert np.array_equal(found.theta, expected.theta)
    assert np.array_equal(found.beta, expected.beta)


def test_models_outside_the_main_component_have_no_rating_and_move_nobody() -> None:
    a, b, score, x = votes()
    stray = fit(
        np.append(a, [8, 9]),
        np.append(b, [0, 8]),
        np.append(score, [1, 1]),
        np.vstack([x, x[:2]]),
        10,
        moments=Moments.of(x),
    )
    assert np.isnan(stray.theta).tolist() == [False] * 8 + [True] * 2
    assert np.array_equal(stray.theta[:8], fit(a, b, score, x, 8).theta)


def test_style_that_separates_the_votes_raises() -> None:
    a, b, _, x = votes(features=1)
    with pytest.raises(NotConverged):
        fit(a, b, np.where(x[:, 0] > 0, 1.0, 0.0), x, 8)


@pytest.mark.parametrize("models", [0, 1, 5])
def test_no_rows_are_no_ratings(models: int) -> None:
    none = np.zeros(0, dtype=np.int64)
    found = fit(none, none, np.zeros(0), np.zeros((0, 4)), models)
    assert np.isnan(found.theta).all()
    assert found.dropped == (Dropped.NO_VARIANCE,) * 4
    assert found.rows == 0
