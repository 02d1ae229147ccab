"""README and guide keep their word: the guide to an own model, the commands and the Python snippets all run."""

import re
import shlex
import shutil
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest

import deqn
from command_line import deqn_solve
from deqn.commands import evaluate, irf
from deqn.commands.solve import check_jobs
from deqn.configuration.composition import compose, find_value, split_sweep
from deqn.configuration.validation import validate
from deqn.sweeps.space import declare_search
from deqn.system.extras import check_launcher

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SHORT = (
    "optimizer.iterations=3",
    "optimizer.polish=0",
    "evaluation.reference=false",
    "evaluation.figures=false",
    "tolerance=1",
    "train.finish=true",
)


def blocks(language):
    """The fenced blocks of one language, in order, those of the README first."""
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    fenced = [pair for text in pages for pair in re.findall(r"^```([^\s`]*)[^\n]*\n(.*?)^```$", text, re.M | re.S)]
    return [text for name, text in fenced if name == language]


def test_the_first_screen_has_the_two_commands():
    screen = "\n".join(README.read_text(encoding="utf-8").splitlines()[:20])
    assert "pip install -e . && deqn-solve model=growth" in screen and 'pip install -e ".[test]" && pytest' in screen


def test_the_guides_own_numerics_are_read(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "write_a_model.md").read_text(encoding="utf-8")
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "mine.py").write_text(next(b for b in blocks("python") if "class Mine" in b))
    indented = re.search(r"^  ```yaml\n(.*?)^  ```$", text, re.M | re.S)[1]
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(textwrap.dedent(indented))
    monkeypatch.syspath_prepend(tmp_path)
    found, _ = validate(compose(["model=mine"], str(tmp_path / "conf")).config)
    assert found.tolerance == 1e-6 and found.network.hidden == [24, 24] and found.optimizer.polish == 4000


@pytest.mark.slow
def test_the_guide_gives_a_solved_model_of_ones_own(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "mine.py").write_text(next(b for b in blocks("python") if "class Mine" in b))
    (tmp_path / "conf" / "model" / "mine.yaml").write_text(blocks("yaml")[0])
    line = next(line for b in blocks("") for line in b.splitlines() if line.startswith("deqn-solve --config-dir conf"))
    done = deqn_solve(
        tmp_path,
        *shlex.split(line)[1:],
        "optimizer.iterations=30",
        "optimizer.polish=0",
        "optimizer.states=500",
        "tolerance=5e-4",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS mine" in done.stdout


def commands(program):
    """The arguments of every line that calls a program."""
    lines = [line for b in blocks("") for line in b.splitlines() if line.startswith(f"{program} ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_every_command_is_accepted():
    """The configuration of each line is composed and validated as it stands."""
    plain = [words for words in commands("deqn-solve") if not any(w.startswith(("-", "resume")) for w in words)]
    assert len(plain) >= 7
    for words in plain:
        validate(compose(words).config)


@pytest.mark.slow
def test_every_sweep_is_accepted():
    sweeps = [words[1:] for words in commands("deqn-solve") if words[0] == "-m"]
    assert len(sweeps) >= 4
    for words in sweeps:
        check_launcher(find_value("hydra/launcher", words))
        jobs = split_sweep(words)
        check_jobs(jobs, None)
        assert len(jobs) >= 2


def test_every_search_is_accepted():
    searches = [declare_search(words, None) for words in commands("deqn-tune")]
    guide = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    assert len(searches) >= 2 and f"{searches[0].folder} tuned=best" in guide


@pytest.mark.slow
def test_the_python_snippet_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snippet = next(b for b in blocks("python") if "deqn.solve" in b)
    names = {}
    exec(snippet.replace('"optimizer.iterations=100"', ", ".join(map(repr, SHORT))), names)
    assert isinstance(names["sol"].moments(), pd.DataFrame)
    states = {"k": [6.0], "z": [0.0]}
    assert names["again"].policy(states).equals(names["sol"].policy(states))


@pytest.mark.slow
def test_the_snippet_on_families_runs(tmp_path, monkeypatch):
    words = next(words for words in commands("deqn-solve") if any(w.startswith("pseudo_states") for w in words))
    intervals = [w for w in words if w.startswith("pseudo_states")]
    family = deqn.solve("stochastic_growth", [*SHORT, *intervals], folder=tmp_path / "run", quiet=True)
    monkeypatch.setattr(deqn, "load", lambda folder: family)
    names = {"deqn": deqn}
    exec(next(b for b in blocks("python") if "beta=0.97" in b), names)
    assert names["sol"] is family


@pytest.mark.slow
@pytest.mark.parametrize("program, command", [("deqn-evaluate", evaluate), ("deqn-irf", irf)])
def test_every_question_to_a_run_is_answered(stochastic, tmp_path, monkeypatch, program, command):
    run = shutil.copytree(stochastic.folder, tmp_path / "run")
    lines = commands(program)
    assert lines
    for words in lines:
        words = [f"run={run}" if w.startswith("run=") else w for w in words]
        monkeypatch.setattr(sys, "argv", [program, *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        assert ended.value.code == 0
    assert list(run.glob("evaluations/*/summary.json") if program == "deqn-evaluate" else run.glob("impulse*/*.png"))


@pytest.mark.slow
def test_the_snippet_on_the_gallery_runs():
    names = {}
    exec(next(b for b in blocks("python") if "gallery:" in b), names)
    assert len(names["sol"].policy({"k": [5.0, 6.0, 7.0], "z": 0.1})) == 3


def links():
    """Every link to a file, and the page that has it; the pages that the site generates are not there."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)h#][^)#]*)", page.read_text(encoding="utf-8")):
            if not link.startswith("generated/"):
                yield pytest.param(page, link, id=f"{page.name}: {link}")


@pytest.mark.parametrize("page, link", list(links()))
def test_every_link_leads_somewhere(page, link):
    assert (page.parent / link).exists()
