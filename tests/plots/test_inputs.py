"""Pictures of inputs: what the axes say, and that the values on them are those of librosa."""

import re
from itertools import pairwise
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import torch
from matplotlib.collections import QuadMesh
from torch import nn

from genre.data import MFCC, Feature, MelSpectrogram, Spectrogram, Track
from genre.data.files import BadFiles
from genre.plots.inputs import INPUTS, Clip, describe_number, draw_clips, plot_track, plot_tracks, read_clip
from genre.plots.spectrogram import features_of, limits, row_centres
from genre.predictor import Predictor
from genre.serve.song import draw_hertz

from ..conftest import tone

RATE = 22050


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    path = tmp_path / "song.wav"
    soundfile.write(path, tone(3, 1, 4.0), RATE, subtype="FLOAT")
    return read_clip(Track(path, "blues"), MelSpectrogram(), 30.0)


def mesh_of(axes: object) -> QuadMesh:
    return next(artist for artist in axes.collections if isinstance(artist, QuadMesh))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "feature",
    [
        MelSpectrogram(n_mels=40, n_fft=1024, hop_length=256, f_min=50.0, f_max=8000.0, mean=3.0, std=7.0),
        Spectrogram(n_fft=1024, hop_length=256),
        MFCC(n_mfcc=13, n_mels=40, n_fft=1024, hop_length=256, f_min=50.0, f_max=8000.0),
    ],
    ids=lambda feature: type(feature).__name__,
)
def test_others_take_the_arguments_of_the_recipe(feature: Feature, clip: Clip) -> None:
    features = features_of(feature)
    assert [type(entry) for entry in features.values()] == [Spectrogram, MelSpectrogram, MFCC]
    for entry in features.values():
        assert (entry.sample_rate, entry.n_fft, entry.hop_length, entry.mean, entry.std) == (RATE, 1024, 256, 0.0, 1.0)
    if not isinstance(feature, Spectrogram):
        power = librosa.feature.melspectrogram(
            y=clip.waveform.numpy(),
            sr=RATE,
            n_fft=1024,
            hop_length=256,
            n_mels=40,
            fmin=50,
            fmax=8000,
            pad_mode="reflect",
        )
        expected = librosa.power_to_db(power, top_db=80.0)
        np.testing.assert_allclose(features["mel"](clip.waveform).numpy(), expected, atol=1e-3)


def test_a_feature_of_the_users_own_gets_defaults() -> None:
    class Own(Feature):
        def transform(self, waveform):  # type: ignore[no-untyped-def]
            return waveform[:, None]

    mel = features_of(Own(16000, 0.0, 1.0))["mel"]
    assert (mel.sample_rate, mel.n_fft, mel.n_mels) == (16000, 2048, 128)
    assert features_of(Spectrogram(n_fft=200, hop_length=100))["mfcc"].n_mfcc == 20


def test_track_is_on_axes_in_seconds_and_hertz(clip: Clip) -> None:
    feature = MelSpectrogram(n_mels=64)
    figure = plot_track(clip, feature)
    figure.canvas.draw()
    waveform, spectrogram, mel, mfcc, *bars = figure.axes
    assert figure.get_suptitle() == "song.wav, blues"
    assert [axes.get_ylabel().replace("\n", " ") for axes in (waveform, spectrogram, mel, mfcc)] == [
        "amplitude (full scale = 1)",
        "frequency in hertz",
        "frequency in hertz (mel scale)",
        "coefficient (number)",
    ]
    assert mfcc.get_xlabel() == "time in seconds"
    assert mfcc.get_xlim() == waveform.get_xlim() == pytest.approx((0, 4))
    assert [bar.get_ylabel() for bar in bars] == ["power in decibels"] * 2 + ["coefficient in decibels"]

    values = mesh_of(spectrogram).get_array()
    assert values is not None
    expected = librosa.power_to_db(np.abs(librosa.stft(clip.waveform.numpy(), pad_mode="reflect")) ** 2, top_db=80.0)
    np.testing.assert_allclose(values, expected, atol=0.01)
    # The loudest bin is drawn at the frequency that it stands for, and the last frame at its second.
    corners = np.asarray(mesh_of(spectrogram).get_coordinates())
    row = values.mean(1).argmax()
    hertz = librosa.fft_frequencies(sr=RATE, n_fft=2048)[row]
    assert corners[row, 0, 1] < hertz < corners[row + 1, 0, 1]
    assert corners[0, -2, 0] < (values.shape[1] - 1) * 512 / RATE < corners[0, -1, 0]

    corners = np.asarray(mesh_of(mel).get_coordinates())
    centres = librosa.mel_frequencies(66, fmin=0, fmax=RATE / 2)[1:-1]
    assert ((corners[:-1, 0, 1] < centres) & (centres < corners[1:, 0, 1])).all()
    assert np.asarray(mesh_of(mfcc).get_array()).shape[0] == 20


