"""The notebooks of the site: executed with outputs stored, without a folder of the machine that made them."""

import importlib.util
import json
import os
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w:/.])/(?:home|root|tmp|work|Users|opt)/")


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_outputs_are_stored_and_name_no_folder_of_a_machine(file):
    text = file.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
    assert not ABSOLUTE.search(re.sub(r'"image/png": "[^"]*"', "", text))
    assert "minute" in text  # how long it takes


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nbclient") is None, reason="the extra `docs` is not installed")
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs_from_an_empty_folder(file, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    (tmp_path / "conf" / "model").mkdir(parents=True)
    notebook = nbformat.read(file, as_version=4)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
