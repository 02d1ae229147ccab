"""Mistakes and attacks on the command line and in YAML files, answered before TensorFlow is imported."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from command_line import CANARY

ANSWERING = """
import sys
here = sys.path.pop(0)  # as a console script does, which looks in the folder of the command last
import contextlib, io, json, os
from deqn.commands import check, solve
for command, *arguments in json.load(sys.stdin):
    out, err, before = io.StringIO(), io.StringIO(), sorted(os.listdir())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv[1:] = arguments
        try:
            {"deqn-solve": solve, "deqn-check": check}[command].main()
        except SystemExit as ended:
            code = ended.code
    print(json.dumps([code, out.getvalue(), err.getvalue(), sorted(os.listdir()) == before]))
"""
CONF = ("--config-dir", "conf", "model=mine")
GROWTH = "_target_: deqn.models.growth.Growth\n"
TOUCH = "touch canary"
FILES = {  # YAML files of the user's
    "broken": "alpha: [0.3\nbeta: 1\n",
    "twice": GROWTH + "alpha: 0.3\nalpha: 0.4\n",
    "typo": GROWTH + "alhpa: 0.3\n",
    "setting": "# @package _global_\nmodel:\n  _target_: deqn.models.growth.Growth\noptimizer:\n  itertions: 3\n",
    "nobody": "alpha: 0.3\n",
    "system": "_target_: os.system\n_args_: ['" + TOUCH + "']\n",
    "command": "_target_: os.system\ncommand: " + TOUCH + "\n",
    "tag": GROWTH + "alpha: !!python/object/apply:os.system ['" + TOUCH + "']\n",
    "new": GROWTH + "alpha: !!python/object/new:os.system ['" + TOUCH + "']\n",
    "nested": GROWTH + "alpha:\n  _target_: os.system\n  command: " + TOUCH + "\n",
    "callback": "# @package _global_\nmodel:\n  _target_: deqn.models.growth.Growth\nhydra:\n  callbacks:\n    c:\n"
    "      _target_: os.system\n      command: " + TOUCH + "\n",
    "lines": "# @package _global_\nmodel:\n  _target_: deqn.models.growth.Growth\nhydra:\n  launcher:\n"
    "    comment: \"a\\n" + TOUCH + "\"\n",
    "setup": "# @package _global_\nmodel:\n  _target_: deqn.models.growth.Growth\nhydra:\n  launcher:\n"
    "    setup: ['" + TOUCH + "']\n",
    "logging": "# @package _global_\nmodel:\n  _target_: deqn.models.growth.Growth\nhydra:\n  job_logging:\n"
    "    handlers:\n      h:\n        class: os.system\n        command: " + TOUCH + "\n",
}  # fmt: skip

OTHERS = {  # files that are not where, what or as they should be
    "conf/model/ending.yml": GROWTH,
    "conf/mine.yaml": GROWTH,
    "latin/model/accent.yaml": f"# Modèle\n{GROWTH}".encode("latin-1"),
    "wide/model/wide.yaml": GROWTH.encode("utf-16"),
    "primary/config.yaml": "seed: 1\n",
    "statistics.py": "",
    "deqn.py": "",
    "lacking.py": "from deqn import Model\n\nimport not_installed\n",
    "unclosed.py": "import numpy\nx = (\n",
}
FILES |= {name: f"_target_: {name}.Mine\n" for name in ("statistics", "deqn", "lacking", "unclosed", "missing")}
FILES |= {"quoted": GROWTH + 'alpha: "0.1"\n', "listed": GROWTH + 'k_box: ["0.5", 1.5]\n'}

NAMED = {
    "--config-name=nope": "not supported",
    "network.hiden=[3]": "did you mean 'network.hidden'",
    "modle=growth": "did you mean 'model'",
    "model=growht": "did you mean 'growth'",
    "network.activation=rellu": "network.activation=rellu: did you mean 'relu'",
    "model.bta=0.9": "did you mean 'model.beta'",
    "model.beta=abc": "model.beta=abc is not a number",
    "seed=1.5": "Integer",
    "network.hidden=[]": "empty",
    "+model.x=1": "unknown key 'model.x'",
    "+tolerence=1": "unknown key 'tolerence': did you mean 'tolerance'",
    "++foo.bar=1": "unknown key 'foo'",
    "+x/y=z": "unknown key 'x/y'",
    "~model": "model cannot be left out",
    "~train": "train cannot be left out",
    "--resolve": "options of --cfg",
    "--shell-completion install": "install=SHELL",
    "'not an override'": "key=value",
    "--config-dir=nowhere": "no such folder",
    "--config-dir conf model=broken": "broken.yaml, line 2",
    "--config-dir conf model=twice": "duplicate key alpha",
    "--config-dir conf model=typo": "unknown key 'model.alhpa': did you mean 'alpha'",
    "--config-dir conf model=setting": "did you mean 'optimizer.iterations'",
    "--config-dir conf model=nobody": "must name its class",
    "--config-dir conf model=brokn": "model=brokn: did you mean 'broken'",
    "--config-dir conf model=ending": "conf/model/ending.yml is there, but not read; move it to conf/model/ending.yaml",
    "--config-dir conf model=mine": "conf/mine.yaml is there, but not read; move it to conf/model/mine.yaml",
    "--config-dir conf/model model=typo": "conf/model/typo.yaml is there; give the folder above, --config-dir ",
    "model=typo": "model=typo: conf/model/typo.yaml is found with --config-dir conf",
    "--config-dir latin model=accent": "latin/model/accent.yaml is not in UTF-8, from byte 5 on",
    "--config-dir wide model=wide": "wide/model/wide.yaml is not in UTF-8, from byte 0 on",
    "--config-dir primary": "primary/config.yaml cannot stand in the place of the package's own config.yaml",
    "--config-dir conf model=quoted": "'0.1' is a text; write it without quotes",
    "--config-dir conf model=listed": "'0.5' is a text; write it without quotes",
    "--config-dir conf model=statistics": "statistics.py is not read, since an installed module has that name (/",
    "--config-dir conf model=deqn": "deqn.py is not read, since an installed module has that name (/",
    "--config-dir conf model=lacking": "lacking.py, line 3: ModuleNotFoundError: No module named 'not_installed'",
    "--config-dir conf model=unclosed": "unclosed.py, line 2: '(' was never closed",
    "--config-dir conf model=missing": "missing.py is looked for in the folder of the command, and on PYTHONPATH",
    "model.beta=np.float64(0.95)": "numpy's way to show a number; write the number itself, model.beta=0.95",
    "model.k_box=[np.float64(0.5),np.float32(1.5)]": "write the number itself, model.k_box=[0.5,1.5]",
    "model.beta=0.9,0.95": "a sweep, deqn-solve -m model.beta=0.9,0.95; a list is written model.beta=[0.9,0.95]",
    "model=growth,irbc": "model=growth,irbc: several values are a sweep, deqn-solve -m",
    "'model.beta=range(0.9,0.99,0.01)'": "several values are a sweep, deqn-solve -m 'model.beta=range(",
    "'model.β=[1'": "cannot read 'model.β=[1'",
}
OUTSIDE = {
    "model.beta=1.2": "model.beta=1.2 is outside (0, 1)",
    "train.batch=-1": "outside [1, inf)",
    "pseudo_states.beta=[0.9,1.5]": "outside (0, 1)",
    "pseudo_states.beta=[0.9,0.8]": "the lower end is not below the upper end",
    "model.k_box=[1.5,0.5]": "model.k_box=[1.5,0.5]: expected are numbers rising in (0, inf)",
    "model.k_box=[-1,0.5]": "outside (0, inf)",
    "train.batch=100000": "sampling.paths x sampling.periods",
    "optimizer=adam train.patience=4 train.steps=100": "allowed is patience x report_every in [1, 99]",
    "expectation=monomial expectation.degree=4": "allowed are 3, 5",
    "tolerance=nan": "tolerance=nan is outside (0, inf)",
}
ATTACKS = {
    "--config-dir conf model=system": "model._target_=os.system",
    "--config-dir conf model=command": "model._target_=os.system",
    "++model._target_=os.system": "model._target_=os.system",
    "++model._target_=builtins.exec": "model._target_=builtins.exec",
    "--config-dir conf model=tag": "could not determine a constructor for the tag",
    "--config-dir conf model=new": "could not determine a constructor for the tag",
    "--config-dir conf model=nested": "model.alpha={'_target_': 'os.system', 'command'",
    "--config-dir conf model=callback": "hydra.callbacks.c._target_ could run code",
    "--config-dir conf model=logging": "hydra.job_logging.handlers.h.class could run code",
    "+hydra.callbacks.c._target_=os.system '+hydra.callbacks.c.command=touch canary'": "could run code",
    "--config-dir conf model=setup hydra/launcher=submitit_slurm": "hydra.launcher.setup could run code",
    "--config-dir conf model=lines hydra/launcher=submitit_slurm": "hydra.launcher.comment has more than one line",
    "+hydra.job.env_set.PATH=.": "hydra.job.env_set.PATH could run code",
    "'++hydra.launcher.x={_target_:os.system,command:touch canary}'": "hydra.launcher.x._target_ could run code",
    "model=../outside": "model=../outside",
    "--config-dir conf model=../../outside": "leads out of the folder",
    "\"model.alpha=exec(open('evil.py').read())\"": "model.alpha",
    "'model.alpha=\"exec(1)\"'": "model.alpha=exec(1) is not a number",
    "'network.activation=\"exec(1)\"'": "network.activation=exec(1): allowed are celu",
    "optimizer=adam 'optimizer.options.beta_1=\"exec(1)\"'": "optimizer.options.beta_1=exec(1) is neither a number",
    "loss.weights={euler:__import__(os)}": "loss.weights",
    "model.k_box=array.npy": "model.k_box=array.npy is not a list of 2 numbers",
}
SWEPT = (
    "network.hiden=[3]",
    "model.beta=1.2",
    "model=growht",
    "+model.x=1",
    "'not an override'",
    "model.k_box=[1.5,0.5]",
)
CHECKED = (  # by deqn-check, too
    "model.bta=0.9",
    "model.beta=1.2",
    "model.beta=0.9,0.95",
    "model.beta=np.float64(0.95)",
    "--config-dir conf model=ending",
    "--config-dir conf model=quoted",
    "--config-dir conf model=lacking",
    "--config-dir latin model=accent",
)
ALL = NAMED | OUTSIDE | ATTACKS


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Exit code, stdout, stderr and whether the folder stayed as it was, for every case."""
    folder = tmp_path_factory.mktemp("bad_input")
    for name, text in FILES.items():
        (folder / "conf" / "model").mkdir(parents=True, exist_ok=True)
        (folder / "conf" / "model" / f"{name}.yaml").write_text(text)
    for name, content in OTHERS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "outside.yaml").write_text(GROWTH)
    (folder / "evil.py").write_text("open('canary', 'w').close()\n")
    (folder / "array.npy").write_bytes(b"cos\nsystem\n(S'touch canary'\ntR.")  # a pickle
    (folder / "path" / "tensorflow").mkdir(parents=True)
    (folder / "path" / "tensorflow" / "__init__.py").write_text(CANARY)
    cases = {case: ["deqn-solve", *shlex.split(case)] for case in ALL}
    cases |= {f"-m {case}": ["deqn-solve", "-m", "seed=0,1", *shlex.split(case)] for case in SWEPT}
    cases |= {f"check {case}": ["deqn-check", *shlex.split(case)] for case in CHECKED}
    done = subprocess.run([sys.executable, "-c", ANSWERING], input=json.dumps(list(cases.values())), cwd=folder,
                          env={**os.environ, "PYTHONPATH": str(folder / "path")}, capture_output=True, text=True,
                          timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = dict(zip(cases, map(json.loads, done.stdout.splitlines()), strict=True))
    return found | {"canary": (folder / "canary").exists()}


@pytest.mark.parametrize("case", [*ALL, *(f"-m {case}" for case in SWEPT)])
def test_it_is_answered_in_a_few_lines(answers, case):
    """Exit code 2, no traceback, no folder, and TensorFlow not imported, which its canary would show."""
    code, out, err, unchanged = answers[case]
    assert code == 2 and out == "" and unchanged, err
    assert ALL[case.removeprefix("-m ")] in err and len(err.splitlines()) <= 12 and "Traceback" not in err


@pytest.mark.parametrize("case", CHECKED)
def test_deqn_check_answers_alike(answers, case):
    assert answers[f"check {case}"][2].replace("deqn-check: ", "deqn-solve: ") == answers[case][2]


def test_nothing_was_executed(answers):
    assert not answers["canary"]
