"""Numbers that are not finite: the equation, the state, the policies and the parameters, and the last good checkpoint.

Exit code 3 where no policy was finite at a report; else the best one is judged.
"""

import json

import numpy as np
import pytest
import tensorflow as tf

import deqn
from command_line import LITTLE
from deqn.training.checkpoint import read_policy

MINE = """
from dataclasses import dataclass

import tensorflow as tf

from deqn.models.growth import Growth


@dataclass(frozen=True)
class {name}(Growth):
    '''Growth, with a mistake.'''

    head: str = "share"

    def {function}
"""
MISTAKES = {
    # an equation that has no number where capital is high
    "Equation": "residuals(self, now, nxt, E):\n"
    "        good = super().residuals(now, nxt, E)['euler']\n"
    "        return {'euler': good, 'bad': good + 0 * tf.sqrt(0.25 - now.k)}\n",
    # a law of motion that leads capital below zero, far from the steady state
    "Domain": "transition(self, now, shock):\n"
    "        k = super().transition(now, shock)['k']\n"
    "        return {'k': tf.where(now.k > 0.25, -k, k)}\n",
}
SAID = {
    "Equation": "equation 'bad' is not finite at k=0.2",
    "Domain": "equation 'euler' is not finite at k=0.2",
    "Step": "equation 'euler' is not finite at k=",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAID)
def test_it_is_named_and_what_was_good_is_kept(here, tmp_path, monkeypatch, name):
    monkeypatch.syspath_prepend(tmp_path)
    arguments = ["optimizer=adam", "network.anchor=steady_state", "network.hidden=[8]", "train.steps=400", *LITTLE]
    if name == "Step":  # one that throws the weights out of range
        arguments += [
            "model=growth",
            "model.delta=0.5",
            "tolerance=10",
            "optimizer=sgd",
            "optimizer.learning_rate=1e12",
            "schedule=constant",
        ]
    else:
        (tmp_path / f"{name.lower()}_file.py").write_text(MINE.format(name=name, function=MISTAKES[name]))
        (tmp_path / "conf" / "model").mkdir(parents=True)
        (tmp_path / "conf" / "model" / "mine.yaml").write_text(f"_target_: {name.lower()}_file.{name}\n")
        arguments += ["--config-dir", "conf", "model=mine"]
    done = here(*arguments, "hydra.run.dir=run")
    said = " ".join(done.stdout.split())
    assert (
        "diverged at step" in said
        and SAID[name] in said
        and (", k_next=" if name == "Step" else ", s=") in said
        and "parameters alpha=0.36" in said
    )
    assert "Traceback" not in done.stdout + done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["training"]["ended"] == "diverged" and SAID[name] in summary["training"]["problem"]
    if name == "Step":  # the start was finite, within the tolerance, and is judged
        assert done.returncode == 0 and summary["status"] == "converged", done.stderr
    else:
        assert done.returncode == 3 and summary["status"] == "diverged", done.stderr
        assert "diverged; mean path error" in (tmp_path / "run" / "report.html").read_text()
    solution = deqn.load(tmp_path / "run")
    read_policy(tmp_path / "run", solution.economy.policy.network)
    assert all(np.isfinite(w).all() for w in solution.economy.policy.network.get_weights())
    for index in (tmp_path / "run" / "checkpoints").glob("ckpt-*.index"):
        stored = tf.train.load_checkpoint(str(index.with_suffix("")))
        names = [n for n in stored.get_variable_to_shape_map() if "weights/" in n]
        assert len(names) == 4 * 5 and all(np.isfinite(stored.get_tensor(n)).all() for n in names)
