"""Every file is heard whole, at every place, or named."""

import contextlib
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile

from genre.audio import ffmpeg
from genre.audio.decode import AudioError, decode, probe, read_segment, verify

from .odd_files import BAD, BAD_BY_AV, CUT, HEARD, HEARD_BY_AV, RATE, Make, encode, sound, twice, wave, without_count

needs_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="PyAV is not installed")


def whole(path: Path) -> tuple[np.ndarray, int]:
    """All of a file, mono, and its rate."""
    encoding, blocks = decode(path)
    return np.concatenate(list(blocks)).mean(axis=1), encoding.sample_rate


def assert_heard(path: Path) -> float:
    """Checks stretches all over a file against its decoding from the start; returns its seconds."""
    expected, rate = whole(path)
    assert probe(path).frames == len(expected)
    length = rate // 5
    for position in (0.0, 0.13, 0.37, 0.5, 0.66, 0.8, 0.97, 1.0):
        start = round(position * (len(expected) - length))
        segment = read_segment(path, rate, length, position)
        np.testing.assert_allclose(segment, expected[start : start + length], rtol=0, atol=1e-6)
    verify(path)
    return len(expected) / rate


def read_all(path: Path) -> None:
    """Reads every part of a file, as a fit does."""
    verify(path)
    for position in np.linspace(0, 1, 20):
        read_segment(path, RATE, RATE // 4, float(position))


class TestHeardWhole:
    @pytest.mark.parametrize("name", HEARD)
    def test_by_libsndfile(self, tmp_path: Path, name: str) -> None:
        make, seconds = HEARD[name]
        make(tmp_path / name)
        assert assert_heard(tmp_path / name) == pytest.approx(seconds, abs=0.04)

    @needs_av
    @pytest.mark.parametrize("name", HEARD_BY_AV)
    def test_by_pyav(self, tmp_path: Path, name: str) -> None:
        make, seconds = HEARD_BY_AV[name]
        make(tmp_path / name)
        assert assert_heard(tmp_path / name) == pytest.approx(seconds, abs=0.05)

    @pytest.mark.parametrize("name", CUT)
    def test_as_far_as_it_goes(self, tmp_path: Path, name: str) -> None:
        CUT[name](tmp_path / name)
        assert 0.5 < assert_heard(tmp_path / name) < 2.6

    @pytest.mark.parametrize(("name", "rate"), [("a.ogg", RATE), ("a.flac", RATE), ("a.opus", 24000)])
    def test_streams_one_after_the_other_are_both_there(self, tmp_path: Path, name: str, rate: int) -> None:
        encoding = {"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}
        twice(1.5, rate, **encoding)(tmp_path / name)
        found, _ = whole(tmp_path / name)
        parts = []
        for seconds, seed in ((3.0, 0), (1.5, 1)):
            sound(tmp_path / f"part-{name}", seconds, seed, rate, **encoding)
            parts.append(soundfile.read(tmp_path / f"part-{name}", dtype="float32")[0])
        np.testing.assert_array_equal(found, np.concatenate(parts))

    def test_mp3_without_a_count_is_the_one_with_it(self, tmp_path: Path) -> None:
        (tmp_path / "a.mp3").write_bytes(without_count(tmp_path / "b.mp3"))
        found, expected = whole(tmp_path / "a.mp3")[0], whole(tmp_path / "b.mp3")[0]
        assert probe(tmp_path / "b.mp3").seconds == 3.0
        delay = int(np.argmax(np.correlate(found[: RATE + 3000], expected[:RATE], "valid")))
        error = found[delay + 2000 : len(expected)] - expected[2000 : len(expected) - delay]
        assert np.abs(error).max() < 1e-3  # but for the encoder's delay, which only that count says

    @pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3", ".aiff", ".au", ".caf"])
    def test_sound_header_is_believed(self, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
        sound(tmp_path / f"a{ending}")
        monkeypatch.setattr("genre.audio.sndfile.StretchFile", None)
        monkeypatch.setattr("genre.audio.sndfile._count", None)  # nothing is counted
        monkeypatch.setattr("genre.audio.mp3.index_frames", None)
        assert probe(tmp_path / f"a{ending}").seconds == 3.0

    @pytest.mark.parametrize("ending", [".wav", ".aiff"])
    def test_chunks_after_the_audio_are_none(self, tmp_path: Path, ending: str) -> None:
        data = sound(tmp_path / f"a{ending}")
        order: Literal["little", "big"] = "little" if ending == ".wav" else "big"
        for name in (b"LIST", b"ID3 "):
            data += name + (60000).to_bytes(4, order) + bytes(60000)
        (tmp_path / f"a{ending}").write_bytes(data)
        assert probe(tmp_path / f"a{ending}").seconds == 3.0

    def test_a_changed_file_is_counted_again(self, tmp_path: Path) -> None:
        path = tmp_path / "a.ogg"
        twice(1.5)(path)
        assert probe(path).seconds == 4.5
        twice(0.5)(path)
        assert probe(path).seconds == 3.5

    def test_layer_two(self, tmp_path: Path) -> None:
        pytest.importorskip("av")
        encode(tmp_path / "a.mp2", "mp2", "mp2")
        assert assert_heard(tmp_path / "a.mp2") == pytest.approx(3.0, abs=0.05)


class TestNamed:
    @pytest.mark.parametrize("name", BAD)
    def test_by_libsndfile(self, tmp_path: Path, name: str) -> None:
        self.check(tmp_path / name, *BAD[name])

    @needs_av
    @pytest.mark.parametrize("name", BAD_BY_AV)
    def test_by_pyav(self, tmp_path: Path, name: str) -> None:
        self.check(tmp_path / name, *BAD_BY_AV[name])

    def check(self, path: Path, make: Make, reason: str) -> None:
        make(path)
        with pytest.raises(AudioError, match=reason) as caught:
            read_all(path)
        assert "\n" not in str(caught.value)

    def test_without_pyav(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a.m4a").write_bytes(bytes(100))
        monkeypatch.setattr(ffmpeg, "available", lambda: False)
        with pytest.raises(AudioError) as caught:
            probe(tmp_path / "a.m4a")
        assert str(caught.value) == f"{tmp_path}/a.m4a: needs PyAV to be read; pip install 'lightning-genre[av]'"

    @pytest.mark.parametrize(("peak", "bad"), [(1.0, False), (4.0, False), (9.9, False), (10.1, True), (32768.0, True)])
    @pytest.mark.parametrize("name", ["a.wav", "a.ogg"])
    def test_level(self, tmp_path: Path, name: str, peak: float, bad: bool) -> None:
        samples = np.tile(wave()[:RATE], 2)
        soundfile.write(
            tmp_path / name,
            peak * samples / np.abs(samples).max(),
            RATE,
            subtype="FLOAT" if ".wav" in name else "VORBIS",
        )
        if name == "a.ogg" and 4 < peak < 20:
            pytest.skip("a lossy codec does not keep the peak")
        if bad:
            with pytest.raises(AudioError, match=r"a level of \+\d+ dBFS"):
                read_segment(tmp_path / name, RATE, 2 * RATE, 0.5)
        else:
            assert np.abs(read_segment(tmp_path / name, RATE, 2 * RATE, 0.5)).max() == pytest.approx(peak, rel=0.3)


def test_decoder_is_not_heard_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = BAD | BAD_BY_AV | HEARD_BY_AV if ffmpeg.available() else BAD
    for name, make in (CUT | {name: make for name, (make, _) in (HEARD | made).items()}).items():
        make(tmp_path / name)
        capfd.readouterr()
        with contextlib.suppress(AudioError):
            read_segment(tmp_path / name, RATE, RATE, 0.9)
        assert capfd.readouterr().err == ""


@needs_av
class TestPyAV:
    def test_lossless_is_what_was_written(self, tmp_path: Path) -> None:
        encode(tmp_path / "a.m4a", "alac", "ipod")
        found, rate = whole(tmp_path / "a.m4a")
        expected = np.stack([wave(rate=rate), wave(rate=rate, seed=1)]).mean(0)
        np.testing.assert_allclose(found, expected[: len(found)], rtol=0, atol=2**-15)

    def test_lossless_is_sought_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        encode(tmp_path / "a.m4a", "alac", "ipod")
        first = probe(tmp_path / "a.m4a")
        read = ffmpeg._decode
        begun: list[int] = []

        def decoded(path: Path, start: int = 0):  # type: ignore[no-untyped-def]
            for place, frames in read(path, start):
                begun.append(place)
                yield place, frames

        monkeypatch.setattr(ffmpeg, "_decode", decoded)
        read_segment(tmp_path / "a.m4a", first.sample_rate, 1000, 0.8)
        assert min(begun) > 0.7 * first.frames
        assert max(begun) < 0.9 * first.frames

    def test_header_alone_is_read_of_an_mp4(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        encode(tmp_path / "a.m4a", "aac", "ipod")
        monkeypatch.setattr(ffmpeg, "_decode", None)
        assert probe(tmp_path / "a.m4a").frames == pytest.approx(3 * 44100, abs=1024)

    def test_cut_off_mp4_is_heard_as_far_as_it_goes(self, tmp_path: Path) -> None:
        encode(tmp_path / "a.m4a", "aac", "ipod", movflags="faststart")
        data = (tmp_path / "a.m4a").read_bytes()
        (tmp_path / "cut.m4a").write_bytes(data[: len(data) // 2])
        assert 0.5 < assert_heard(tmp_path / "cut.m4a") < 2.5
        expected = whole(tmp_path / "a.m4a")[0]
        found = whole(tmp_path / "cut.m4a")[0]
        np.testing.assert_array_equal(found[:20000], expected[:20000])

    @pytest.mark.parametrize("position", [0, 0.5, 1])
    def test_is_resampled(self, tmp_path: Path, position: float, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "tests.audio.odd_files.wave",
            lambda rate, seed=0: 0.5 * np.sin(2 * np.pi * 1000 * np.arange(3 * rate) / rate).astype(np.float32),
        )
        encode(tmp_path / "a.m4a", "alac", "ipod")
        segment = read_segment(tmp_path / "a.m4a", RATE, RATE, position)
        spectrum = np.abs(np.fft.rfft(segment * np.hanning(RATE)))
        assert (segment.shape, int(spectrum.argmax())) == ((RATE,), 1000)
        assert np.sqrt(2 * np.mean(segment[2000:-2000] ** 2)) == pytest.approx(0.5, rel=0.01)

    def test_in_several_threads(self, tmp_path: Path) -> None:
        encode(tmp_path / "a.m4a", "aac", "ipod")
        places = [0.1, 0.3, 0.5, 0.7, 0.9] * 4
        alone = [read_segment(tmp_path / "a.m4a", RATE, RATE // 2, place) for place in places[:5]]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda place: read_segment(tmp_path / "a.m4a", RATE, RATE // 2, place), places))
        for number, segment in enumerate(found):
            np.testing.assert_array_equal(segment, alone[number % 5])
