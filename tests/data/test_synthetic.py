import csv
import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from genre.data import synthetic
from genre.data.synthesis import STYLES, draw_artist, render_track
from genre.data.synthetic import write_corpus

RATE = 22050


def write_small(root: Path, seed: int = 0) -> None:
    genres = ("waltz", "dub", "metal")
    write_corpus(root, seed, tracks_per_genre=3, artists_per_genre=2, seconds=0.5, genres=genres)


def contents(root: Path) -> dict[str, bytes]:
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def onsets_per_second(genre: str) -> float:
    tracks = [render_track(genre, artist, 0, 0, 4.0, RATE) for artist in range(5)]
    return float(np.mean([len(librosa.onset.onset_detect(y=track, sr=RATE)) / 4 for track in tracks]))


def measured_tuning(track: NDArray[np.float32]) -> float:
    """Mean distance in cents, on the circle of a semitone, of the spectrum's peaks from A = 440 Hz."""
    size = 4 * len(track)
    power = np.abs(np.fft.rfft(track * np.hanning(len(track)), size)) ** 2
    peaks = np.flatnonzero((power[1:-1] > power[:-2]) & (power[1:-1] > power[2:])) + 1
    hertz = peaks * RATE / size
    heard = (hertz > 150) & (hertz < 1000)
    semitones = 12 * np.log2(hertz[heard] / 440)
    return float(np.angle(np.sum(power[peaks[heard]] * np.exp(2j * np.pi * semitones))) / (2 * np.pi) * 100)


class TestFolder:
    def test_same_seed_gives_same_bytes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_small(tmp_path / "one")
        monkeypatch.setattr("os.cpu_count", lambda: 1)
        write_small(tmp_path / "two")
        assert contents(tmp_path / "one") == contents(tmp_path / "two")

    def test_other_seed_gives_other_sound(self, tmp_path: Path) -> None:
        write_small(tmp_path / "one", seed=0)
        write_small(tmp_path / "two", seed=1)
        one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
        assert one.keys() == two.keys()
        assert not any(one[name] == two[name] for name in one if name.endswith(".wav"))

    def test_layout(self, tmp_path: Path) -> None:
        write_small(tmp_path / "deep" / "corpus")
        root = tmp_path / "deep" / "corpus"
        with (root / "tracks.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 9
        assert list(rows[0]) == ["path", "genre", "artist"]
        assert rows[0] == {"path": "dub/dub.0.00.wav", "genre": "dub", "artist": "dub-0"}
        paths = [row["path"] for row in rows]
        assert paths == sorted(paths)
        assert contents(root).keys() == {*paths, "tracks.csv", "corpus.json"}
        assert [entry.name for entry in root.parent.iterdir()] == ["corpus"]  # nothing temporary is left

    def test_files_hold_the_rendered_track(self, tmp_path: Path) -> None:
        write_small(tmp_path)
        info = soundfile.info(tmp_path / "waltz" / "waltz.0.01.wav")
        assert (info.samplerate, info.channels, info.frames, info.subtype) == (RATE, 1, RATE // 2, "PCM_16")
        read, _ = soundfile.read(tmp_path / "waltz" / "waltz.0.01.wav")
        assert read == pytest.approx(render_track("waltz", 0, 1, 0, 0.5, RATE), abs=1e-4)

    def test_finished_corpus_is_reused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_small(tmp_path)
        before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
        monkeypatch.setattr(synthetic, "render_track", None)  # calling it would fail
        write_small(tmp_path)
        assert before == {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}

    def test_interrupted_rendering_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(genre: str, *numbers: object) -> NDArray[np.float32]:
            if genre == "waltz":
                raise KeyboardInterrupt
            return render_track(genre, *numbers)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(synthetic, "render_track", interrupted)
            with pytest.raises(KeyboardInterrupt):
                write_small(tmp_path / "corpus")
        assert not list(tmp_path.iterdir())
        write_small(tmp_path / "corpus")
        assert (tmp_path / "corpus" / "corpus.json").exists()

    def test_corpus_that_another_process_finished_first_is_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish = synthetic._publish

        def overtaken(*arguments: object) -> None:
            publish(*arguments)  # type: ignore[arg-type]
            publish(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(synthetic, "_publish", overtaken)
        write_small(tmp_path / "corpus")
        assert [entry.name for entry in tmp_path.iterdir()] == ["corpus"]

    def test_foreign_folder_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "song.wav").write_bytes(b"mine")
        with pytest.raises(FileExistsError, match=r"no corpus\.json.*choose another folder"):
            write_small(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["song.wav"]

    def test_other_parameters_are_refused(self, tmp_path: Path) -> None:
        write_small(tmp_path, seed=1)
        with pytest.raises(FileExistsError, match=r"seed 1, not 0\)"):
            write_small(tmp_path, seed=0)

    @pytest.mark.parametrize("text", ["", "[]", "{}", "3"])
    def test_damaged_description_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "corpus.json").write_text(text)
        with pytest.raises(FileExistsError):
            write_small(tmp_path)

    def test_older_format_is_refused(self, tmp_path: Path) -> None:
        write_small(tmp_path)
        description = json.loads((tmp_path / "corpus.json").read_text())
        (tmp_path / "corpus.json").write_text(json.dumps({**description, "format": 0}))
        with pytest.raises(FileExistsError, match="format 0"):
            write_small(tmp_path)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"seed": -1},
            {"artists_per_genre": 0},
            {"tracks_per_genre": 4},
            {"seconds": 0.0},
            {"sample_rate": 4000},
            {"genres": ()},
            {"genres": ("polka",)},
        ],
    )
    def test_parameters_out_of_range(self, tmp_path: Path, wrong: dict[str, object]) -> None:
        with pytest.raises(ValueError, match=r"need|choose from"):
            write_corpus(tmp_path / "corpus", **wrong)  # type: ignore[arg-type]
        assert not list(tmp_path.iterdir())


