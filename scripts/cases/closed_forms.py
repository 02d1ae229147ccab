"""Papers whose solution is a formula."""

from collections.abc import Iterator

import numpy as np

from cases.table import Row, linearize, solve


def burnside() -> Iterator[Row]:
    """The price-dividend ratio at mean dividend growth, by the formula of the paper."""
    solution = solve("asset_pricing")
    here, linear = (s.policy({"x": 0.0179})["v"].iloc[0] for s in (solution, linearize(solution)))
    yield Row("Burnside (1998), formula", "price-dividend ratio at mean growth", 12.48123658, here, 5e-9, linear)


def krueger_kubler() -> Iterator[Row]:
    """Savings of each generation as a share of its income, at half of the capital at rest under the middle shock."""
    solution = solve("olg_analytic", "model.head=level", "network.hidden=[32,32]", "optimizer.polish=10000")
    k = np.array([0.4167, 0.1816, 0.0749, 0.0278, 0.0078])
    here, linear = (s.policy({"k": k, "eta": 1.0, "delta": 0.7}).iloc[0] for s in (solution, linearize(solution)))
    for h, printed in enumerate((0.659999, 0.639393, 0.605211, 0.543379, 0.411765)):
        saved, first_order = (now[f"a[{h}]"] / now[f"income[{h}]"] for now in (here, linear))
        yield Row("Krueger and Kubler (2004), formula", f"share saved by generation {h + 1}", printed, saved, 1e-5,
                  first_order)  # fmt: skip


def brock_mirman() -> Iterator[Row]:
    """Tomorrow's capital as a share of output, which is alpha beta everywhere."""
    solution = solve("growth")
    linear, rest = linearize(solution), solution.economy.model.steady_state()["k"]
    for share in (0.5, 1.0, 1.5):
        k = share * rest
        here, first_order = (s.policy({"k": k})["k_next"].iloc[0] / k**0.36 for s in (solution, linear))
        yield Row("Brock and Mirman (1972), formula", f"k' / y at {share:g} times rest", 0.3564, here, 1e-8,
                  first_order)  # fmt: skip
