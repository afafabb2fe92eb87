"""Quantiles of the beta distribution, in plain arithmetic, as a workflow is checked without numerical libraries.

In: a probability and two shapes. Out: the value below which that much of the distribution lies.
"""

from __future__ import annotations

from math import exp, lgamma, log

STEPS = 60
PRECISION = 1e-15
TERMS = 40


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the value in 0..1 below which a beta distribution has a probability, to about 1e-14.

    Newton's method, or halving where it would leave the interval that is known to hold the value.
    """
    low, high, x = 0.0, 1.0, 0.5
    if probability in (low, high):
        return probability
    scale = exp(lgamma(a + b) - lgamma(a) - lgamma(b))
    for _ in range(STEPS):
        error = beta_share(x, a, b) - probability
        low, high = (x, high) if error < 0 else (low, x)
        density = scale * x ** (a - 1) * (1 - x) ** (b - 1)
        following = x - error / density if density > 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) < PRECISION:
            break
        x = following
    return x


def beta_share(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b): the probability of a value below x in 0..1."""
    if x in (0.0, 1.0):
        return x
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x))
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(x, a, b) / a
    return 1 - front * _continued_fraction(1 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    """Evaluate the fraction 26.5.8 of Abramowitz and Stegun, from its end."""
    value = 1.0
    for n in range(TERMS, 0, -1):
        m = n // 2
        numerator = m * (b - m) if n % 2 == 0 else -(a + m) * (a + b + m)
        value = 1 + numerator * x / ((a + n - 1) * (a + n) * value)
    return 1 / value
