"""The web page: drop a song or record one, and see its genre, over time, and in the mel spectrogram."""

from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from genre.errors import GenreError
from genre.prediction import Prediction
from genre.serve.service import Service, reason_of

#: Seconds between two searches for uploads that were never analysed, and the age at which they are deleted.
CLEANING = (60, 300)


def build_page(app: FastAPI, service: Service, checkpoint: Path) -> FastAPI:
    """Mounts the page on the application at ``/``.

    Args:
        app: The application.
        service: Analyses what is uploaded.
        checkpoint: Named on the page.
    """
    system = ["system-ui", "sans-serif"]  # no font of another server
    theme = gr.themes.Default(primary_hue="indigo", font=system, font_mono=["ui-monospace", "monospace"])
    genres = ", ".join(service.predictor.genres)
    with gr.Blocks(title="genre", analytics_enabled=False, delete_cache=CLEANING) as page:
        gr.HTML(
            f"<h1>Which genre is it?</h1><p>Drop a song or record one: <b>{escape(checkpoint.name)}</b> knows "
            f"{escape(genres)}. Nothing that you send is kept.</p>"
        )
        song = gr.Audio(
            sources=["upload", "microphone"], type="filepath", format=None, label="Song", elem_id="genre-upload"
        )
        title = gr.HTML(elem_id="genre-title")
        label = gr.Label(num_top_classes=10, label="Genre", show_heading=False, visible=False, elem_id="genre-label")
        shown = gr.HTML(elem_id="genre-result")
        song.input(
            _answer(service), song, [song, title, label, shown], concurrency_limit=4, api_visibility="private",
            show_progress_on=[shown],
        )  # fmt: skip
    resources = files("genre.serve")
    script = (resources / "page.js").read_text(encoding="utf-8")
    mounted: FastAPI = gr.mount_gradio_app(
        app, page, path="/", theme=theme, css=(resources / "page.css").read_text(encoding="utf-8"),
        head=f"<script>{script}</script>", footer_links=[], run_history=False, ssr_mode=False,
    )  # fmt: skip
    return mounted


def _answer(service: Service) -> Callable[[str | None], list[Any]]:
    def answer(path: str | None) -> list[Any]:
        """Clears the input, and fills the title, the label and the pictures."""
        if path is None:
            return [None, gr.skip(), gr.skip(), gr.skip()]
        try:
            prediction, html = service.analyse(Path(path))
        except GenreError as error:
            name, reason = escape(Path(path).name), escape(reason_of(error))
            alert = f'<p class="genre-error" role="alert"><b>{name}</b>: {reason}</p>'
            return [None, alert, gr.Label(visible=False), ""]
        title = title_of(prediction, service.predictor.calibration.threshold)
        return [None, title, gr.Label(prediction.probabilities, visible=True), html]

    return answer


def title_of(prediction: Prediction, threshold: float | None) -> str:
    """The genre as a heading; or "unknown" with the most probable genre, if that is below the threshold."""
    named = prediction.genre_above(threshold)
    if named == prediction.genre:
        return f"<h2>{escape(named)}</h2>"
    return (
        f"<h2>{named}</h2><p>The most probable genre, {escape(prediction.genre)}, has a probability of "
        f"{prediction.probability:.2f}, below the threshold of {threshold:.2f}.</p>"
    )
