"""The site follows from the code: what the generated pages hold, and that a page cannot name what is none."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd
import pytest

from deqn.evaluation.summary import Summary
from deqn.settings.schema import allow
from replications import CASES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

import generate  # noqa: E402
from replication_pages import describe_replications  # noqa: E402


def test_every_setting_has_its_row():
    text, keys = generate.describe_settings(), generate.list_keys()
    assert len(keys) > 60 and not [key for key in keys if f"| `{key}` |" not in text and key != "model"]
    row = next(line for line in text.splitlines() if line.startswith("| `evaluation.burn_in`"))
    assert "whole number or null | `null` | `[0, inf)` | dates of each that are left out" in row


def test_a_setting_without_a_line_is_an_error():
    @dataclass
    class Group:
        new: int = allow("[1, inf)")

    with pytest.raises(ValueError, match="train.new has no line in configs/"):
        list(generate.tabulate_fields(fields(Group), {"": {"new": generate.Entry("1", "")}}, "train."))


@pytest.mark.parametrize("text, wrong", [
    ("`optimizer.stages=2`", "optimizer.stages"),
    ("| `network.with` |", "network.with"),
    ("set train.step=5, or train.steps=5", "train.step"),
    ("`optimizer.states=10 train.seconds=3 loss.weights.euler=2`", None),
    ("`deqn/evaluation/judgements.py`, deqn.evaluation.moments", None),
])  # fmt: skip
def test_a_key_that_is_none_fails_the_build(text, wrong):
    if wrong is None:
        generate.check_keys(text, "page.md")
        return
    with pytest.raises(ValueError, match=f"page.md names {wrong}: there is no such setting"):
        generate.check_keys(text, "page.md")


def test_the_pages_name_no_setting_that_is_none():
    for page in (ROOT / "README.md", *DOCS.glob("*.md")):
        generate.check_keys(page.read_text(encoding="utf-8"), page.name)


def test_every_exit_code_has_its_row():
    text = generate.describe_exit_codes()
    assert [line.split()[1] for line in text.splitlines() if line.startswith("| ")][1:] == [
        "0", "2", "3", "4", "5", "6", "130", "143",
    ]  # fmt: skip


def test_every_check_says_what_it_looks_for():
    text = generate.describe_checks()
    for name in ("declarations", "residuals", "steady state", "gradients", "units", "roots", "quadrature"):
        assert f"\n## {name}\n" in text
    assert "`policy {...} enters no equation" in text


def test_every_key_of_a_summary_is_explained():
    text = generate.describe_summary().split("## TrainingRecord")[0]
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    assert set(rows) == {f.name for f in fields(Summary)} - {"final"}
    assert not [name for name, row in rows.items() if row.endswith("|  |")]


def test_every_file_of_a_run_and_every_column_is_named(growth):
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    assert not [file.name for file in growth.folder.iterdir() if file.name.split(".")[0] not in text]
    for table in ("euler_errors", "comparison", "moments"):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{table}.csv` | `"))
        for column in pd.read_csv(growth.folder / f"{table}.csv", nrows=1):
            kind = column.rstrip("_0123456789") if "autocorrelation" in column else column
            assert kind.removeprefix("first_order_") in row, (table, column)


def test_every_command_shows_its_help():
    text = generate.describe_commands()
    assert all(f"## deqn-{name}" in text for name in ("solve", "check", "tune", "evaluate", "irf"))
    assert text.count("Exit codes:") == 5 and "Traceback" not in text


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("myst_nb") is None, reason="the extra `docs` is not installed")
def test_the_site_is_built_without_a_warning(tmp_path):
    words = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "-b", "html", str(DOCS), str(tmp_path / "site")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    index = (tmp_path / "site" / "searchindex.js").read_text(encoding="utf-8")
    assert "euler" in index and json.dumps("error") in index.replace("'", '"')
    pages = "".join(page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html"))
    assert not [key for key in generate.list_keys() if key not in pages]


def test_the_table_of_replications_is_whole():
    """Every case has its rows, and a number that disagrees has its reason."""
    table = pd.read_csv(ROOT / "outputs" / "gallery" / "replications.csv", keep_default_na=False)
    assert set(table["case"]) == set(CASES)
    assert not len(table[(table["agrees"].astype(str) != "True") & (table["reason"] == "")])
    text = describe_replications()
    assert all(f"## {source}" in text for source in table["source"])
