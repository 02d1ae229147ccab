"""deqn-check: all that can be known of a model without training, one line each: the contract, what harms training."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deqn.checks import diagnosis
from deqn.checks.contract import check_contract
from deqn.checks.undefined import check_box
from deqn.economy.members import Members
from deqn.equations.expectation import build_expectation
from deqn.equations.quadrature import choose_finer_rule, choose_rule
from deqn.families.pseudo_states import gather_members
from deqn.model.declaration import Model
from deqn.model.findings import Finding, Line, check
from deqn.perturbation.steady_state import SteadyState
from deqn.policies.approximators import choose_widths
from deqn.runs.record import show_status
from deqn.runs.run import check_loss_weights
from deqn.runs.solution import fit_kinks
from deqn.runs.start import Start, choose_start
from deqn.settings.ranges import format_value
from deqn.settings.schema import Settings


def inspect(settings: Settings, model: Model, name: str, console: Console, began: float) -> int:
    """Check a model and print the table; returns the exit code: 0, or 2 where a check failed."""
    with show_status(console) as tell:
        lines = [*run_checks(gather_members(model, settings.pseudo_states), settings, tell)]
    failed = sum(bool(line.failures) for line in lines)
    skipped, warned = sum(line.lacking is not None for line in lines), sum(bool(line.warnings) for line in lines)
    table = Table("check", "result", "found", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for line in lines:
        table.add_row(line.name, *(Text(text, style) for text, style in describe_line(line)))
    console.print(table)
    counts = {"passed": len(lines) - failed - skipped, "failed": failed, "skipped": skipped, "warned": warned}
    listed = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    word = "[bold red]FAIL[/]" if failed else "[bold green]PASS[/]"
    console.print(f"{word} {name}: {listed}; {time.monotonic() - began:.0f} s", highlight=False)
    return 2 if failed else 0


def run_checks(members: Members, settings: Settings, tell: Callable[[str], None] = lambda text: None) -> Iterator[Line]:
    """Every check, in the order in which they build on each other; `tell` hears about what takes long."""
    lines, quadrature, anchor = {}, settings.expectation, settings.network.anchor
    yield check("parameters", describe_parameters, members)
    for line in check_contract(members, partial(choose_rule, quadrature), anchor, tell):
        lines[line.name] = line
        yield line
    declared, moved, equations = lines["declarations"], lines["transition"], lines["residuals"]
    refine = lambda model: Finding(build_expectation(model, choose_finer_rule(settings.expectation, model)), "")
    finer = check("finer rule", refine, declared)
    if settings.loss.weights:
        listed = ", ".join(f"{name} {weight:g}" for name, weight in settings.loss.weights.items())
        accept = lambda names: Finding(check_loss_weights(settings.loss.weights, names), listed)
        yield check("loss weights", accept, equations)
    steady, built = lines["steady state"], [moved, equations]
    yield check("gradients", diagnosis.check_gradients, declared, members.domain, steady.value, after=built)
    needed = [declared, *built]
    if "zero residuals" in lines:
        yield check("units", diagnosis.check_units, declared, steady, after=built)
        sound = lines["zero residuals"]
        roots = check("roots", partial(diagnosis.check_eigenvalues, domain=members.domain, anchor=anchor),
                      declared, steady, after=[sound])  # fmt: skip
        yield roots
        needed = [declared, roots]
    yield (start := check("start", check_start, members, steady, settings, after=needed))
    if start.value is not None and start.value.economy.switches:
        settings = fit_kinks(settings, start.value.economy.model, start.value.economy.switches)
        quadrature = settings.expectation
        finer = check("finer rule", refine, declared)
    yield (economy := check("network", check_network, start, settings))
    choices = settings.optimizer, settings.schedule, settings.train, settings.evaluation
    yield check("choices", diagnosis.check_choices, economy, *choices)
    yield (inside := check("box", check_box, economy))
    rules = finer, quadrature
    yield check("quadrature", diagnosis.check_quadrature, economy, *rules, settings.tolerance, after=[inside])
    yield check("closed form", diagnosis.check_closed_form, declared, members.domain, steady, *rules, after=built)


def describe_parameters(members: Members) -> Finding:
    """The parameters, whose ranges the configuration was checked for, and those for which no range is declared."""
    own = members.base
    names = [f.name for f in dataclasses.fields(own)]
    free = [name for name in names if name not in own.ranges]
    values = ", ".join(f"{name}={format_value(getattr(own, name))}" for name in names) or "none"
    if members.parameters.names:
        values += f"\nas states: {members.parameters}"
    return Finding(None, values + f"\nno range is declared for {', '.join(free)}" * bool(free))


def check_start(members: Members, steady: SteadyState | None, settings: Settings) -> Finding:
    """Where training would start, and the error there. Raises InputError for too many weights, and without a start."""
    start = choose_start(members, settings, steady)
    leaves = lambda name: "; a constraint binds at rest, and its paths leave" * (name in start.misled)
    words = [f"{name}: mean error {error:.1e}{leaves(name)}" for name, error in start.errors.items()]
    chosen = f"\ntaken is {start.name}" * (len(words) > 1)
    kinks = "\nthe equations have kinks where its paths go" * bool(start.economy.switches)
    return Finding(start, "\n".join(words) + chosen + kinks)


def check_network(start: Start, settings: Settings) -> Finding:
    """The economy under its untrained network, and the number of weights."""
    economy = start.economy
    widths = choose_widths(economy.model, settings.network)
    hidden = f" {format_value(widths)}" if widths else ""
    return Finding(economy, f"{settings.network.name}{hidden}: {economy.policy.network.count_params():,} weights")


def describe_line(line: Line) -> tuple[tuple[str, str], tuple[str, str]]:
    if line.lacking is not None:
        return ("skipped", "dim"), (f"needs {line.lacking}", "dim")
    if line.failures:
        return ("FAIL", "bold red"), ("\n".join(map(str, line.failures)), "red")
    if line.warnings:
        return ("warning", "yellow"), ("\n".join([line.text, *line.warnings]), "")
    return ("ok", "green"), (line.text, "")
