"""The service and its page: many requests at once, bad uploads, a browser, and a clean end."""

import io
import json
import os
import re
import signal
import struct
import sys
import threading
import time
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
import torch

import genre
from tests.conftest import run_cli, tone
from tests.processes import start_python

if find_spec("gradio") is None:
    pytest.skip("genre serve needs lightning-genre[serve]", allow_module_level=True)
requests = pytest.importorskip("requests", reason="pooch brings it")

CHROMIUM = Path("/usr/bin/chromium")
MAX_MB, MAX_MINUTES = 2, 1


class Server:
    """``genre serve`` in a process of its own, with a temporary folder of its own."""

    def __init__(self, checkpoint: Path, folder: Path, output: Path) -> None:
        self.checkpoint, self.folder, self.output = checkpoint, folder, output
        command = ("-m", "genre", "serve", checkpoint, "--port=0", f"--max_mb={MAX_MB}", f"--max_minutes={MAX_MINUTES}")
        self.process = start_python(*command, cwd=output, output=output, environment={"TMPDIR": str(folder)})
        deadline = time.monotonic() + 120
        while not (match := re.fullmatch(r"genre: serving .+ at (http://127\.0\.0\.1:\d+);.*\n", self.said("stdout"))):
            assert self.process.is_alive(), self.said("stderr")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.url = match[1]

    def said(self, stream: str) -> str:
        """What it has written to ``stdout`` or ``stderr``."""
        file = self.output / stream
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def post(self, content: bytes, name: str = "song.wav", field: str = "file") -> tuple[int, dict[str, object]]:
        answer = requests.post(f"{self.url}/predict", files={field: (name, content)}, timeout=300)
        return answer.status_code, answer.json()

    def leftovers(self) -> list[Path]:
        """The files below the temporary folder, without the mark that an import of torchmetrics leaves."""
        return [path for path in self.folder.rglob("*") if path.is_file() and path.name != ".ses"]