class TestSound:
    @pytest.mark.parametrize("genre", STYLES)
    def test_is_sane(self, genre: str) -> None:
        for artist in range(6):
            track = render_track(genre, artist, 1, 3, 2.0, RATE)
            assert track.dtype == np.float32
            assert track.shape == (2 * RATE,)
            assert np.isfinite(track).all()
            assert 0.2 < np.abs(track).max() < 0.96
            assert 0.01 < track.std() < 0.5
            assert abs(track.mean()) < 0.02

    @pytest.mark.parametrize(("seconds", "rate"), [(0.001, 22050), (0.7, 8000), (0.7, 44100), (9.0, 16000)])
    def test_any_length_and_rate(self, seconds: float, rate: int) -> None:
        track = render_track("dub", 0, 0, 0, seconds, rate)
        assert track.shape == (round(seconds * rate),)
        assert np.isfinite(track).all()

    def test_depends_on_each_argument(self) -> None:
        base = render_track("disco", 0, 0, 0, 1.0, RATE)
        others = [("techno", 0, 0, 0), ("disco", 1, 0, 0), ("disco", 0, 1, 0), ("disco", 0, 0, 1)]
        assert not any(np.array_equal(base, render_track(*other, 1.0, RATE)) for other in others)

    @pytest.mark.parametrize("genre", STYLES)
    def test_style_is_well_formed(self, genre: str) -> None:
        style = STYLES[genre]
        assert style.tempo[0] < style.tempo[1]
        assert len(style.chord) in (3, 4)
        assert style.chord[0] == 0
        hits = [*style.drums, style.bass[0], style.chords[0], style.lead[0]]
        assert all(0 <= count <= style.bar for count in hits)  # no more than one per step
        assert any(hits)
        assert all(0 <= root < 12 for root in style.roots)

    @pytest.mark.parametrize("genre", ["blues", "dub", "waltz"])
    def test_artist_keeps_a_tuning(self, genre: str) -> None:
        for artist in range(3):
            error = measured_tuning(render_track(genre, artist, 0, 0, 8.0, RATE)) - draw_artist(genre, artist, 0).tuning
            assert abs((error + 50) % 100 - 50) < 5

    def test_artists_of_a_genre_lie_apart(self) -> None:
        for genre in STYLES:
            tilts = sorted(draw_artist(genre, artist, 0).tilt for artist in range(5))
            fifths = [int((tilt + 3) / 6 * 5) for tilt in tilts]
            assert fifths == [0, 1, 2, 3, 4]

    def test_fast_genres_have_more_onsets_than_slow_ones(self) -> None:
        assert onsets_per_second("jungle") > 1.5 * onsets_per_second("ambient")

    def test_dub_has_more_bass_than_metal(self) -> None:
        def bass(genre: str) -> float:
            tracks = np.array([render_track(genre, artist, 0, 0, 2.0, RATE) for artist in range(5)])
            power = np.abs(np.fft.rfft(tracks)) ** 2
            return float(np.mean(power[:, :240].sum(axis=1) / power.sum(axis=1)))  # below 120 Hz

        assert bass("dub") > 1.3 * bass("metal")


def test_random_split_scores_higher_than_one_by_artist() -> None:
    keys = [
        (genre, artist, track)
        for genre in ("blues", "disco", "jungle", "techno")
        for artist in range(5)
        for track in range(6)
    ]
    features = []
    for key in keys:
        mfcc = librosa.feature.mfcc(y=render_track(*key, 0, 2.0, RATE), sr=RATE, n_mfcc=20)
        features.append(np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)]))
    genres = [key[0] for key in keys]
    artists = [f"{key[0]}-{key[1]}" for key in keys]
    classifier = make_pipeline(StandardScaler(), SVC(C=10))
    random = cross_val_score(classifier, features, genres, cv=StratifiedKFold(5, shuffle=True, random_state=0)).mean()
    grouped = cross_val_score(classifier, features, genres, groups=artists, cv=StratifiedGroupKFold(5)).mean()
    assert random > 0.75
    assert grouped < random - 0.1
