"""tables/*.tex: what LaTeX reads is what the run measured."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from deqn.reporting.report import compose_rows, format_plain, format_scientific, to_tabular, write_tables


@pytest.mark.parametrize(
    "x, two, four",
    [
        (1.23456e-5, r"$1.2\times10^{-5}$", r"$1.235\times10^{-5}$"),
        (-0.25, r"$-2.5\times10^{-1}$", "$-0.25$"),
        (0.0, "$0.0$", "$0$"),
        (2e7, r"$2.0\times10^{7}$", r"$2\times10^{7}$"),
        (None, "--", "--"),
        (np.nan, "--", "--"),
        (np.inf, "--", "--"),
    ],
)
def test_numbers_are_set_as_mathematics(x, two, four):
    assert (format_scientific(x), format_plain(x)) == (two, four)


def test_labels_are_escaped():
    text = to_tabular("label", pd.DataFrame({"x": ["$1$"]}, ["mu_1 50.0% & {a}^~\\ #$"]))
    assert r"mu\_1 50.0\% \& \{a\}\textasciicircum \textasciitilde \textbackslash \space \#\$ & $1$ \\" in text


def test_a_run_leaves_tables_of_its_numbers(growth):
    for name in ("euler_errors", "comparison", "moments"):
        text = (growth.folder / "tables" / f"{name}.tex").read_text()
        columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]
        lines = [line for line in text.splitlines() if line.endswith(r" \\")]
        assert all(line.count("&") == len(columns) - 1 for line in lines) and text.count("$") % 2 == 0
        assert text.rstrip().endswith("\\bottomrule\n\\end{tabular}")
        assert len(lines) == 1 + {"euler_errors": 6, "comparison": 2, "moments": 5}[name]
    text = (growth.folder / "tables" / "euler_errors.tex").read_text()
    for row in compose_rows(growth.result):
        assert " & ".join([row.label, *row.format_cells(format_scientific)]) in text


def test_the_tables_compile(growth, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex on this machine")
    names = [rf"k_{{{i}}}[{i}]" for i in range(60)]
    columns = ["mean", "std", "min", "max", "autocorrelation_1"]
    long = pd.DataFrame(np.linspace(-1e-9, 1e9, 300).reshape(60, 5), index=names, columns=columns)
    (tmp_path / "other").mkdir()
    write_tables(tmp_path / "other", growth.result, None, long)
    assert not (tmp_path / "other" / "tables" / "comparison.tex").exists()
    tables = [*(growth.folder / "tables").iterdir(), *(tmp_path / "other" / "tables").iterdir()]
    inputs = "".join(f"\\input{{{table}}}\n\n" for table in tables)
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{inputs}\end{{document}}"
    (tmp_path / "paper.tex").write_text(document)
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=tmp_path,
                          capture_output=True)  # fmt: skip
    assert len(tables) == 5 and done.returncode == 0, done.stdout