@pytest.fixture(scope="module")
def server(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose checkpoint has a threshold that half of :func:`wav` is below."""
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    predictor = genre.load(trained / "checkpoints" / "best.ckpt")
    probabilities = sorted(predictor.predict(io.BytesIO(wav(index))).probability for index in range(50))
    content["genre"]["threshold"] = (probabilities[24] + probabilities[25]) / 2
    checkpoint = tmp_path_factory.mktemp("checkpoint") / "mine.ckpt"
    torch.save(content, checkpoint)
    server = Server(checkpoint, tmp_path_factory.mktemp("temporary"), tmp_path_factory.mktemp("output"))
    yield server
    server.process.kill()
    server.process.join()


def wav(index: int, seconds: float = 1.5) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, tone(index % 3, index, seconds), 22050, format="WAV")
    return content.getvalue()


def test_fifty_requests_at_once(server: Server, tmp_path: Path) -> None:
    """None is lost or mixed up: each has the probabilities that the file has without the service."""
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda index: server.post(wav(index), f"song {index}.wav"), range(50)))
    predictor = genre.load(server.checkpoint)
    for index, (status, answer) in enumerate(answers):
        path = tmp_path / f"song {index}.wav"
        path.write_bytes(wav(index))
        prediction = predictor.predict(path)
        threshold = predictor.calibration.threshold
        assert (status, answer["file"], answer["threshold"]) == (200, path.name, threshold)
        assert answer["genre"] == prediction.genre_above(threshold)
        assert answer["seconds"] == 1.5
        assert answer["probability"] == pytest.approx(prediction.probability, abs=1e-6)
        assert answer["probabilities"] == pytest.approx(prediction.probabilities, abs=1e-6)
    assert [answer["genre"] for _, answer in answers].count("unknown") == 25
    assert server.leftovers() == []


def test_the_page_says_unknown_below_the_threshold() -> None:
    from genre.serve.page import title_of  # here, as it imports gradio, which takes seconds

    prediction = genre.Prediction(None, "<rock>", 0.5, {"<rock>": 0.5, "jazz": 0.5})
    assert title_of(prediction, None) == title_of(prediction, 0.5) == "<h2>&lt;rock&gt;</h2>"
    assert title_of(prediction, 0.51) == (
        "<h2>unknown</h2><p>The most probable genre, &lt;rock&gt;, has a probability of 0.50, below the threshold of "
        "0.51.</p>"
    )


def header(size: int) -> bytes:
    fmt = struct.pack("<HHIIHH", 1, 1, 22050, 44100, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + fmt
        + b"data"
        + struct.pack("<I", size)
    )


def silent_flac(minutes: int) -> bytes:
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", 8000, 1, format="FLAC", subtype="PCM_16") as file:
        for _ in range(minutes):
            file.write(np.zeros(60 * 8000, np.int16))
    return content.getvalue()


def half_an_hour() -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 1, 1000, 0, "NONE", ""))
        file.writeframes(bytes([128]) * 1000)
    data = bytearray(content.getvalue())
    return bytes(data[:44]) + bytes([128]) * 1_900_000  # a header that says 1 s before half an hour at 1 kHz


BAD = {
    "text": (b"this is no music\n" * 99, "song.wav", 422, "song.wav: undecodable"),
    "empty": (b"", "song.wav", 422, "song.wav: empty file"),
    "header alone": (header(0xFFFFFFF0), "song.wav", 422, "song.wav: "),
    "zeros": (bytes(5000), "song.mp3", 422, "song.mp3: undecodable"),
    "long": (half_an_hour(), "song.wav", 422, "song.wav: longer than 1 minutes"),
    "bomb": (silent_flac(3), "song.flac", 422, "song.flac: longer than 1 minutes"),
    "three hours": (silent_flac(180), "song.flac", 422, "song.flac: longer than 1 minutes"),
    "large": (bytes(MAX_MB * 10**6 + 10**5), "song.wav", 413, "larger than 2 MB"),
    "name": (b"x", "../../etc/pass\nwd.wav", 422, "pass"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_upload_has_a_message_and_the_server_lives(case: str, server: Server) -> None:
    content, name, status, words = BAD[case]
    answer = server.post(content, name)
    assert answer[0] == status, answer
    assert str(answer[1]["error"]).startswith(words)
    assert server.post(wav(1))[0] == 200
    assert server.leftovers() == []


def test_what_is_really_there_of_a_file_with_a_false_size(server: Server) -> None:
    samples = (tone(0, 0, 2.0) * 32767).astype("<i2").tobytes()
    status, answer = server.post(header(0xFFFFFFF0) + samples)
    assert (status, answer["seconds"]) == (200, 2.0)
    status, answer = server.post(wav(0, 3.0)[: 44 + 44100])  # cut off after a second
    assert (status, answer["seconds"]) == (200, 1.0)


def test_wrong_fields_and_requests(server: Server) -> None:
    assert server.post(wav(0), field="music")[0] == 422
    for options in ({"data": {"file": "text"}}, {"data": b"raw bytes"}, {}):
        answer = requests.post(f"{server.url}/predict", timeout=60, **options)
        assert (answer.status_code, "no field named file" in answer.json()["error"]) == (422, True)
    broken = requests.post(
        f"{server.url}/predict", data=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data"}, timeout=60
    )
    assert broken.status_code == 400
    assert "error" in broken.json()
    endless = requests.post(f"{server.url}/predict", data=(bytes(10**5) for _ in range(40)), timeout=60)  # chunked
    assert endless.status_code in (413, 422)


def test_a_browser(server: Server, gtzan_mini: Path, tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    clip = gtzan_mini / "genres_original" / "blues" / "blues.00000.wav"
    bad = tmp_path / "bad.wav"
    bad.write_text("no music")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream"]
        options += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={clip}"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=options)
        page = browser.new_page(viewport={"width": 1000, "height": 1480})
        page.set_default_timeout(120_000)
        hosts = set()
        page.on("response", lambda response: hosts.add(urlsplit(response.url).hostname))
        page.goto(server.url, wait_until="domcontentloaded")
        page.set_input_files("#genre-upload input[type=file]", bad)
        page.wait_for_selector(".genre-error")
        assert "bad.wav: undecodable" in page.inner_text(".genre-error")
        page.set_input_files("#genre-upload input[type=file]", clip)
        page.wait_for_selector(".genre-song")
        predictor = genre.load(server.checkpoint)
        expected = predictor.predict(clip)
        assert page.inner_text("#genre-title h2") == expected.genre_above(predictor.calibration.threshold)
        assert expected.genre in page.inner_text("#genre-label")
        page.wait_for_function("document.querySelector('.genre-song audio').readyState > 0")
        box = page.locator(".genre-tracks").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        state = "(() => { const a = document.querySelector('.genre-song audio'); return [a.currentTime, a.duration, a.paused] })()"
        now, duration, paused = page.evaluate(state)
        assert duration / 2 - 0.1 <= now <= duration
        assert paused is False or now == duration
        page.wait_for_timeout(300)
        if target := os.environ.get("GENRE_SCREENSHOT"):
            page.screenshot(path=target)
        page.evaluate("document.querySelector('.genre-song').dataset.of = 'the clip'")
        page.click("#genre-upload [aria-label='Record audio']")
        page.click("#genre-upload .record-button")
        page.wait_for_selector("#genre-upload .stop-button:visible")
        page.wait_for_timeout(2000)
        page.click("#genre-upload .stop-button:visible")
        page.wait_for_selector(".genre-song:not([data-of])")
        assert float(page.get_attribute(".genre-song", "data-seconds") or 0) > 1
        browser.close()
    assert hosts - {None} == {"127.0.0.1"}
    assert server.leftovers() == []


def test_one_line_each(trained: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = trained / "checkpoints" / "best.ckpt"
    port = urlsplit(server.url).port
    for options, words in (
        ([f"--port={port}"], f"127.0.0.1:{port}: cannot be listened on (Address already in use)"),
        (["--port=99999"], "--port 99999: expected 0 to 65535"),
        (["--host=no.such.host.invalid"], "--host no.such.host.invalid: "),
    ):
        assert run_cli("serve", checkpoint, *options) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"genre: error: {words}")


def test_a_missing_extra_is_one_line(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run_cli("serve", trained / "checkpoints" / "best.ckpt", "--port=0") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "genre: error: genre serve needs uvicorn: pip install 'lightning-genre[serve]'"


def test_ctrl_c_ends_it_with_one_line(server: Server) -> None:
    """The last test of the file: it ends the server, even though a request is open."""
    open_request = threading.Thread(target=lambda: _swallow(f"{server.url}/gradio_api/heartbeat/x"), daemon=True)
    open_request.start()
    time.sleep(0.5)
    before = server.said("stdout")
    assert server.process.pid is not None
    os.killpg(server.process.pid, signal.SIGINT)
    server.process.join(60)
    out = server.said("stdout").removeprefix(before)
    assert (server.process.exitcode, out, server.said("stderr")) == (0, "", "genre: stopped\n")
    assert list(server.folder.glob("genre-*")) == []
    assert server.leftovers() == []


def _swallow(url: str) -> None:
    try:
        with requests.get(url, stream=True, timeout=60) as answer:
            json.dumps([len(line) for line in answer.iter_lines()])
    except requests.RequestException:
        pass
