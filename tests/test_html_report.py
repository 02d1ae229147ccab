"""report.html of a real run: whole, alone, true to the run's other files, and fit for a browser and a phone."""

import json
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from jinja2 import UndefinedError
from rich.console import Console
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from deqn import load
from deqn.reporting import report
from deqn.reporting.html_report import load_templates, render_run

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
)  # fmt: skip
EMPTY = {"meta", "link", "img"}  # elements without an end


class Page(HTMLParser):
    """A page as its elements, in order, and the texts of its table cells by row; asserts that it is well formed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.rows, self._open = [], [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), tuple(self._open)))
        if tag not in EMPTY:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, text):
        if self._open[-1:] in (["th"], ["td"]):
            self.rows[-1][-1] += text

    def all(self, tag):
        return [attributes for name, attributes, _ in self.elements if name == tag]


@pytest.fixture
def copied(growth, tmp_path):
    """The folder of a run, to be spoilt."""
    return shutil.copytree(growth.folder, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))


def edit(path, **content):
    """Change some keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | content))


def test_the_page_is_whole_and_loads_nothing(growth):
    text = (growth.folder / "report.html").read_text()
    found = Page(text)
    assert text.startswith("<!DOCTYPE html>") and found.all("html") == [{"lang": "en"}]
    assert f"<title>PASS growth, {growth.folder.name}</title>" in text
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in found.all("meta")
    sources = [a[key] for _, a, _ in found.elements for key in ("src", "href") if key in a]
    assert len(sources) == 6 and all(s.startswith("data:") for s in sources)
    assert not found.all("script") and "url(" not in text and "@import" not in text
    assert len(found.all("img")) == 5 and all(len(image["alt"]) > 40 for image in found.all("img"))
    assert all("div" in around for tag, _, around in found.elements if tag == "table")


def test_the_tables_are_those_of_the_other_files(growth):
    rows = Page((growth.folder / "report.html").read_text()).rows
    for row in report.compose_rows(growth.result):
        assert [row.label, *row.format_cells("{:.1e}".format)] in rows
    assert ["network.anchor", "steady_state", "auto"] in rows and ["optimizer.iterations", "60", "40"] in rows
    assert set(growth.summary["changed"]) == {"model.head", "network.anchor", "optimizer.iterations"}
    assert ["alpha", "0.36"] in rows and ["seed", "0"] in rows
    moments = pd.read_csv(growth.folder / "moments.csv", index_col="variable").loc["k"]
    shown = ("mean", "mean_se", "std", "std_se", "variance", "skewness", "min", "max")
    assert ["k", *(f"{moments[name]:.4g}" for name in shown)] in rows
    orders = ("1", "1_se", "2", "3", "4", "5")
    assert [
        "k",
        *("-" if np.isnan(x) else f"{x:.4f}" for x in (moments[f"autocorrelation_{n}"] for n in orders)),
    ] in rows
    simulated = pd.read_parquet(growth.folder / "simulation.parquet")
    assert moments["mean"] == pytest.approx(simulated["k"].mean())
    correlation = np.corrcoef(simulated[["k", "y", "c", "R"]].T)  # s does not move
    assert ["k", *(f"{x:.4f}" for x in correlation[0])] in rows
    compared = pd.read_csv(growth.folder / "comparison.csv").iloc[0]
    found = next(row for row in rows if row[0] == "path: s")
    assert found[1:3] == [f"{compared['mean']:.1e}", f"{compared['max']:.1e}"]


