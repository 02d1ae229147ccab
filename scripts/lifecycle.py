"""An independent steady state of six overlapping cohorts with borrowing constraints, in scipy (no shocks, z = 0).

    cash^h = l^h w + R k^h,  c^h = cash^h - k^(h+1),  k^(h+1) >= 0,  k^0 = 0, the oldest consume their cash
    1/c^h >= beta R / c^(h+1), with equality where k^(h+1) > 0
    K = sum k,  y = K^alpha L^(1-alpha),  w = (1-alpha) y / L,  R = 1 + alpha y / K - delta

Given prices, a life is cut by the ages without savings into spells, within which consumption grows by beta R. All
2^(A-1) cuts are tried, and the one that meets every inequality is the optimum, because the problem is concave.
Aggregate capital is then a root in one variable.
"""

from itertools import product

import numpy as np
from scipy.optimize import brentq

LABOUR = (1.0, 1.8, 2.3, 2.5, 1.6, 1.25)


def life(income, R, beta):
    """Consumption and end-of-age savings [ages] of a life with these incomes, and whether each constraint binds."""
    ages = len(income)
    for binds in product((False, True), repeat=ages - 1):
        starts = [0, *(h + 1 for h in range(ages - 1) if binds[h]), ages]
        c = np.concatenate([spell(income[a:b], R, beta) for a, b in zip(starts, starts[1:], strict=False)])
        savings, held = np.zeros(ages), 0.0
        for h in range(ages - 1):
            held = 0.0 if binds[h] else income[h] + R * held - c[h]
            savings[h] = held
        if (savings >= 0).all() and (c[1:] >= beta * R * c[:-1] * (1 - 1e-12)).all():
            return c, savings, np.array([*binds, False])
    raise RuntimeError("no pattern of binding constraints is optimal")


def spell(income, R, beta):
    """Consumption while it grows by beta R and uses up the income of its ages."""
    ages = np.arange(len(income))
    return (income / R**ages).sum() / (beta**ages).sum() * (beta * R) ** ages


def steady_state(labour=LABOUR, alpha=0.36, beta=0.99**10, delta=0.8):
    """Capital by age k^0..k^(A-1), savings shares s^0..s^(A-2), consumption, binding constraints, prices r and w."""
    labour = np.array(labour)

    def prices(K):
        y = K**alpha * labour.sum() ** (1 - alpha)
        return alpha * y / K, (1 - alpha) * y / labour.sum()

    def excess(K):
        r, w = prices(K)
        return life(labour * w, 1 + r - delta, beta)[1].sum() / K - 1

    K = brentq(excess, 1e-2, 1e2, xtol=1e-15, rtol=1e-14)
    r, w = prices(K)
    c, savings, binds = life(labour * w, 1 + r - delta, beta)
    k = np.concatenate([[0.0], savings[:-1]])
    cash = labour * w + (1 + r - delta) * k
    return {"k": k, "s": (savings / cash)[:-1], "c": c, "binds": binds[:-1], "r": r, "w": w, "K": K}


def residuals(k, labour=LABOUR, alpha=0.36, beta=0.99**10, delta=0.8):
    """The smaller of k^(h+1)/c^h and c^(h+1)/(beta R c^h) - 1 (zero at the steady state) from k by age alone."""
    k, labour = np.array(k), np.array(labour)
    y = k.sum() ** alpha * labour.sum() ** (1 - alpha)
    R = 1 + alpha * y / k.sum() - delta
    c = labour * (1 - alpha) * y / labour.sum() + R * k - np.append(k[1:], 0)
    return np.minimum(k[1:] / c[:-1], c[1:] / (beta * R * c[:-1]) - 1)


def main():
    with np.printoptions(precision=6, suppress=True):
        found = steady_state()
        for name, values in found.items():
            print(f"{name:6}", values)
        print("largest residual", np.abs(residuals(found["k"])).max())


if __name__ == "__main__":
    main()
