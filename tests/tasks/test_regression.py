import numpy as np
import pytest

from sktransformers.tasks.regression import Regression

RNG = np.random.RandomState(0)


@pytest.mark.parametrize("value", [0.0, 0.1, 7.0, -1e17 / 3, 1e160 / 3, 1e-170])
@pytest.mark.parametrize("weights", [None, RNG.rand(24)])
def test_constant_targets_have_scale_one(value, weights):
    task = Regression.fit(np.full(24, value), weights)
    assert (task.mean, task.scale) == (value, 1.0)
    both = np.c_[np.full(24, value), np.arange(24.0)]
    assert Regression.fit(both, weights).scale[0] == 1.0
    assert Regression.fit(both, weights).scale[1] > 5
    assert (task.encode(np.full(24, value)) == 0).all()


def test_targets_that_differ_by_rounding_are_constant():
    y = np.full(24, 0.3)
    y[::2] = 0.1 + 0.2
    assert Regression.fit(y).scale == 1.0
    assert np.abs(Regression.fit(y * 1e160).encode(y * 1e160)).max() <= 1


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e-30, 1.0, 1e160, 1e290])
def test_units_of_any_size(unit):
    y = RNG.rand(30) + 3
    task = Regression.fit(y * unit)
    assert task.mean == pytest.approx(y.mean() * unit, rel=1e-12)
    assert task.scale == pytest.approx(y.std() * unit, rel=1e-12)
    np.testing.assert_allclose(task.decode(task.encode(y * unit)), y * unit)


def test_the_unit_changes_no_bit():
    y, weights = RNG.rand(100, 3) * [1, 1e5, 1e-5], RNG.rand(100)
    task = Regression.fit(y, weights)
    mean = np.average(y, axis=0, weights=weights)
    np.testing.assert_array_equal(task.mean, mean)
    scale = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weights))
    np.testing.assert_array_equal(task.scale, scale)


def test_rows_of_weight_zero_set_no_scale():
    y, weights = np.array([1.0, 2, 3, 1e200]), np.array([1.0, 1, 1, 0])
    assert Regression.fit(y, weights).scale == Regression.fit(y[:3]).scale


def test_numbers_that_no_float_can_divide_are_constant():
    assert Regression.fit(np.array([0, 5e-324])).scale == 1.0
