"""Segments that are decoded in one pass are those that are decoded one by one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genre.audio import decode as decoding
from genre.audio.decode import AudioError, SegmentPlace, read_segment, read_segments, spread
from genre.audio.source import Source

from .odd_files import RATE, encode, wave

#: Formats by the ending and the subtype.
FORMATS = {
    "a.wav": "PCM_16",
    "a.flac": "PCM_16",
    "a.ogg": "VORBIS",
    "a.opus": "OPUS",
    "a.mp3": None,
    "a.aiff": "PCM_24",
}


def write(path: Path, rate: int, seconds: float = 6.0, subtype: str | None = None) -> Path:
    channels = [np.resize(wave(rate=rate, seed=seed), round(seconds * rate)) for seed in range(2)]
    format_ = "OGG" if path.suffix == ".opus" else None
    soundfile.write(path, np.stack(channels, axis=1), rate, subtype=subtype, format=format_)
    return path


def places(count: int, excerpt: tuple[float, float] | None = None) -> list[SegmentPlace]:
    return [(float(position), excerpt) for position in np.linspace(0, 1, count)]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened, once for each time."""
    opened: list[str] = []
    open_source = decoding._open

    def open_and_note(path: Path) -> Source:
        opened.append(path.name)
        return open_source(path)

    monkeypatch.setattr(decoding, "_open", open_and_note)
    return opened


@pytest.mark.parametrize(("name", "subtype"), FORMATS.items(), ids=FORMATS)
@pytest.mark.parametrize("rate", [24000, 48000])
def test_one_pass_gives_the_same_samples(
    tmp_path: Path, name: str, subtype: str | None, rate: int, reads: list[str]
) -> None:
    path = write(tmp_path / name, rate, subtype=subtype)
    for wanted in (places(6), places(9)[::-1], places(3, (1.0, 4.5)), [(0.5, (1.0, 2.0)), (0.5, (2.0, 3.0))]):
        expected = [read_segment(path, 24000, 24000, *place) for place in wanted]
        reads.clear()
        found = read_segments(path, 24000, 24000, wanted)
        assert len(reads) == 1
        # The rounding of mp3's decoder depends on the frame that it begins with.
        np.testing.assert_allclose(found, expected, rtol=0, atol=2.5e-7 if name == "a.mp3" else 0)


def test_a_format_without_exact_seeks_is_decoded_once(tmp_path: Path, reads: list[str]) -> None:
    pytest.importorskip("av")
    encode(tmp_path / "a.m4a", "aac", "mp4")
    wanted: list[SegmentPlace] = [(0.1, None), (0.9, None)]
    expected = [read_segment(tmp_path / "a.m4a", RATE, RATE // 10, *place) for place in wanted]
    reads.clear()
    found = read_segments(tmp_path / "a.m4a", RATE, RATE // 10, wanted)
    assert len(reads) == 1
    np.testing.assert_array_equal(found, expected)


def test_few_segments_of_a_long_file_are_read_one_by_one(tmp_path: Path, reads: list[str]) -> None:
    path = write(tmp_path / "a.wav", 8000, seconds=60, subtype="PCM_16")
    found = read_segments(path, 8000, 8000, places(3))
    assert len(reads) > 1
    np.testing.assert_array_equal(found, [read_segment(path, 8000, 8000, *place) for place in places(3)])


def test_a_short_file_is_repeated(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", RATE, seconds=0.3, subtype="PCM_16")
    found = read_segments(path, RATE, RATE, places(2))
    np.testing.assert_array_equal(found, [read_segment(path, RATE, RATE, *place) for place in places(2)])


def test_a_header_that_states_too_many_frames(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.mp3", 44100).read_bytes()
    (tmp_path / "b.mp3").write_bytes(whole[: len(whole) * 2 // 3])
    wanted = places(6)
    expected = [read_segment(tmp_path / "b.mp3", RATE, RATE, *place) for place in wanted]
    np.testing.assert_array_equal(read_segments(tmp_path / "b.mp3", RATE, RATE, wanted), expected)


def test_a_bad_segment_is_named(tmp_path: Path) -> None:
    samples: NDArray[np.float32] = np.zeros(6 * RATE, np.float32)
    samples[5 * RATE + 10] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert len(read_segments(tmp_path / "a.wav", RATE, RATE, places(6)[:5])) == 5
    with pytest.raises(AudioError, match=r"a\.wav: NaN or infinite samples"):
        read_segments(tmp_path / "a.wav", RATE, RATE, places(6))


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_the_mix_is_the_mean_of_the_channels(channels: int) -> None:
    frames = np.random.default_rng(0).normal(size=(1000, channels)).astype(np.float32)
    np.testing.assert_array_equal(decoding.mix_down(frames), frames.mean(axis=1))


def test_spread_covers_the_file_in_one_pass(tmp_path: Path, reads: list[str]) -> None:
    path = write(tmp_path / "a.mp3", 44100, seconds=6)
    read_segments(path, 22050, 22050, [(position, None) for position in spread(6, 1, 10)])
    assert len(reads) == 1
