import pytest

from huidurep_hf.pretraining.schedules import cosine_ramp, warmup_cosine


def test_learning_rate_rises_in_a_line_and_falls_along_a_cosine():
    factors = [warmup_cosine(step, 110, 10, final=0.1) for step in range(111)]
    assert factors[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert factors[10] == pytest.approx(1.0)
    assert factors[60] == pytest.approx(0.55)
    assert factors[110] == pytest.approx(0.1)
    assert all(a >= b for a, b in zip(factors[10:], factors[11:]))


def test_momentum_ramps_between_its_ends():
    assert cosine_ramp(0, 100, 0.99, 1.0) == pytest.approx(0.99)
    assert cosine_ramp(50, 100, 0.99, 1.0) == pytest.approx(0.995)
    assert cosine_ramp(100, 100, 0.99, 1.0) == pytest.approx(1.0)
