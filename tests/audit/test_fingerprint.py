from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from genre.audit.duplicates import Candidate, Pair, find_candidates, find_pairs, group, measure_likeness
from genre.audit.faults import Examined, Limits, examine
from genre.audit.fingerprint import HOP_LENGTH, SAMPLE_RATE, Fingerprint, Fingerprinter, bit_error_rate
from genre.data.synthesis import STYLES, render_track
from genre.data.track import Track

RATE = 22050


def music(genre: str = "metal", track: int = 0, seconds: float = 5.0, artist: int = 0) -> NDArray[np.float32]:
    return 0.5 * render_track(genre, artist, track, seed=5, seconds=seconds, sample_rate=RATE)


def fingerprint(wave: NDArray[np.float32], rate: int = RATE, block: int = 1 << 18) -> Fingerprint:
    fingerprinter = Fingerprinter(rate)
    for start in range(0, len(wave), block):
        fingerprinter.push(wave[start : start + block])
    return fingerprinter.finish()


def write_and_examine(path: Path, wave: NDArray[np.float32], rate: int = RATE) -> Examined:
    soundfile.write(path, wave, rate)
    return examine(Track(path, "genre"), Limits())


class TestFingerprint:
    @pytest.mark.parametrize("block", [100, 3001, 40000])
    def test_does_not_depend_on_the_blocks(self, block: int) -> None:
        wave = music(seconds=2.0)
        whole, parts = fingerprint(wave), fingerprint(wave, block=block)
        assert len(whole) == len(parts)
        assert bit_error_rate(whole, parts) < 0.001

    @pytest.mark.parametrize("seconds", [0.0, 0.01, 0.3, 0.45, 3.0])
    def test_has_one_sub_fingerprint_per_hop(self, seconds: float) -> None:
        frames = round(seconds * SAMPLE_RATE) - 2048
        expected = max(0, frames // HOP_LENGTH + 1 - 4)
        assert abs(len(fingerprint(music(seconds=3.0)[: round(seconds * RATE)])) - expected) <= 1

    def test_silence_is_marked(self) -> None:
        wave = np.concatenate([np.zeros(3 * RATE, np.float32), music(seconds=2.0)])
        codes = fingerprint(wave)
        assert not codes[:140].any()
        assert np.count_nonzero(codes[200:]) > 80
        assert find_candidates([codes[:140], codes[:140]]) == []

    @pytest.mark.parametrize("rate", [8000, 44100, 96000])
    def test_is_the_same_at_another_rate_and_level(self, rate: int) -> None:
        wave = music()
        other = fingerprint(0.1 * soxr.resample(wave, RATE, rate), rate)
        codes = fingerprint(wave)
        length = min(len(codes), len(other))
        assert bit_error_rate(codes[:length], other[:length]) < 0.05

    def test_of_different_tracks_differs_in_half_of_the_bits(self) -> None:
        codes = [fingerprint(music(genre)) for genre in STYLES]
        rates = [bit_error_rate(one, other) for i, one in enumerate(codes) for other in codes[:i]]
        assert min(rates) > 0.35


class TestCandidates:
    def test_offset(self) -> None:
        codes = fingerprint(music())
        assert find_candidates([codes[40:], fingerprint(music("disco")), codes]) == [Candidate(0, 2, -40)]
        assert find_candidates([codes, codes[40:]]) == [Candidate(0, 1, 40)]

    def test_nothing_to_compare(self) -> None:
        assert find_candidates([]) == []
        assert find_candidates([np.zeros(0, np.uint32)] * 3) == []

    def test_a_stretch_of_two_seconds_is_enough(self) -> None:
        codes = fingerprint(music(seconds=10.0))
        assert find_candidates([codes[:300], codes[200:]]) == [Candidate(0, 1, 200)]

    def test_many_copies_hang_together(self) -> None:
        codes = fingerprint(music())
        found = find_candidates([codes[place:] for place in range(60)])
        assert {member for candidate in found for member in candidate[:2]} == set(range(60))
        assert len(found) < 60 * 59 / 2  # not every two are compared


class TestCorrelation:
    @pytest.mark.parametrize("offset", [0.0, 1.003, -0.75])
    def test_aligns_to_the_sample_and_measures_the_level(self, tmp_path: Path, offset: float) -> None:
        wave = music(seconds=6.0)
        cut = round(abs(offset) * RATE)
        one, other = (wave, 0.25 * wave[cut:]) if offset >= 0 else (wave[cut:], 0.25 * wave)
        files = [write_and_examine(tmp_path / "one.wav", one), write_and_examine(tmp_path / "other.wav", other)]
        seconds = files[0].seconds, files[1].seconds
        likeness = measure_likeness(files[0].track.path, files[1].track.path, seconds, offset + 0.013)
        assert likeness.correlation > 0.98  # half a sample is left
        assert likeness.offset == pytest.approx(offset, abs=2e-4)
        assert likeness.overlap == pytest.approx(6 - abs(offset), abs=0.03)
        assert likeness.level == pytest.approx(-12.04, abs=0.1)

    def test_of_different_tracks_is_low(self, tmp_path: Path) -> None:
        files = [write_and_examine(tmp_path / f"{genre}.wav", music(genre)) for genre in ("metal", "disco")]
        assert measure_likeness(files[0].track.path, files[1].track.path, (5.0, 5.0), 0.0).correlation < 0.4

    def test_of_silence_is_none(self, tmp_path: Path) -> None:
        files = [write_and_examine(tmp_path / f"{name}.wav", np.zeros(5 * RATE, np.float32)) for name in "ab"]
        assert measure_likeness(files[0].track.path, files[1].track.path, (5.0, 5.0), 0.0).correlation == 0


class TestPairs:
    def test_a_shared_loop_makes_no_pair(self, tmp_path: Path) -> None:
        """The same two bars under different lead voices that are as loud."""
        loop = np.tile(music("disco", seconds=4.0), 3)
        voices = [music(genre, seconds=12.0) for genre in ("blues", "metal")]
        tracks = [
            write_and_examine(tmp_path / f"{number}.wav", 0.4 * (loop / loop.std() + voice / voice.std()) / 4)
            for number, voice in enumerate(voices)
        ]
        assert find_pairs(tracks) == []

    def test_no_pair_in_the_synthetic_music_of_one_artist(self, tmp_path: Path) -> None:
        """It is made of the same sounds at the same tempo."""
        tracks = [
            write_and_examine(tmp_path / f"{genre}{number}.wav", music(genre, number, 4.0))
            for genre in ("techno", "waltz", "bossa")
            for number in range(6)
        ]
        assert find_pairs(tracks) == []

    def test_copies_of_copies_are_one_recording(self, tmp_path: Path) -> None:
        wave = music(seconds=8.0)
        waves = {"a": wave, "b": wave, "c": wave[RATE:], "d": wave[2 * RATE :], "x": music("blues")}
        tracks = {name: write_and_examine(tmp_path / f"{name}.wav", wave) for name, wave in waves.items()}
        pairs = find_pairs(tracks.values())
        assert sorted(pair.kind for pair in pairs) == ["exact", "near", "near", "near"]
        (recording,) = group(pairs)
        assert {copy.track.name for copy in recording} == {"a", "b", "c", "d"}
        assert group([]) == []


def copy(path: Path, source: Path, random: np.random.Generator) -> tuple[Path, float]:
    """A copy cut at another offset, re-encoded as mp3 of 64 kbit/s, and 6 dB softer; and the offset."""
    wave, rate = soundfile.read(source, dtype="float32")
    cut = int(random.uniform(0.1, 1.0) * (len(wave) - 2 * rate))
    soundfile.write(path, 0.5012 * wave[cut:], rate, format="MP3", bitrate_mode="CONSTANT", compression_level=0.6)
    assert path.stat().st_size * 8 / ((len(wave) - cut) / rate) == pytest.approx(64000, rel=0.1)
    return path, cut / rate


def test_real_music_and_its_copies(gtzan_mini: Path, tmp_path: Path) -> None:
    """Of 368 tracks of different recordings and 30 copies, of down to 2 s, just these 30 pairs are found."""
    sources = sorted(gtzan_mini.rglob("*.wav"))
    random = np.random.default_rng(0)
    picked = random.choice(len(sources), 30, replace=False)
    copies = {}
    for number in picked:
        path, offset = copy(tmp_path / f"{sources[number].stem}.mp3", sources[number], random)
        copies[path] = sources[number], offset
    tracks = [examine(Track(path, path.parent.name), Limits()) for path in (*sources, *copies)]
    assert not [examined.track.name for examined in tracks if examined.faults]
    pairs: dict[Path, Pair] = {pair.other.track.path: pair for pair in find_pairs(tracks)}
    assert set(pairs) == set(copies)
    for path, (source, offset) in copies.items():
        assert pairs[path].one.track.path == source
        assert pairs[path].likeness.correlation > 0.85
        assert pairs[path].likeness.offset == pytest.approx(offset, abs=0.002)
        assert pairs[path].likeness.level == pytest.approx(-6, abs=0.7)
