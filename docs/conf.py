"""The site: `pip install -e ".[docs]" && sphinx-build -W -n -b html docs docs/_build`. Nothing is fetched."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from docutils import nodes  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402

import deqn  # noqa: E402
import generate  # noqa: E402
import inventories  # noqa: E402

project, author, copyright = "deqn", "the deqn authors", "the deqn authors"
release = version = deqn.__version__
extensions = ["myst_nb", "sphinx_design", "sphinx.ext.autodoc", "sphinx.ext.intersphinx", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # a notebook's outputs are stored with it
exclude_patterns = ["_build", "jupyter_execute"]
nitpick_ignore_regex = [("py:class", r"deqn\.[a-z].*")]  # types of the engine, which are not public
html_math_renderer = "mathml"
html_theme = "furo"
html_title = "deqn"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True}

generate.write_pages(HERE / "generated")
intersphinx_mapping = inventories.write_inventories(HERE / "generated" / "inventories")


def render_math(display: str):
    """What writes a formula as MathML, which browsers show without a script."""

    def visit(translator, node):
        translator.body.append(f'<span class="math {display}">{convert(node.astext(), display=display)}</span>')
        raise nodes.SkipNode

    return visit, None


def setup(app):
    app.add_html_math_renderer("mathml", render_math("inline"), render_math("block"))
