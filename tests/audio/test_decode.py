import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genre.audio.decode import AudioError, AudioInfo, probe, read_segment, spread

RATE = 22050

#: Suffix, rate and encoding of a file.
FORMATS = {
    "wav-16": (".wav", RATE, {"subtype": "PCM_16"}),
    "wav-8": (".wav", RATE, {"subtype": "PCM_U8"}),
    "wav-24": (".wav", 44100, {"subtype": "PCM_24"}),
    "wav-float": (".wav", RATE, {"subtype": "FLOAT"}),
    "au": (".au", RATE, {"subtype": "PCM_16"}),
    "aiff": (".aiff", RATE, {"subtype": "PCM_16"}),
    "flac": (".flac", RATE, {"subtype": "PCM_16"}),
    "ogg": (".ogg", RATE, {"subtype": "VORBIS"}),
    "opus": (".opus", 24000, {"format": "OGG", "subtype": "OPUS"}),
    "mp3": (".mp3", RATE, {"bitrate_mode": "CONSTANT"}),
    "mp3-vbr": (".mp3", 44100, {"bitrate_mode": "VARIABLE"}),
}


def noise(seconds: float, rate: int = RATE, channels: int = 2) -> NDArray[np.float32]:
    """Noise with a swell, so that no stretch is like another."""
    random = np.random.default_rng(0)
    swell = np.linspace(0.1, 0.5, round(seconds * rate))[:, None]
    return (swell * random.uniform(-1, 1, (len(swell), channels))).astype(np.float32)


def write(path: Path, wave: NDArray[np.float32], rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, wave, rate, subtype=subtype)
    return path