def test_excerpt_stands_at_its_seconds(clip: Clip) -> None:
    excerpt = read_clip(Track(clip.track.path, "blues", excerpt=(1.0, 3.0)), MelSpectrogram(), 30.0)
    assert (excerpt.start, len(excerpt.waveform)) == (1.0, 2 * RATE)
    axes = plot_track(excerpt, MelSpectrogram()).axes[1]
    assert axes.get_xlim() == pytest.approx((1, 3))
    middle = read_clip(clip.track, MelSpectrogram(), 1.0, 0.5)
    assert middle.start == pytest.approx(1.5)
    np.testing.assert_array_equal(middle.waveform, clip.waveform[round(1.5 * RATE) : round(2.5 * RATE)])


def test_tiny_and_short_tracks_are_drawn(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tiny.wav", tone(0, 0, 0.01), RATE)
    clip = read_clip(Track(tmp_path / "tiny.wav", "blues"), MelSpectrogram(), 3.0)
    assert len(clip.waveform) == 2048
    plot_track(clip, MelSpectrogram())


@pytest.mark.parametrize("name", INPUTS)
def test_sheet_has_a_row_per_genre(name: str, gtzan: Path) -> None:
    files = sorted(gtzan.rglob("*.wav"))
    tracks = [Track(path, path.parent.name) for path in files if path.parent.name in ("blues", "jazz", "rock")]
    tracks = tracks[: 8 + 8 + 1]  # one rock track alone
    feature = MelSpectrogram(n_mels=32, n_fft=512, hop_length=256)
    clips = draw_clips(tracks, feature, 2, 3.0, seed=1, bad_files=BadFiles())
    assert {genre: len(found) for genre, found in clips.items()} == {"blues": 2, "jazz": 2, "rock": 1}
    figure = plot_tracks(clips, feature, name)  # type: ignore[arg-type]
    figure.canvas.draw()
    grid = np.array(figure.axes[:6]).reshape(3, 2)
    assert [row[0].get_ylabel() for row in grid] == ["blues", "jazz", "rock"]
    assert [axes.get_title() for axes in grid.flat[:5]] == [c.track.name for found in clips.values() for c in found]
    assert not grid[2, 1].axison
    assert figure.get_supxlabel().startswith("time in seconds")
    assert figure.get_supylabel().split()[0] == {"waveform": "amplitude", "mfcc": "coefficient"}.get(name, "frequency")
    longest = max(len(clip.waveform) for found in clips.values() for clip in found) / RATE
    assert grid[0, 0].get_xlim() == pytest.approx((0, longest))
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in grid.flat[:5]}) == 1
    if name != "waveform":
        assert figure.axes[6].get_ylabel().endswith("in decibels")
        assert len({mesh_of(axes).get_clim() for axes in grid.flat[:5]}) == 1


