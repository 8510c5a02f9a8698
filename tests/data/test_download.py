"""Data sets are downloaded from a loopback server, in their real layouts."""

import hashlib
import io
import re
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from genre.audit.run import read_data_set
from genre.data import download
from genre.data.archive import unpack
from genre.data.download import Archive
from genre.errors import GenreError
from tests.conftest import run_cli, tone

GENRES = ("Hip-Hop", "Rock")


def wav(genre: int, track: int) -> bytes:
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, tone(genre, track, 1.0), 22050, format="WAV")
    return content.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def tarred(files: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in others:
            archive.addfile(info)
    return content.getvalue()


def fma_metadata() -> bytes:
    rows = [["", "set", "set", "track", "artist"], ["", "split", "subset", "genre_top", "id"], ["track_id", *[""] * 4]]
    rows += [[str(track), "training", "small", GENRES[track % 2], str(track)] for track in (2, 5, 10)]
    return zipped({"fma_metadata/tracks.csv": "\n".join(map(",".join, rows)).encode(), "fma_metadata/README.txt": b"x"})


class Server:
    """Serves ``files``; the first ``drops`` answers end in the middle."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.drops = 0
        self.ranges: list[str | None] = []
        self.ignore_range = False
        self.slice: int | None = None  # the largest number of bytes of an answer
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.ranges.append(asked)
        data = self.files.get(handler.path.strip("/"))
        if data is None:
            handler.send_error(404)
            return
        match = re.fullmatch(r"bytes=(\d+)-", asked or "")
        start = int(match[1]) if match and not self.ignore_range else 0
        if start >= len(data):
            handler.send_error(416)
            return
        end = min(len(data), start + (self.slice or len(data)))
        is_part = start > 0 or end < len(data)
        handler.send_response(206 if is_part else 200)
        if is_part:
            handler.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        handler.send_header("Content-Length", str(end - start))
        handler.end_headers()
        if self.drops:
            self.drops -= 1
            end = start + max(1, (len(data) - start) // 2)
        handler.wfile.write(data[start:end])

    def archive(self, name: str, data: bytes, folder: str, unpacked: int = 10**7) -> Archive:
        self.files[name] = data
        return Archive(f"{self.url}/{name}", f"md5:{hashlib.md5(data).hexdigest()}", folder, unpacked)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_fma_over_lost_connections_then_audit(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    audio = zipped(
        {f"fma_small/000/00000{track}.mp3": wav(0, track) for track in (2, 5)} | {"fma_small/README.txt": b""}
    )
    archives = (
        server.archive("fma_metadata.zip", fma_metadata(), "fma_metadata"),
        server.archive("fma_small.zip", audio, "fma_small"),
    )
    monkeypatch.setitem(download.ARCHIVES, "fma-small", archives)
    server.drops = 3
    assert run_cli("download", "fma-small", "--root", tmp_path) == 0
    assert [bool(asked) for asked in server.ranges] == [False, True, True, True, False]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fma_metadata", "fma_small"]
    name, _, corpus = read_data_set(tmp_path)
    assert (name, [track.genre for track in corpus.tracks]) == ("FMA", ["Hip-Hop", "Rock"])
    capsys.readouterr()
    assert run_cli("download", "fma-small", "--root", tmp_path) == 0
    assert capsys.readouterr().out.count("already there") == 2


@pytest.mark.parametrize("ignore_range", [False, True])
def test_ballroom_goes_on_in_another_call(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignore_range: bool
) -> None:
    files = {f"BallroomData/{dance}/Media-10000{track}.wav": wav(0, track) for track, dance in enumerate(
        ("ChaChaCha", "Jive", "Quickstep", "Samba", "Tango", "Waltz"))}  # fmt: skip
    data = tarred(files | {"BallroomData/allBallroomFiles": b"./x"})
    monkeypatch.setitem(download.ARCHIVES, "ballroom", (server.archive("data1.tar.gz", data, "BallroomData"),))
    (tmp_path / "data1.tar.gz.part").write_bytes(data[:1000])  # of an interrupted call
    server.ignore_range = ignore_range
    download.download("ballroom", tmp_path)
    assert server.ranges == ["bytes=1000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["BallroomData"]
    name, _, corpus = read_data_set(tmp_path)
    assert (name, len(corpus.tracks)) == ("Ballroom", 6)


def test_a_server_that_sends_slices(server: Server, tmp_path: Path) -> None:
    archive = server.archive("a.zip", zipped({"a/b": bytes(range(256))}), "a")
    server.slice = 100
    assert download.fetch(archive, tmp_path).read_bytes() == server.files["a.zip"]
    assert len(server.ranges) == -(-len(server.files["a.zip"]) // 100)


def test_a_complete_part_is_verified_and_unpacked(server: Server, tmp_path: Path) -> None:
    archive = server.archive("a.zip", zipped({"a/b": b"1"}), "a")
    (tmp_path / "a.zip.part").write_bytes(server.files["a.zip"])
    assert download.fetch(archive, tmp_path).read_bytes() == server.files["a.zip"]


def test_faults_of_the_server_are_one_line(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = server.archive("a.zip", zipped({"a/b": b"1"}), "a")
    with pytest.raises(GenreError, match="its checksum is not md5:0, as published"):
        download.fetch(Archive(archive.url, "md5:0", "a", 10), tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(GenreError, match="the server answers 404 Not Found"):
        download.fetch(Archive(f"{server.url}/none.zip", "md5:0", "a", 10), tmp_path)
    with pytest.raises(GenreError, match=r"GB are needed for a.zip"):
        download.fetch(Archive(archive.url, archive.checksum, "a", 10**18), tmp_path)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(GenreError, match="type the command again: it goes on from there"):
        download.fetch(archive, tmp_path)


@pytest.mark.parametrize(
    ("name", "words"), [("gtzan", "is dead; people get it from"), ("extended-ballroom", "no archive")]
)
def test_data_sets_without_an_archive(
    name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli("download", name, "--root", tmp_path / "x") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"genre: error: {name}: ")
    assert words in line


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def linked_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        info = zipfile.ZipInfo("a/link")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return content.getvalue()


def huge_header() -> bytes:
    info = entry("a/x", tarfile.XHDTYPE)
    info.size = 1 << 32
    import gzip

    return gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(1 << 16))


UNSAFE = {
    "zip ..": (zipped({"a/ok": b"", "a/../../out": b""}), "outside"),
    "zip absolute": (zipped({"a/ok": b"", "/out": b""}), "outside"),
    "zip backslash": (zipped({"a/ok": b"", "..\\out": b""}), "outside"),
    "zip drive": (zipped({"a/ok": b"", "C:/out": b""}), "outside"),
    "zip link": (linked_zip(), "link or a device"),
    "zip bomb": (zipped({"a/ok": b"", "a/zeros": bytes(2_000_000)}), "more than"),
    "tar ..": (tarred({"a/ok": b"", "../out": b""}), "outside"),
    "tar absolute": (tarred({"a/ok": b"", "/out": b""}), "outside"),
    "tar symlink": (tarred({"a/ok": b""}, entry("a/link", tarfile.SYMTYPE, "/etc")), "link or a device"),
    "tar hard link": (tarred({"a/ok": b""}, entry("a/link", tarfile.LNKTYPE, "../out")), "link or a device"),
    "tar device": (tarred({"a/ok": b""}, entry("a/null", tarfile.CHRTYPE)), "link or a device"),
    "tar pipe": (tarred({"a/ok": b""}, entry("a/pipe", tarfile.FIFOTYPE)), "link or a device"),
    "tar bomb": (tarred({"a/ok": b"", "a/zeros": bytes(2_000_000)}), "more than"),
    "tar header": (huge_header(), "header"),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_an_unsafe_archive_writes_nothing(case: str, tmp_path: Path) -> None:
    content, words = UNSAFE[case]
    (tmp_path / "archive").write_bytes(content)
    (tmp_path / "folder").mkdir()
    with pytest.raises(GenreError, match=words):
        unpack(tmp_path / "archive", tmp_path / "folder", 1_000_000)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["archive", "folder"]


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", tarred({"a": b"1" * 9999})[:60], zipped({"a": b"1"})[:-30]],
    ids=["empty", "text", "tar", "zip"],  # the archives' bytes hold the time
)
def test_a_damaged_archive_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(GenreError, match="cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path / "folder", 1_000_000)
