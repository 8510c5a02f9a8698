"""The documentation site: ``make docs``. Whatever the code or a YAML file can say is generated from it."""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))
os.chdir(ROOT)

from genre import __version__  # noqa: E402
from genre.cli.classes import every_option  # noqa: E402
from genre.cli.help_page import FIT_VERBS, help_page  # noqa: E402
from genre.cli.main import build_parser  # noqa: E402
from genre.cli.verbs import VERBS  # noqa: E402
from genre.recipes import read_yaml  # noqa: E402

project = "genre"
author = "the authors of genre"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
html_theme = "furo"
html_title = f"genre {release}"
exclude_patterns = ["build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
# What MyST does not know as a document is a file of the repository; tests/test_documentation.py checks every link.
suppress_warnings = ["myst.xref_missing"]
nitpicky = True
# The types of other libraries, whose inventories cannot be read offline, and names that are public nowhere.
nitpick_ignore_regex = [
    (r"py:.*", r"(torch|pl|pytorch_lightning|lightning|np|numpy|torchmetrics|matplotlib|collections|pathlib|typing).*"),
    (r"py:.*", r"(nn|Tensor|Path|Callable|Sequence|Mapping|NDArray|optional|ABC|abc\.ABC|Figure|Axes|Module)\b.*"),
    (r"py:.*", r"(int|str|float|bool|list|dict|tuple|set|object|type|None|Any|Literal|NamedTuple|Exception)\b.*"),
    (r"py:.*", r"genre\..*"),
    (r"py:exc", r"\w+Error"),
    (r"py:class", r"[a-z ]+|.* .*"),  # napoleon reads "The names: …" of a property as a type
]
linkcheck_timeout = 10
linkcheck_workers = 4
linkcheck_report_timeouts_as_broken = False

GENERATED = DOCS / "generated"
Rows = Iterator[list[str]]


def write(name: str, text: str) -> None:
    """Writes a generated page, unless it is as it was: Sphinx then does not read it again."""
    path = GENERATED / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def table(header: list[str], rows: Rows) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def published_table(content: Mapping[str, Any]) -> str:
    """The figures of a paper's ``published.yaml``: a column for each value that differs, the others below."""
    figures, common = content["figures"], content["conditions"]
    columns = list(dict.fromkeys(name for figure in figures for name in figure if name != "sources"))

    def cell(value: Any) -> str:
        if isinstance(value, dict):
            return " / ".join(str(part) for part in value.values())
        return "" if value is None else str(value)

    rows = ([cell(figure.get(name, common.get(name))) for name in columns] for figure in figures)
    if isinstance(common.get("epochs"), list):
        common = common | {"epochs": "5, 10, … 200"}
    conditions = "; ".join(
        f"{name.replace('_', ' ')}: {cell(value) or 'not stated'}"
        for name, value in common.items()
        if name not in columns
    )
    sources = "; ".join(f"{name}: {source}" for name, source in content.get("sources", {}).items())
    note = f"\nSource of what the paper does not state: {sources}.\n" if sources else ""
    return (
        table([name.replace("_", " ") for name in columns], rows)
        + f"\nTracks are train / validation / test. Of all rows: {conditions}.\n{note}"
    )


def command_line() -> str:
    """The help of every verb, as it is printed."""
    parts = ["# Command line\n\nThese pages are printed by `genre VERB --help`.\n"]
    for verb in FIT_VERBS:
        parts.append(f"## genre {verb}\n\n```text\n{help_page(verb)}\n```\n")
    parser = build_parser()
    for verb in VERBS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            parser.parse_args([verb, "--help"])
        parts.append(f"## genre {verb}\n\n```text\n{printed.getvalue().rstrip()}\n```\n")
    every = every_option().replace(str(Path.home()), "~")
    parts.append(f"## Every option of genre fit\n\n`genre fit --help-all` prints:\n\n```text\n{every}\n```\n")
    return "\n".join(parts)


def python_api() -> Iterator[tuple[str, str]]:
    """A page for each public module, with the names of its ``__all__`` that no page before it has."""
    seen: set[int] = set()
    for name in ("genre", "genre.audio", "genre.models", "genre.data", "genre.plots", "genre.errors"):
        module = importlib.import_module(name)
        text = f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n   :no-members:\n\n"
        own = [member for member, value in vars(module).items() if getattr(value, "__module__", None) == name]
        for member in sorted(getattr(module, "__all__", own), key=str.lower):
            value = getattr(module, member)
            if isinstance(value, ModuleType) or id(value) in seen:
                continue
            seen.add(id(value))
            directive = "autoclass" if isinstance(value, type) else "autofunction" if callable(value) else "autodata"
            text += f".. {directive}:: {name}.{member}\n\n"
        yield f"api/{name.replace('.', '_')}.rst", text


def notebooks() -> Iterator[tuple[str, str]]:
    """The notebooks with their outputs as Markdown; pictures lie beside it."""
    from nbconvert import MarkdownExporter

    for path in sorted((DOCS / "notebooks").glob("*.ipynb")):
        body, resources = MarkdownExporter().from_filename(str(path), resources={"unique_key": path.stem})
        for picture, content in resources["outputs"].items():
            (GENERATED / "notebooks").mkdir(parents=True, exist_ok=True)
            (GENERATED / "notebooks" / picture).write_bytes(content)
        yield f"notebooks/{path.stem}.md", body


for paper in sorted((ROOT / "examples").glob("*/published.yaml")):
    write(f"published/{paper.parent.name}.md", published_table(read_yaml(paper)))
write("command_line.md", command_line())
for page, text in (*python_api(), *notebooks()):
    write(page, text)


def drop_empty_globs(app: Sphinx, name: str, source: list[str]) -> None:
    """Leaves out patterns of the table of contents that no page matches, which Sphinx warns of."""
    if name == "index":
        lines = source[0].splitlines()
        source[0] = "\n".join(line for line in lines if "*" not in line or any(DOCS.glob(f"{line}.*")))


def setup(app: Sphinx) -> None:
    """Connects the function above."""
    app.connect("source-read", drop_empty_globs)
