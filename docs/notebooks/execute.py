"""Runs the notebooks and keeps their outputs, with small pictures: ``python docs/notebooks/execute.py``."""

import base64
import io
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

PICTURE = "image/png"


def shrink(picture: str) -> str:
    """A base64 PNG in 64 colours."""
    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").quantize(64)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()


def execute(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Runs a notebook in a folder; a cell that fails raises an error."""
    notebook = nbformat.read(path, as_version=4)
    options = {"timeout": 300, "kernel_name": "python3", "resources": {"metadata": {"path": str(folder)}}}
    NotebookClient(notebook, **options).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which differ from run to run
        for output in cell.get("outputs", []):
            if PICTURE in output.get("data", {}):
                output.data[PICTURE] = shrink(output.data[PICTURE])
    return notebook


if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(execute(path, Path(folder)), path)