def test_sheet_of_many_columns_stays_legible(tmp_path: Path) -> None:
    names = [f"{number:02d} a song that has a very long name, part {number}" for number in range(8)]
    clips = {"jazz": [Clip(Track(tmp_path / f"{name}.wav", "jazz"), torch.zeros(3 * RATE)) for name in names]}
    clips["rock"] = clips["jazz"][:5]
    figure = plot_tracks(clips, MelSpectrogram(), "waveform")
    figure.canvas.draw()
    assert str(figure.get_suptitle()).startswith("Waveform of 5 to 8 random tracks per genre:")
    row = figure.axes[:8]
    assert len({axes.get_title() for axes in row}) == 8
    titles = [axes.title.get_window_extent() for axes in row]
    assert all(left.x1 < right.x0 for left, right in pairwise(titles))
    ticks = [
        label.get_window_extent()
        for axes in figure.axes[8:13]
        for label in axes.get_xticklabels()
        if 0 <= label.get_position()[0] <= 3
    ]
    assert len(ticks) >= 10
    assert all(left.x1 < right.x0 for left, right in pairwise(ticks))


@pytest.mark.parametrize(
    ("numbers", "text"), [((3, 3), "3 random tracks"), ((1, 4), "1 to 4 random tracks"), ((1, 1), "1 random track")]
)
def test_the_number_drawn_is_said(numbers: tuple[int, int], text: str, clip: Clip) -> None:
    assert describe_number({str(place): [clip] * number for place, number in enumerate(numbers)}) == f"{text} per genre"


def test_drawing_is_random_repeatable_and_passes_over_bad_files(folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio")
    tracks = [Track(path, path.parts[-3]) for path in sorted(folder.rglob("*.wav"))]
    feature = MelSpectrogram()

    def names(seed: int, bad_files: BadFiles) -> list[list[str]]:
        with_bad = [*tracks, Track(bad, "genre0")]
        return [
            [c.track.name for c in found] for found in draw_clips(with_bad, feature, 8, 0.5, seed, bad_files).values()
        ]

    bad_files = BadFiles()
    first = names(0, bad_files)
    assert first == names(0, BadFiles())
    assert first != names(1, BadFiles())
    assert sorted(first[0]) == [f"song{number}" for number in range(8)]
    assert list(bad_files) in ([bad], [])


def test_colour_scale_of_mfcc_leaves_out_the_loudness() -> None:
    values = np.concatenate([np.full((1, 50), -500.0), np.random.default_rng(0).normal(0, 10, (12, 50))]).astype(
        np.float32
    )
    low, high = limits("mfcc", values)
    assert low == -high
    assert 20 < high < 40


def sine(hertz: float) -> torch.Tensor:
    return torch.sin(2 * torch.pi * hertz * torch.arange(RATE) / RATE)


@pytest.mark.parametrize(
    "feature",
    [
        MelSpectrogram(n_mels=40, n_fft=4096, f_min=50.0, f_max=8000.0),
        MelSpectrogram(n_mels=40, n_fft=4096, mel_scale="htk"),
        Spectrogram(n_fft=256),
    ],
    ids=["slaney", "htk", "linear"],
)
def test_a_tone_is_loudest_in_the_row_of_its_frequency(feature: Feature) -> None:
    """On the axes of pictures, and on the labels of the web page."""
    rows = len(feature.decibels(sine(500.0)))
    centres = row_centres(feature, rows)
    for row in (4, 17, 38):
        assert int(feature.decibels(sine(centres[row])).mean(-1).argmax()) == row
    if isinstance(feature, MelSpectrogram):
        labels = re.findall(r'bottom:([\d.]+)%">(\d+) Hz', draw_hertz(Predictor(nn.Identity(), feature, [], 1.0, 1)))
        assert len(labels) == 3
        for height, hertz in labels:
            row = int(feature.decibels(sine(float(hertz))).mean(-1).argmax())
            assert row <= rows * float(height) / 100 <= row + 1
