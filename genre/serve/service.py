"""The HTTP service: one file in, JSON out; :mod:`genre.serve.page` mounts the page beside it."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePath

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genre.errors import AudioError, GenreError, printable
from genre.prediction import Prediction
from genre.predictor import Predictor
from genre.serve.song import analyse
from genre.serve.upload import Decoder

#: Bytes of a request beyond its file.
OVERHEAD = 1 << 16

#: The content security policy: a browser loads no font, script or image from other servers.
POLICY = b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'; form-action 'self'"


class Service:
    """Names the genre of uploads.

    Args:
        predictor: The classifier.
        decoder: The decoder.
        max_mb: The largest upload in megabytes.
    """

    def __init__(self, predictor: Predictor, decoder: Decoder, max_mb: int) -> None:
        self.predictor, self.decoder, self.max_mb = predictor, decoder, max_mb
        self._computing = threading.Lock()  # one at a time: memory does not grow with the number of requests

    def app(self, started: Callable[[], None]) -> FastAPI:
        """The web application, without FastAPI's own pages, because they load scripts from other servers.

        Args:
            started: Called when the application is ready.
        """

        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            started()
            yield

        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
        app.add_middleware(Guard, max_mb=self.max_mb)
        app.add_api_route("/predict", self.predict, methods=["POST"], response_model=None)
        return app

    async def predict(self, request: Request) -> JSONResponse:
        """``POST /predict``: the genre of the audio file in the form's field ``file``."""
        try:
            form = await request.form(max_files=1, max_fields=10)
        except HTTPException:
            return refuse(400, "not a form with one file; send it as curl -F file=@song.mp3 does")
        try:
            upload = form.get("file")
            if not isinstance(upload, UploadFile):
                return refuse(422, "no field named file holds a file; send one as curl -F file=@song.mp3 does")
            return await run_in_threadpool(self._answer, upload)
        finally:
            await form.close()

    def _answer(self, upload: UploadFile) -> JSONResponse:
        name, threshold = shown_name(upload.filename or ""), self.predictor.calibration.threshold
        try:
            waveform = self.decoder.decode(upload.file, name)
            with self._computing:
                prediction = self.predictor.predict(waveform.samples, waveform.sample_rate)
        except GenreError as error:
            return refuse(422, f"{name}: {reason_of(error)}")
        return JSONResponse(
            {
                "file": name,
                "seconds": round(waveform.seconds, 3),
                "genre": prediction.genre_above(threshold),
                "probability": prediction.probability,
                "threshold": threshold,
                "probabilities": prediction.probabilities,
            }
        )

    def analyse(self, path: Path) -> tuple[Prediction, str]:
        """The prediction for an upload and its pictures in HTML, for the page; deletes the upload.

        Raises:
            GenreError: The upload cannot be used.
        """
        try:
            with path.open("rb") as content:
                waveform = self.decoder.decode(content, path.name)
        finally:
            path.unlink(missing_ok=True)
        with self._computing:
            return analyse(self.predictor, waveform)


def reason_of(error: GenreError) -> str:
    """An error's message without the name of the recording, which the sender does not know."""
    return error.reason if isinstance(error, AudioError) else str(error)


def refuse(status: int, message: str) -> JSONResponse:
    """A JSON response with an error message."""
    return JSONResponse({"error": message}, status)


def shown_name(name: str) -> str:
    """The last part of an upload's name, as printable text of limited length."""
    last = PurePath(name.replace("\\", "/")).name
    return "".join(sign if sign.isprintable() else "?" for sign in printable(PurePath(last or "upload")))[-100:]


class Guard:
    """Rejects requests that are too large, at every address, and adds :data:`POLICY` to every response.

    Args:
        app: The application.
        max_mb: The largest upload in megabytes.
    """

    def __init__(self, app: ASGIApp, max_mb: int) -> None:
        self.app, self.max_mb, self.limit = app, max_mb, max_mb * 10**6 + OVERHEAD

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        received, started = 0, False
        too_large = refuse(413, f"larger than {self.max_mb} MB, the largest that is taken")
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if not stated.isdigit() or int(stated) > self.limit:
            await too_large(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise TooLargeError
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), (b"content-security-policy", POLICY)]
            await send(message)

        try:
            await self.app(scope, counted, guarded)
        except TooLargeError:
            if not started:
                await too_large(scope, receive, send)


class TooLargeError(Exception):
    """A request without a stated length goes beyond the limit."""
