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
    solution = solve("olg_analytic", "model.head=level", "optimizer.polish=4000")
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


def gali() -> Iterator[Row]:
    """Responses to a monetary shock and to technology under the interest rate rule, which is linear as printed.

    With one shock the solution is y = psi v and so on by undetermined coefficients, formulas (28) and (29) in section
    3.4.1: gap -(1 - beta rho) Lambda v, inflation -kappa Lambda v, Lambda = 1 / ((1 - beta rho)(sigma (1 - rho) +
    phi_y) + kappa (phi_pi - rho)).
    """
    solution = solve("gali")
    m, linear = solution.economy.model, linearize(solution)

    def Lambda(rho: float) -> float:
        return 1 / ((1 - m.beta * rho) * (m.sigma * (1 - rho) + m.phi_y) + m.kappa * (m.phi_pi - rho))

    v, a = Lambda(m.rho_v), -m.psi_ya * (m.phi_y + m.sigma * (1 - m.rho_a)) * Lambda(m.rho_a)
    formulas = {
        "output gap by monetary shock": ("gap", "v", -(1 - m.beta * m.rho_v) * v),
        "inflation by monetary shock": ("pi", "v", -m.kappa * v),
        "output gap by technology": ("gap", "a", (1 - m.beta * m.rho_a) * a),
        "inflation by technology": ("pi", "a", m.kappa * a),
    }
    at = {"a": 0.0, "v": 0.0}
    for quantity, (policy, state, formula) in formulas.items():
        here, first_order = (s.policy(at | {state: 0.01})[policy].iloc[0] / 0.01 for s in (solution, linear))
        yield Row("Gali (2015), chapter 3, formula", quantity, formula, here, 1e-6, first_order)


def long_plosser() -> Iterator[Row]:
    """Shares of outputs that are used up, hours, and the autoregression of log outputs, whose matrix is that of inputs.

    With gamma_j = theta_j + beta sum_i gamma_i a_ij the paper has X_ij = beta gamma_i a_ij / gamma_j Y_j and L_i =
    beta gamma_i b_i / (theta_0 + beta sum gamma b). Training starts at constants: the first-order solution is exact.
    """
    solution, source = solve("long_plosser"), "Long and Plosser (1983), formula"
    m, linear, n = solution.economy.model, linearize(solution), solution.economy.model.n
    a, b, rest = np.array(m.a), np.array(m.b), m.steady_state()["Y"]
    gamma = np.linalg.solve(np.eye(n) - m.beta * a.T, m.theta)
    at = rest * np.array([0.85, 1.2])
    here, first_order = (s.policy({"Y": at}).iloc[0] for s in (solution, linear))
    for i in range(n):
        hours = m.beta * gamma[i] * b[i] / (m.theta_0 + m.beta * gamma @ b)
        yield Row(source, f"hours in sector {i + 1}", hours, here[f"L[{i}]"], 1e-5, first_order[f"L[{i}]"])
        for j in range(n):
            used, X = m.beta * gamma[i] * a[i, j] / gamma[j], f"X[{n * i + j}]"
            yield Row(source, f"share of good {j + 1} used in sector {i + 1}", used, here[X] / at[j], 1e-5,
                      first_order[X] / at[j])  # fmt: skip
    for j in range(n):
        moved = rest * np.exp(0.1 * (np.arange(n) == j))
        logs = [np.log(s.policy({"Y": np.stack([rest, moved], 1)})) for s in (solution, linear)]
        for i in range(n):
            slope, of_first_order = (np.diff(x[f"product[{i}]"])[0] / 0.1 for x in logs)
            yield Row(source, f"log output {i + 1} by log output {j + 1} a year before", a[i, j], slope, 1e-4,
                      of_first_order)  # fmt: skip
