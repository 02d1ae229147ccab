"""deqn-evaluate judges a solution anew: other nodes, paths, box points or seed.

  deqn-evaluate run=outputs/growth/... seed=7
  deqn-evaluate run=outputs/growth/... evaluation.paths=1000
  deqn-evaluate run=outputs/growth/... evaluation.box_scale=1.5    a wider box
  deqn-evaluate run=outputs/growth/... expectation.nodes=20 tolerance=1e-7

  run            folder of a solution, or gallery:NAME
  evaluation.*   paths, periods, burn_in, box, box_scale, reference
  expectation.*  the very rule that judges; without, a finer one than training's
  seed           of the states and shocks
  tolerance      of the mean path error

Prints the verdict, and writes its tables into a new folder evaluations/<time>
in that of the run (outputs/NAME for gallery:NAME), which stays as it is.
Exit codes: 0 PASS, 2 bad input, 4 FAIL, 5 files, 6 too little memory.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from deqn.commands import STARTED
from deqn.commands.arguments import read_words, run_guarded, take_run_folder
from deqn.configuration.composition import compose
from deqn.configuration.job import check_evaluation, complete_config, recall_overrides
from deqn.configuration.validation import validate
from deqn.runs.engine import start_engine
from deqn.system.clock import Clock
from deqn.system.errors import choose_exit_code
from deqn.system.files import claim_new_folder


def run_evaluate(arguments: list[str]) -> int:
    """Judge a solution under the settings that the arguments change; returns the exit code."""
    if not arguments or set(arguments) & {"-h", "--help"}:
        print(__doc__, end="")
        return 0
    folder, answers = take_run_folder(read_words(arguments))
    given = [a for a in arguments if not a.startswith("run=")]
    config = compose(*recall_overrides(given, None, folder)).config
    chosen, _ = validate(config)
    check_evaluation(complete_config(config, chosen.model), folder / "config.yaml")
    clock = Clock(STARTED)
    with clock.phase("import"):
        console = start_engine()
    from deqn.equations.expectation import build_expectation
    from deqn.equations.quadrature import choose_rule
    from deqn.evaluation.judgements import judge
    from deqn.reporting import report
    from deqn.runs import solution, verdict

    with clock.phase("evaluate"):
        solved = solution.load_solution(folder)
        result = solved.result.begin_anew(tolerance=chosen.tolerance, seed=chosen.seed, overrides=given)
        chosen = solution.fit_kinks(chosen, solved.economy.model, solved.economy.switches)
        solved = replace(solved, settings=chosen, result=result)
        finer = solved.finer_economy
        if any(a.lstrip("+").startswith("expectation") for a in given):
            chosen_rule = choose_rule(chosen.expectation, finer.model)
            other = build_expectation(finer.model, chosen_rule).turn_as(finer.expectation)
            finer = replace(finer, expectation=other)
        case = verdict.compose_case(solved, finer)
        summary = judge(case)
    place = Path(claim_new_folder(f"{answers}/evaluations/{datetime.now():%Y-%m-%d_%H-%M-%S}"))
    verdict.write_errors(place, summary, case.compared)
    summary = replace(summary, seconds=clock.seconds())
    verdict.write_summary(place, summary)
    report.print_verdict(console, summary, place)
    return choose_exit_code(summary.status, None)


main = partial(run_guarded, "deqn-evaluate", run_evaluate)  # the console script
