"""The decoded cache: slices of it are the segments of the sources; it survives damage, changes and full disks."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from genre.audio import cache as caching
from genre.audio.cache import DecodedCache
from genre.audio.decode import read_segment
from genre.errors import AudioError, GenreError

from .odd_files import RATE, put, sound, wave

POSITIONS = (0.0, 0.123, 0.5, 0.999, 1.0)


def write(path: Path, rate: int = RATE, seconds: float = 3.0, level: float = 0.5, subtype: str | None = None) -> Path:
    samples = np.stack([wave(seconds, rate, seed) for seed in range(2)], axis=1)
    soundfile.write(path, samples / np.abs(samples).max() * level, rate, subtype=subtype)
    return path


def read(cache: DecodedCache, path: Path, samples: int, position: float) -> NDArray[np.float32]:
    part, scale = cache.segment(path, samples, position, None)
    return (part.float() * scale).numpy()


@pytest.fixture(params=["folder", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> DecodedCache:
    return DecodedCache(tmp_path / "decoded" if request.param == "folder" else None, RATE)


def files(cache: DecodedCache) -> list[Path]:
    assert cache.folder is not None
    return sorted(cache.folder.iterdir())


def test_16_bit_audio_at_its_own_rate_is_kept_exactly(cache: DecodedCache, tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(-(2**15), 2**15, 3 * RATE).astype(np.int16)
    levels[:2] = -(2**15), 2**15 - 1
    path = tmp_path / "a.wav"
    soundfile.write(path, levels, RATE)
    cache.fill([path])
    for position in POSITIONS:
        np.testing.assert_array_equal(read(cache, path, RATE, position), read_segment(path, RATE, RATE, position))


@pytest.mark.parametrize("level", [0.003, 0.9, 3.0])
def test_a_step_is_a_share_of_the_peak(cache: DecodedCache, tmp_path: Path, level: float) -> None:
    path = write(tmp_path / "a.wav", level=level, subtype="FLOAT")
    for position in POSITIONS:
        expected = read_segment(path, RATE, RATE, position)
        np.testing.assert_allclose(read(cache, path, RATE, position), expected, rtol=0, atol=level * 2**-15)


def test_an_mp3_is_rounded_to_the_next_step(cache: DecodedCache, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3")
    for position in POSITIONS:
        step = cache.segment(path, RATE, position, None)[1]
        expected = read_segment(path, RATE, RATE, position)
        np.testing.assert_allclose(read(cache, path, RATE, position), expected, rtol=0, atol=0.51 * step)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.flac", "a.ogg"])
def test_a_segment_at_another_rate_is_that_of_the_source(cache: DecodedCache, tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, rate=44100)
    cache.fill([path])
    for position in POSITIONS:
        expected = read_segment(path, RATE, RATE, position)
        np.testing.assert_allclose(read(cache, path, RATE, position), expected, rtol=0, atol=2**-15)


def test_a_short_track_is_repeated_and_an_excerpt_is_cut(cache: DecodedCache, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", subtype="PCM_16")
    for excerpt, samples in (((1.0, 1.5), RATE), ((1.0, 2.5), RATE), ((2.5, 9.0), RATE), (None, 4 * RATE)):
        part, scale = cache.segment(path, samples, 0.5, excerpt)
        expected = read_segment(path, RATE, samples, 0.5, excerpt)
        np.testing.assert_array_equal((part.float() * scale).numpy(), expected)


def test_silence(cache: DecodedCache, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    assert not read(cache, tmp_path / "a.wav", RATE // 2, 0.5).any()


@pytest.mark.parametrize("spoil", ["text", "missing", "nan", "empty"])
def test_a_bad_file_is_named_as_without_a_cache(cache: DecodedCache, tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "a.wav"
    samples = np.zeros(3 * RATE, np.float32)
    samples[RATE // 2] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    if spoil == "missing":
        path.unlink()
    elif spoil != "nan":
        path.write_text("no audio\n" * 100 if spoil == "text" else "")
    cache.fill([path])
    with pytest.raises(AudioError) as expected:
        read_segment(path, RATE, RATE, 0)
    with pytest.raises(type(expected.value)) as found:
        cache.segment(path, RATE, 0, None)
    assert str(found.value) == str(expected.value)
    if spoil == "nan":  # the rest of the file is read from it
        assert not read(cache, path, RATE, 1).any()


def test_a_file_is_decoded_once(cache: DecodedCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write(tmp_path / f"{number}.wav") for number in range(3)]
    cache.fill([*paths, *paths])
    monkeypatch.setattr(caching, "decode", lambda path: pytest.fail(f"{path} is decoded again"))
    cache.fill(paths)
    if cache.folder is not None:
        assert len(files(cache)) == 3
        cache = DecodedCache(cache.folder, RATE)  # of another process
    for path in paths:
        cache.segment(path, RATE, 0.3, None)


def test_a_changed_source_is_decoded_anew(cache: DecodedCache, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", level=0.5)
    read(cache, path, RATE, 0.5)
    write(path, level=0.25)
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(read(cache, path, RATE, 0.5), read_segment(path, RATE, RATE, 0.5))


def test_a_moved_source_is_not_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.wav")
    DecodedCache(tmp_path / "decoded", RATE).fill([path])
    moved = path.rename(tmp_path / "b.wav")
    monkeypatch.setattr(caching, "decode", lambda path: pytest.fail(f"{path} is decoded again"))
    steps, scale = DecodedCache(tmp_path / "decoded", RATE).segment(moved, RATE, 0.5, None)
    np.testing.assert_allclose((steps * scale).numpy(), read_segment(moved, RATE, RATE, 0.5), atol=2**-16)


@pytest.mark.parametrize("damage", ["cut", "bits", "header", "empty"])
def test_a_damaged_file_of_the_cache_is_made_anew(tmp_path: Path, damage: str) -> None:
    path, cache = write(tmp_path / "a.wav", subtype="PCM_16"), DecodedCache(tmp_path / "decoded", RATE)
    cache.fill([path])
    (file,) = files(cache)
    whole = file.read_bytes()
    spoilt = {"cut": whole[:-10], "bits": whole[:-2] + b"xy", "header": b"x" + whole[1:], "empty": b""}[damage]
    file.write_bytes(spoilt)
    other = DecodedCache(cache.folder, RATE)
    np.testing.assert_array_equal(read(other, path, RATE, 1), read_segment(path, RATE, RATE, 1))
    assert file.read_bytes() == whole


def test_features_of_any_rate_share_the_files(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", rate=44100)
    for rate in (RATE, 16000):
        cache = DecodedCache(tmp_path / "decoded", rate)
        cache.fill([path])
        assert cache.segment(path, rate, 0.5, None)[0].shape == (rate,)
    assert len(files(cache)) == 1


def _fill(folder: Path, paths: list[Path]) -> None:
    DecodedCache(folder, RATE).fill(paths)


def test_two_processes_end_with_one_file_each(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{number}.wav", seconds=1 + number) for number in range(6)]
    with ProcessPoolExecutor(2, get_context("fork")) as pool:
        for done in [pool.submit(_fill, tmp_path / "decoded", paths) for _ in range(2)]:
            done.result()
    cache = DecodedCache(tmp_path / "decoded", RATE)
    assert len(files(cache)) == 6
    assert not [file for file in files(cache) if file.suffix != ".pcm"]
    for path in paths:
        np.testing.assert_allclose(read(cache, path, RATE, 1), read_segment(path, RATE, RATE, 1), rtol=0, atol=2**-16)


def test_too_little_space_is_one_line_and_writes_nothing(
    cache: DecodedCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.wav")
    monkeypatch.setattr(caching, "available_memory", lambda: 1000)
    monkeypatch.setattr("genre.audio.cache.shutil.disk_usage", lambda folder: _Usage)
    with pytest.raises(GenreError, match=r"0\.00 GB are needed to keep 1 decoded files, 0\.00 GB are there") as error:
        cache.fill([path])
    assert "\n" not in str(error.value)
    assert "data.cache" in str(error.value)
    if cache.folder is not None:
        assert not files(cache)


class _Usage:
    free = 1000


def test_a_disk_that_fills_up_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    cache, path = DecodedCache(tmp_path / "decoded", RATE), write(tmp_path / "a.wav")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(GenreError, match=r"the cache cannot be written .No space left on device"):
        cache.fill([path])
    assert not files(cache)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    with pytest.raises(GenreError, match=r"a\.wav: the cache cannot be written"):
        DecodedCache(path, RATE).fill([path])


def test_only_old_unfinished_files_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "decoded"
    folder.mkdir()
    for name, age in ((".old.part", caching.ABANDONED + 60), (".new.part", 0)):
        (folder / name).write_bytes(b"")
        changed = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (changed, changed))
    DecodedCache(folder, RATE).fill([write(tmp_path / "a.wav")])
    assert [file.name for file in folder.glob("*.part")] == [".new.part"]


def test_a_segment_is_a_view(cache: DecodedCache, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    whole, segment = cache.segment(path, 3 * RATE, 0, None)[0], cache.segment(path, RATE, 1, None)[0]
    assert segment.dtype == torch.int16
    assert segment.data_ptr() == whole.data_ptr() + 2 * 2 * RATE


def test_an_mp3_that_states_too_many_frames(cache: DecodedCache, tmp_path: Path) -> None:
    """The decoder then gives an empty block at the end."""
    path = tmp_path / "a.mp3"
    data = sound(path)
    place = max(data.find(b"Xing"), data.find(b"Info")) + 8  # after the name and the flags
    put(path, data, place, (int.from_bytes(data[place : place + 4], "big") + 600).to_bytes(4, "big"))
    cache.fill([path])
    expected = read_segment(path, RATE, RATE, 0.0)
    np.testing.assert_allclose(read(cache, path, RATE, 0.0), expected, rtol=0, atol=2**-15)