class TestReadSegment:
    @pytest.mark.parametrize("channels", [1, 2])
    @pytest.mark.parametrize(("ending", "rate", "encoding"), FORMATS.values(), ids=FORMATS)
    def test_equals_the_slice_of_the_whole_file(
        self, tmp_path: Path, ending: str, rate: int, encoding: dict[str, str], channels: int
    ) -> None:
        path = tmp_path / f"song{ending}"
        soundfile.write(path, noise(3.0, rate, channels), rate, **encoding)
        whole = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
        assert probe(path) == AudioInfo(len(whole), rate)
        for position in (0, 0.1, 0.5, 0.777, 1):
            start = round(position * (len(whole) - rate))
            segment = read_segment(path, rate, rate, position)
            assert segment.dtype == np.float32
            np.testing.assert_allclose(segment, whole[start : start + rate], rtol=0, atol=2.5e-7)

    def test_a_plain_wav_is_opened_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "song.wav", noise(1.0))
        opened = []

        def open_file(*arguments: Path) -> soundfile.SoundFile:
            opened.append(original(*arguments))
            return opened[-1]

        original = soundfile.SoundFile
        monkeypatch.setattr(soundfile, "SoundFile", open_file)
        read_segment(path, RATE, 1000, 0.5)
        assert [file.closed for file in opened] == [True]

    @pytest.mark.parametrize(("position", "first"), [(0, 0), (0.25, 225), (0.5, 450), (1, 900)])
    def test_position_runs_from_the_beginning_to_the_last_possible_start(
        self, tmp_path: Path, position: float, first: int
    ) -> None:
        ramp = (np.arange(1000) / 1000).astype(np.float32)
        path = write(tmp_path / "ramp.wav", ramp)
        np.testing.assert_array_equal(read_segment(path, RATE, 100, position), ramp[first : first + 100])

    def test_channels_are_averaged(self, tmp_path: Path) -> None:
        left, right = noise(0.1).T
        path = write(tmp_path / "two.wav", np.stack([left, right], axis=1))
        np.testing.assert_allclose(read_segment(path, RATE, len(left), 0), (left + right) / 2, rtol=1e-6)
        opposite = write(tmp_path / "opposite.wav", np.stack([left, -left], axis=1))
        assert not read_segment(opposite, RATE, len(left), 0).any()

    def test_eight_bits(self, tmp_path: Path) -> None:
        levels = np.array([-1, -0.5, 0, 0.5, 127 / 128], np.float32)
        path = write(tmp_path / "song.wav", levels, subtype="PCM_U8")
        np.testing.assert_array_equal(read_segment(path, RATE, 5, 0), levels)

    @pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 96000])
    @pytest.mark.parametrize("position", [0, 0.5, 1])
    def test_resampled_sine_stays_that_sine(self, tmp_path: Path, rate: int, position: float) -> None:
        sine = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(3 * rate) / rate).astype(np.float32)
        path = write(tmp_path / "sine.wav", np.stack([sine, sine], axis=1), rate)
        segment = read_segment(path, RATE, RATE, position)
        assert segment.shape == (RATE,)
        spectrum = np.abs(np.fft.rfft(segment * np.hanning(RATE)))  # a second: one bin a hertz
        assert spectrum.argmax() == 1000
        inner = segment[RATE // 10 : -RATE // 10]
        assert np.sqrt(2 * np.mean(inner**2)) == pytest.approx(0.5, rel=0.01)
        others = np.delete(spectrum, np.arange(990, 1011))
        assert others.max() < 1e-3 * spectrum.max()

    def test_what_the_rate_cannot_hold_is_removed_not_folded(self, tmp_path: Path) -> None:
        tone = 0.5 * np.sin(2 * np.pi * 15000 * np.arange(96000) / 96000).astype(np.float32)
        segment = read_segment(write(tmp_path / "high.wav", tone, 96000), RATE, RATE // 2, 0.5)
        assert np.abs(segment[1000:-1000]).max() < 1e-3

    def test_short_track_is_repeated(self, tmp_path: Path) -> None:
        wave = noise(0.01, channels=1)[:, 0]  # 220 samples
        path = write(tmp_path / "short.wav", wave)
        for position in (0, 0.3, 1):
            found = read_segment(path, RATE, 500, position)
            np.testing.assert_array_equal(found, np.concatenate([wave, wave, wave[:60]]))

    @pytest.mark.parametrize("rate", [8000, RATE, 44100, 96000])
    def test_clip_of_a_tenth_of_a_second_fills_the_segment(self, tmp_path: Path, rate: int) -> None:
        path = write(tmp_path / "clip.wav", noise(0.1, rate), rate)
        found = read_segment(path, RATE, 3 * RATE, 0.5)
        assert found.shape == (3 * RATE,)
        assert found.std() > 0.01
        np.testing.assert_array_equal(found, np.resize(found[: RATE // 10], 3 * RATE))

    def test_single_frame(self, tmp_path: Path) -> None:
        path = write(tmp_path / "one.wav", np.full(1, 0.5, np.float32))
        np.testing.assert_array_equal(read_segment(path, RATE, 4, 1), [0.5] * 4)


class TestOnlyTheNeededStretch:
    @pytest.fixture
    def decoded(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """The number of frames that each read has decoded so far."""
        counts: list[int] = []
        read = soundfile.SoundFile.read

        def counted(self: soundfile.SoundFile, *arguments: object, **options: object) -> NDArray[np.float32]:
            frames: NDArray[np.float32] = read(self, *arguments, **options)
            counts.append(len(frames))
            return frames

        monkeypatch.setattr(soundfile.SoundFile, "read", counted)
        return counts

    @pytest.mark.parametrize("ending", [".wav", ".au", ".flac", ".ogg", ".mp3"])
    @pytest.mark.parametrize(("rate", "frames"), [(22050, 11025), (44100, 22050), (32000, 16000), (48000, 24000)])
    def test_is_decoded(self, tmp_path: Path, decoded: list[int], ending: str, rate: int, frames: int) -> None:
        path = tmp_path / f"song{ending}"
        soundfile.write(path, noise(2.0, rate), rate)
        probe(path)
        assert read_segment(path, RATE, 11025, 0.5).shape == (11025,)
        (number,) = decoded
        assert frames <= number <= frames + (5 * 1152 if ending == ".mp3" else 0)  # a few mp3 frames are thrown away

    def test_is_decoded_of_an_hour(self, tmp_path: Path, decoded: list[int]) -> None:
        frames = 3600 * RATE
        path = tmp_path / "hour.wav"
        header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 2 * frames, b"WAVE", b"fmt ", 16, 1, 1,
                             RATE, 2 * RATE, 2, 16, b"data", 2 * frames)  # fmt: skip
        with path.open("wb") as file:  # sparse: silence but for a mark at the start of the last possible second
            file.write(header)
            file.truncate(len(header) + 2 * frames)
            file.seek(len(header) + 2 * (frames - RATE))
            file.write(struct.pack("<h", 16384))
        assert probe(path).seconds == 3600
        assert decoded == []
        segment = read_segment(path, RATE, RATE, 1)
        assert (segment[0], int(np.count_nonzero(segment))) == (0.5, 1)
        assert not read_segment(path, RATE, RATE, 0.5).any()
        assert decoded == [RATE, RATE]


@pytest.mark.parametrize(
    ("seconds", "segment", "most", "positions"),
    [
        (0.1, 3.0, 10, [0.5]),
        (3.0, 3.0, 10, [0.5]),
        (3.01, 3.0, 10, [0, 1]),
        (6.0, 3.0, 10, [0, 1]),
        (9.0, 3.0, 10, [0, 0.5, 1]),
        (0.3, 0.1, 10, [0, 0.5, 1]),  # 0.3 / 0.1 is less than 3 in floating point
        (0.7, 0.1, 3, [0, 0.5, 1]),
        (0.6 + 0.3, 0.3, 10, [0, 0.5, 1]),  # … and this sum of two is more than 0.9
        (30.0, 3.0, 5, [0, 0.25, 0.5, 0.75, 1]),
        (3600.0, 3.0, 5, [0, 0.25, 0.5, 0.75, 1]),
        (3600.0, 3.0, 1, [0.5]),
    ],
)
def test_spread(seconds: float, segment: float, most: int, positions: list[float]) -> None:
    assert spread(seconds, segment, most) == positions


@pytest.mark.parametrize("seconds", [3.2, 4.9, 7.5, 11.99, 29.7, 30.0, 61.0])
def test_spread_covers_the_track(seconds: float) -> None:
    starts = np.array(spread(seconds, 3.0, 1000)) * (seconds - 3.0)
    assert (starts[0], starts[-1]) == (0, seconds - 3.0)
    assert np.diff(starts).max() <= 3.0 + 1e-9
    assert len(starts) == np.ceil(seconds / 3)  # no more than it takes


def _text(path: Path) -> None:
    path.write_text("no audio at all\n" * 100)


def _zero_frames(path: Path) -> None:
    soundfile.write(path, np.zeros((0, 1), np.float32), RATE)


def _cut_header(path: Path) -> None:
    soundfile.write(path, noise(0.1), RATE)
    path.write_bytes(path.read_bytes()[:20])


def _streamed(path: Path) -> None:
    """What an encoder writes into a pipe: the header leaves the number of frames open."""
    soundfile.write(path, noise(1.0), RATE)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # STREAMINFO: the last 36 bits before the checksum
    data[22:26] = bytes(4)
    path.write_bytes(data)


UNREADABLE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "text": ("song.wav", _text, r"undecodable \(Format not recognised\)"),
    "text as mp3": ("song.mp3", _text, r"undecodable \(Format not recognised\)"),
    "first bytes of a flac": ("song.flac", lambda path: path.write_bytes(b"fLaC"), r"undecodable \(.+\)"),
    "cut header": ("song.wav", _cut_header, r"undecodable \(.*Malformed 'fmt ' chunk\)"),
    "headerless": ("song.raw", lambda path: path.write_bytes(bytes(1000)), r"undecodable \(.+\)"),
    "empty": ("song.wav", lambda path: path.touch(), "empty file"),
    "zero frames": ("song.wav", _zero_frames, "no audio frames"),
    "streamed flac": ("song.flac", _streamed, ".*length.*"),
    "missing": ("song.wav", lambda path: None, "no such file"),
    "link to nothing": ("song.wav", lambda path: path.symlink_to("nowhere.wav"), "the link leads nowhere"),
    "folder": ("song.wav", lambda path: path.mkdir(), "not a file"),
}


class TestBadFile:
    @pytest.mark.parametrize("read", [probe, lambda path: read_segment(path, RATE, RATE, 0.5)], ids=["probe", "read"])
    @pytest.mark.parametrize(("name", "make", "reason"), UNREADABLE.values(), ids=UNREADABLE)
    def test_is_one_clear_line(
        self, tmp_path: Path, name: str, make: Callable[[Path], object], reason: str, read: Callable[[Path], object]
    ) -> None:
        path = tmp_path / name
        make(path)
        with pytest.raises(AudioError) as caught:
            read(path)
        assert str(caught.value) == f"{path}: {caught.value.reason}"
        assert "\n" not in str(caught.value)
        assert str(caught.value).count(str(path)) == 1
        assert re.fullmatch(reason, caught.value.reason)

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("rate", [RATE, 44100])
    def test_not_a_number(self, tmp_path: Path, value: float, rate: int) -> None:
        wave = noise(1.0, rate)
        wave[len(wave) // 2, 1] = value
        path = write(tmp_path / "song.wav", wave, rate)
        assert probe(path).frames == len(wave)
        with pytest.raises(AudioError) as caught:
            read_segment(path, RATE, RATE, 0)
        assert str(caught.value) == f"{path}: NaN or infinite samples"
        assert np.isfinite(read_segment(path, RATE, RATE // 10, 0)).all()

    @pytest.mark.parametrize("ending", [".wav", ".au", ".flac", ".ogg", ".mp3"])
    def test_ending_does_not_matter(self, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"song{ending}"
        soundfile.write(path, noise(0.5), RATE)
        before = read_segment(path, RATE, 5000, 0)
        renamed = path.rename(tmp_path / "song.bin")
        np.testing.assert_array_equal(read_segment(renamed, RATE, 5000, 0), before)