@pytest.mark.parametrize("status", ["diverged", "interrupted", "not_converged"])
def test_a_run_that_failed_has_its_page(copied, status):
    summary = json.loads((copied / "summary.json").read_text())
    errors = dict.fromkeys(summary["euler_errors"]["path"]["euler"])  # null: not finite
    stability = dict.fromkeys(summary["stability"]) | {"unit_roots": [], "tested": True, "lost": 0.0}
    worst = {where: {"equation": "euler", "mean": None} for where in ("path", "box")}
    edit(copied / "summary.json", status=status, stability=stability, worst_equation=worst,
         euler_errors={where: {"euler": errors, "all": errors} for where in ("path", "box")})  # fmt: skip
    moments = pd.read_csv(copied / "moments.csv", index_col="variable")
    (moments * np.nan).to_csv(copied / "moments.csv")
    (copied / "comparison.csv").unlink()
    shutil.rmtree(copied / "figures")
    text = render_run(copied)
    word = "INTERRUPTED" if status == "interrupted" else "FAIL"
    assert f"<title>{word} growth" in text and ["path: euler", *"-----"] in Page(text).rows
    assert ("mean path error -" in text) and (status != "diverged" or "diverged; mean" in text)
    assert "<img" not in text and "Distance to" not in text and "nan" not in text.lower()


def test_what_is_filled_in_is_text(copied):
    edit(copied / "summary.json", model="<i>&", parameters={"<b>": "<script>"})
    text = render_run(copied)
    assert "&lt;i&gt;&amp;" in text and not Page(text).all("script") and ["<b>", "<script>"] in Page(text).rows


def test_hundreds_of_variables_are_cut_short_in_words(copied):
    rng = np.random.default_rng(0)
    names = [f"k[{i}]" for i in range(300)]
    pd.DataFrame({"path": 0, "period": range(20)} | {n: rng.normal(size=20) for n in names}).to_parquet(
        copied / "simulation.parquet"
    )
    columns = pd.read_csv(copied / "moments.csv", index_col="variable").columns
    moments = pd.DataFrame(1.0, index=pd.Index(names, name="variable"), columns=columns)
    moments.to_csv(copied / "moments.csv")
    text = render_run(copied)
    assert "30 of 300 variables" in text and "12\nof 300;" in text
    assert max(map(len, Page(text).rows)) == 13 and len(text) < 1e6


def test_the_notebook_shows_what_the_terminal_shows(growth):
    console = Console(width=80, record=True, quiet=False, file=open("/dev/null", "w"))
    with console.file:
        report.print_verdict(console, growth.result, growth.folder)
    terminal = console.export_text()
    shown = Page(load(growth.folder)._repr_html_())
    for row in shown.rows:
        assert any(line.split() == " ".join(row).split() for line in terminal.splitlines()), row
    assert len(shown.rows) == 7 and not shown.all("html")
    error = growth.summary["euler_errors"]["path"]["all"]["mean"]
    assert repr(growth) == f"Solution(PASS growth, mean path error {error:.1e}, {growth.folder})"


def test_another_page_extends_the_base():
    head = '{% extends "base.html" %}{% from "macros.html" import table %}'
    blocks = "{% block title %}T{% endblock %}{% block heading %}{{ name }}{% endblock %}{% block content %}"
    other = load_templates().from_string(head + blocks + "{{ table(['a', 'b'], [[name, 2]]) }}{% endblock %}")
    found = Page(other.render(name="<x>"))
    assert found.rows == [["a", "b"], ["<x>", "2"]] and not found.all("x")
    with pytest.raises(UndefinedError, match="'name' is undefined"):
        other.render()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium with an empty profile."""
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if None in programs:
        pytest.skip("no chromium and chromedriver on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(programs[1], log_output=subprocess.DEVNULL)
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()


@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_the_page_at_any_width(browser, growth, width):
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get((growth.folder / "report.html").as_uri())
    assert browser.title.startswith("PASS growth")
    look = browser.execute_script
    assert look("return [...document.images].map(i => i.complete && i.naturalWidth > 0)") == [True] * 5
    assert look("return document.documentElement.scrollWidth") <= width
    for box in (".scroll", ".picture"):  # tables and pictures stay readable, and scroll in a box of their own
        wide = look(f"return [...document.querySelectorAll('{box}')].some(b => b.scrollWidth > b.clientWidth)")
        assert wide == (width == 390)
    assert look("return Math.max(...[...document.querySelectorAll('.picture')]"
                ".map(b => b.getBoundingClientRect().right))") <= width  # fmt: skip
    assert look("return getComputedStyle(document.querySelector('.pass')).color") == "rgb(255, 255, 255)"
    assert browser.get_log("browser") == []
