import json
import re
from collections.abc import Callable
from typing import Any

import librosa
import numpy as np
import pytest
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor

from genre.audio.features import Feature, MelSpectrogram, Spectrogram
from genre.audio.mfcc import MFCC
from genre.config import from_config, to_config
from genre.errors import GenreError

pytestmark = pytest.mark.filterwarnings("ignore:.*mel filterbank", "ignore:Empty filters")

RATE = 22050

#: n_fft, win_length, hop_length.
FRAMES = [(2048, None, 512), (1024, 800, 256), (400, None, 200), (512, 400, None)]

#: n_mels, norm, mel_scale, f_min, f_max.
BANKS: list[tuple[int, Any, Any, float, float | None]] = [
    (128, "slaney", "slaney", 0.0, None),
    (128, None, "slaney", 50.0, 7000.0),
    (40, "slaney", "htk", 50.0, None),
    (64, None, "htk", 0.0, 7000.0),
]

FEATURES = [Spectrogram, MelSpectrogram, MFCC]
Kind = Callable[..., Feature]


def sweep(sample_rate: int = RATE, samples: int | None = None, seed: int = 0) -> NDArray[np.float32]:
    """A fading sweep over all frequencies with a little noise: loud and quiet frames, all bands."""
    time = np.arange(samples or sample_rate) / sample_rate
    phase = 2 * np.pi * (100 * time + (0.45 * sample_rate - 100) / 2 * time**2 / time[-1])
    random = np.random.default_rng(seed)
    wave: NDArray[np.float64] = 0.5 * np.sin(phase) * np.exp(-2 * time) + 0.01 * random.standard_normal(len(time))
    return wave.astype(np.float32)


def plain(kind: Kind, **arguments: Any) -> Feature:
    """The feature without normalisation."""
    return kind(mean=0, std=1, **arguments)


def assert_equal(found: Tensor, expected: NDArray[np.float32]) -> None:
    """Equal within 1e-4: as a whole, and at every point in proportion to the range of the values."""
    assert found.shape == expected.shape
    error = found.numpy() - expected
    assert np.linalg.norm(error) <= 1e-4 * np.linalg.norm(expected)
    assert np.abs(error).max() <= 1e-4 * np.ptp(expected)


def librosa_mel(wave: NDArray[np.float32], sample_rate: int, frames: Any, bank: Any) -> NDArray[np.float32]:
    """Librosa's power mel spectrogram."""
    (n_fft, win_length, hop_length), (n_mels, norm, mel_scale, f_min, f_max) = frames, bank
    mel: NDArray[np.float32] = librosa.feature.melspectrogram(
        y=wave,
        sr=sample_rate,
        n_fft=n_fft,
        win_length=win_length,
        hop_length=hop_length or (win_length or n_fft) // 2,
        n_mels=n_mels,
        norm=norm,
        htk=mel_scale == "htk",
        fmin=f_min,
        fmax=f_max,
        pad_mode="reflect",
    )
    return mel


def arguments(sample_rate: int, frames: Any, bank: Any, top_db: float | None) -> dict[str, Any]:
    """What librosa_mel is given, by the names of our features."""
    names = ("n_fft", "win_length", "hop_length", "n_mels", "norm", "mel_scale", "f_min", "f_max")
    return {"sample_rate": sample_rate, "top_db": top_db, **dict(zip(names, (*frames, *bank), strict=True))}


class TestAgainstLibrosa:
    @pytest.mark.parametrize("top_db", [80.0, None])
    @pytest.mark.parametrize("bank", BANKS)
    @pytest.mark.parametrize("frames", FRAMES)
    @pytest.mark.parametrize("sample_rate", [16000, RATE])
    def test_mel(self, sample_rate: int, frames: Any, bank: Any, top_db: float | None) -> None:
        wave = sweep(sample_rate)
        expected = librosa.power_to_db(librosa_mel(wave, sample_rate, frames, bank), top_db=top_db)
        feature = plain(MelSpectrogram, **arguments(sample_rate, frames, bank, top_db))
        assert_equal(feature(torch.from_numpy(wave)), expected)

    @pytest.mark.parametrize("n_mfcc", [13, 20, 40])
    @pytest.mark.parametrize("top_db", [80.0, None])
    @pytest.mark.parametrize("bank", BANKS)
    @pytest.mark.parametrize("frames", FRAMES)
    def test_mfcc(self, frames: Any, bank: Any, top_db: float | None, n_mfcc: int) -> None:
        wave = sweep()
        decibels = librosa.power_to_db(librosa_mel(wave, RATE, frames, bank), top_db=top_db)
        expected = librosa.feature.mfcc(S=decibels, n_mfcc=n_mfcc)
        feature = plain(MFCC, n_mfcc=n_mfcc, **arguments(RATE, frames, bank, top_db))
        found = feature(torch.from_numpy(wave))
        assert_equal(found, expected)
        for row, expected_row in zip(found, expected, strict=True):  # the first is far larger than the last
            assert np.abs(row.numpy() - expected_row).max() <= 1e-3 * np.ptp(expected_row)

    @pytest.mark.parametrize("kind", [MelSpectrogram, MFCC])
    @pytest.mark.parametrize(("sample_rate", "frames"), [(11025, (2048, None, 512)), (RATE, (441, None, 220))])
    def test_odd_sample_rate_and_odd_frame(self, kind: Kind, sample_rate: int, frames: Any) -> None:
        wave, bank = sweep(sample_rate), (64, "slaney", "slaney", 0.0, None)
        expected = librosa.power_to_db(librosa_mel(wave, sample_rate, frames, bank))
        if kind is MFCC:
            expected = librosa.feature.mfcc(S=expected, n_mfcc=20)
        assert_equal(plain(kind, **arguments(sample_rate, frames, bank, 80.0))(torch.from_numpy(wave)), expected)

    @pytest.mark.parametrize("top_db", [80.0, 40.0, None])
    @pytest.mark.parametrize("frames", [*FRAMES, (441, None, 220)])
    def test_spectrogram(self, frames: Any, top_db: float | None) -> None:
        n_fft, win_length, hop_length = frames
        wave = sweep()
        spectrum = librosa.stft(
            wave,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length or (win_length or n_fft) // 2,
            pad_mode="reflect",
        )
        expected = librosa.power_to_db(np.abs(spectrum) ** 2, top_db=top_db)
        feature = plain(Spectrogram, n_fft=n_fft, win_length=win_length, hop_length=hop_length, top_db=top_db)
        found = feature(torch.from_numpy(wave))
        if top_db is None:  # a single bin 100 dB below the loudest is made of rounding errors
            assert expected.min() < expected.max() - 95
            found, expected = found.clamp(min=expected.max() - 80), expected.clip(min=expected.max() - 80)
        assert_equal(found, expected)


class TestAgainstTorchaudio:
    @pytest.mark.parametrize("frames", FRAMES)
    def test_mel(self, frames: tuple[int, int | None, int | None]) -> None:
        wave = torch.from_numpy(sweep())
        mel = torchaudio.transforms.MelSpectrogram(RATE, *frames, n_mels=64)(wave)
        expected = torchaudio.transforms.AmplitudeToDB("power", top_db=80.0)(mel)
        bank = (64, None, "htk", 0.0, None)
        assert_equal(plain(MelSpectrogram, **arguments(RATE, frames, bank, 80.0))(wave), expected.numpy())

    @pytest.mark.parametrize(("samples", "frames"), [(66150, 331), (661500, 3308)])
    def test_default_mfcc(self, samples: int, frames: int) -> None:
        wave = torch.from_numpy(sweep(samples=samples))
        expected = torchaudio.transforms.MFCC(sample_rate=RATE)(wave)
        bank = (128, None, "htk", 0.0, None)
        found = plain(MFCC, n_mfcc=40, **arguments(RATE, (400, None, None), bank, 80.0))(wave)
        assert found.shape == (40, frames)
        assert_equal(found, expected.numpy())


@pytest.mark.parametrize("kind", FEATURES)
class TestShapesAndTypes:
    @pytest.mark.parametrize("shape", [(), (2,), (2, 1), (2, 3), (1, 2, 2)])
    def test_any_leading_shape(self, kind: Kind, shape: tuple[int, ...]) -> None:
        feature = plain(kind)
        waves = torch.stack([torch.from_numpy(sweep(samples=4000, seed=seed)) for seed in range(int(np.prod(shape)))])
        found = feature(waves.reshape(*shape, 4000))
        assert found.shape == (*shape, *feature(waves[0]).shape)
        for clip, wave in zip(found.reshape(-1, *found.shape[-2:]), waves, strict=True):
            assert torch.equal(clip, feature(wave))

    @pytest.mark.parametrize("method", ["forward", "transform"])
    def test_clip_does_not_depend_on_louder_neighbours(self, kind: Kind, method: str) -> None:
        """Of ``transform`` too, which gets a whole batch at once on a GPU."""
        compute: Callable[[Tensor], Tensor] = getattr(plain(kind), method)
        quiet, loud = 1e-3 * torch.from_numpy(sweep(seed=1)), torch.from_numpy(sweep(seed=2))
        alone, among = compute(quiet[None])[0], compute(torch.stack([loud, quiet, 100 * loud]))[1]
        assert torch.equal(alone, among)
        assert alone.std() > 1

    def test_float32_under_autocast(self, kind: Kind) -> None:
        feature, wave = plain(kind), torch.from_numpy(sweep())[None]
        with torch.autocast("cpu", torch.bfloat16):
            assert (wave @ wave.T).dtype == torch.bfloat16  # it is on
            found = feature(wave)
        assert found.dtype == torch.float32
        assert torch.equal(found, feature(wave))

    @pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
    def test_float32_from_other_types(self, kind: Kind, dtype: torch.dtype) -> None:
        feature, wave = plain(kind), torch.from_numpy(sweep()).to(dtype)
        assert torch.equal(feature(wave), feature(wave.float()))

    def test_silence_is_finite(self, kind: Kind) -> None:
        silence = torch.zeros(1, RATE)
        assert plain(kind)(silence).isfinite().all()
        feature = kind()
        feature.measure([silence])
        assert feature(silence).abs().max() == 0
        assert feature(torch.from_numpy(sweep())).isfinite().all()

    def test_too_short_clip(self, kind: Kind) -> None:
        feature = plain(kind, n_fft=512, hop_length=128)
        with pytest.raises(GenreError, match=r"^a clip of 256 samples is too short for n_fft=512; give at least 257 "):
            feature(torch.zeros(1, 256))
        assert feature(torch.zeros(1, 257)).shape[-1] == 3

    @pytest.mark.parametrize("shape", [(0,), (1, 0), (2, 1, 0)])
    def test_clip_without_samples(self, kind: Kind, shape: tuple[int, ...]) -> None:
        with pytest.raises(GenreError, match=r"^a clip of 0 samples is too short for n_fft=2048; give at least 1025 "):
            plain(kind)(torch.zeros(shape))

    @pytest.mark.parametrize("name", ["sample_rate", "n_fft", "win_length", "hop_length"])
    @pytest.mark.parametrize("value", [0, -1])
    def test_argument_below_one(self, kind: Kind, name: str, value: int) -> None:
        with pytest.raises(GenreError, match=rf"{name} must be at least 1; found {value}$"):
            kind(**{name: value})

    def test_window_longer_than_the_frame(self, kind: Kind) -> None:
        with pytest.raises(GenreError, match=r"^win_length must be at most n_fft, which is 512; found 513$"):
            kind(n_fft=512, win_length=513)
        assert plain(kind, n_fft=512, win_length=512)(torch.zeros(1, RATE)).isfinite().all()


@pytest.mark.parametrize("kind", FEATURES)
class TestStatistics:
    CLIPS = tuple(torch.from_numpy(sweep(samples=samples, seed=samples)) for samples in (22050, 9000, 1500))

    def reference(self, kind: Kind) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of each row over all frames of all clips."""
        values = np.concatenate([plain(kind)(clip).numpy() for clip in self.CLIPS], axis=1).astype(np.float64)
        return values.mean(axis=1), values.std(axis=1)

    def test_are_those_of_numpy(self, kind: Kind) -> None:
        feature = kind()
        assert not feature.measured
        feature.measure(self.CLIPS)
        mean, std = self.reference(kind)
        assert feature.measured
        np.testing.assert_allclose(feature.mean, mean, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(feature.std, std, rtol=1e-5)

    def test_normalise(self, kind: Kind) -> None:
        feature = kind()
        feature.measure(self.CLIPS)
        values = torch.cat([feature(clip) for clip in self.CLIPS], dim=1).double()
        np.testing.assert_allclose(values.mean(1), 0, atol=1e-5)
        np.testing.assert_allclose(values.std(1, correction=0), 1, atol=1e-5)

    def test_given_numbers_are_applied(self, kind: Kind) -> None:
        found = kind(mean=-40.0, std=8.0)(self.CLIPS[0])
        np.testing.assert_allclose(found, (plain(kind)(self.CLIPS[0]) + 40) / 8, rtol=1e-5, atol=1e-5)

    def test_given_rows_are_applied(self, kind: Kind) -> None:
        values = plain(kind)(self.CLIPS[0]).numpy()
        mean, std = np.arange(len(values), dtype=np.float32), 1 + np.arange(len(values), dtype=np.float32)
        found = kind(mean=mean.tolist(), std=std.tolist())(self.CLIPS[0])
        np.testing.assert_allclose(found, (values - mean[:, None]) / std[:, None], rtol=1e-5, atol=1e-5)

    def test_a_given_one_is_kept_when_the_other_is_measured(self, kind: Kind) -> None:
        mean, std = self.reference(kind)
        given_mean, given_std = kind(mean=-40.0), kind(std=8.0)
        for feature in (given_mean, given_std):
            assert not feature.measured
            feature.measure(self.CLIPS)
        np.testing.assert_allclose(np.asarray(given_std.mean), mean, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(np.asarray(given_mean.std), std, rtol=1e-5)
        assert given_mean.mean == -40.0
        assert given_std.std == 8.0

    def test_of_nothing(self, kind: Kind) -> None:
        with pytest.raises(GenreError, match="no readable train track"):
            kind().measure([])

    def test_survive_describe_and_build(self, kind: Kind) -> None:
        feature = kind(sample_rate=16000, n_fft=512, hop_length=160, top_db=60.0)
        feature.measure(self.CLIPS)
        spec = json.loads(json.dumps(to_config(feature)))
        again = from_config(spec, Feature)
        assert type(again) is kind
        assert to_config(again) == to_config(feature)
        assert torch.equal(again(self.CLIPS[0]), feature(self.CLIPS[0]))
        assert spec["init_args"]["hop_length"] == 160


@pytest.mark.parametrize("kind", [Spectrogram, MelSpectrogram])
def test_top_db_is_the_range_of_a_clip(kind: Kind) -> None:
    found = plain(kind, top_db=30.0)(torch.from_numpy(sweep()))
    assert found.max() - found.min() == pytest.approx(30.0, abs=1e-4)


def test_more_coefficients_than_bands() -> None:
    with pytest.raises(GenreError, match=r"n_mfcc <= n_mels; found n_mfcc=41, n_mels=40$"):
        MFCC(n_mfcc=41, n_mels=40)
    assert plain(MFCC, n_mfcc=40, n_mels=40)(torch.zeros(1, RATE)).shape[1] == 40


@pytest.mark.parametrize(("kind", "name"), [(MelSpectrogram, "n_mels"), (MFCC, "n_mels"), (MFCC, "n_mfcc")])
def test_no_rows(kind: Kind, name: str) -> None:
    with pytest.raises(GenreError, match=rf"^{name} must be at least 1; found 0$"):
        kind(**{name: 0})


@pytest.mark.parametrize("kind", [MelSpectrogram, MFCC])
def test_range_of_frequencies_that_holds_none(kind: Kind) -> None:
    with pytest.raises(GenreError, match=r"^f_min must be below f_max, which is 11025 Hz; found 12000 Hz$"):
        kind(f_min=12000.0)
    with pytest.raises(GenreError, match=r"^f_min must be below f_max, which is 50 Hz; found 50 Hz$"):
        kind(f_min=50.0, f_max=50.0)


def test_coefficients_of_a_flat_spectrum() -> None:
    """Silence is -100 dB in every band: its first coefficient is -100 √n_mels, all others are 0."""
    found = plain(MFCC, n_mfcc=5, n_mels=64)(torch.zeros(RATE))
    expected = np.zeros((5, found.shape[1]))
    expected[0] = -100 * np.sqrt(64)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize(("n_fft", "n_mels"), [(2048, 128), (512, 40), (400, 7), (32, 1024)])
def test_bands_are_the_whole_product_with_the_filterbank(n_fft: int, n_mels: int) -> None:
    """The last has 16 bands in a row without any bin."""
    wave = torch.from_numpy(sweep())
    power = torch.stft(
        wave, n_fft, n_fft // 4, window=torch.hann_window(n_fft), pad_mode="reflect", return_complex=True
    )
    bank = librosa.filters.mel(sr=RATE, n_fft=n_fft, n_mels=n_mels, fmin=0.0, fmax=None, htk=False, norm="slaney")
    if n_mels == 1024:
        assert not bank.reshape(-1, 16, n_fft // 2 + 1).any((1, 2)).all()
    expected = 10 * np.log10(np.maximum(bank @ power.abs().square().numpy(), 1e-10))
    arguments: dict[str, Any] = {"norm": "slaney", "mel_scale": "slaney", "f_min": 0.0, "f_max": None, "top_db": None}
    kind = MelSpectrogram(
        sample_rate=RATE, n_fft=n_fft, hop_length=n_fft // 4, n_mels=n_mels, mean=0.0, std=1.0, **arguments
    )
    np.testing.assert_allclose(kind(wave).numpy(), expected, atol=2e-2)  # tiny weights of narrow bands, in float32


@pytest.mark.parametrize("std", [0, -1.0, [1.0, 0.0], float("nan")])
def test_a_deviation_is_positive(std: float | list[float]) -> None:
    with pytest.raises(GenreError, match=re.escape(f"must be positive; found {std}")):
        MelSpectrogram(mean=0.0, std=std)


def test_statistics_are_one_for_each_row_or_one_for_all() -> None:
    wave = torch.from_numpy(sweep())
    rows = MelSpectrogram(mean=[2.0] * 128, std=[4.0] * 128)(wave)
    torch.testing.assert_close(rows, MelSpectrogram(mean=2.0, std=4.0)(wave))
    with pytest.raises(GenreError, match="mean has 2 values for the 128 rows of MelSpectrogram; give one for each"):
        MelSpectrogram(mean=[0.0, 0.0], std=1.0)(wave)


@pytest.mark.parametrize("kind", FEATURES)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_centering_takes_its_share_of_each_rows_mean(kind: Kind, share: float) -> None:
    wave = torch.from_numpy(sweep())
    whole = plain(kind)(wave).numpy()
    expected = whole - share * whole.mean(1, keepdims=True)
    np.testing.assert_allclose(plain(kind, centering=share)(wave).numpy(), expected, atol=1e-4)


def test_centering_undoes_an_equaliser() -> None:
    """A fixed gain in every band is a constant in decibels, which is all that full centering takes away."""
    wave = torch.from_numpy(sweep())
    louder = plain(MelSpectrogram, top_db=None, centering=1.0)(wave * 10 ** (6 / 20))
    assert torch.allclose(louder, plain(MelSpectrogram, top_db=None, centering=1.0)(wave), atol=0.05)
    assert (plain(MelSpectrogram, top_db=None)(wave * 2) - plain(MelSpectrogram, top_db=None)(wave)).mean() > 5


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_centering_is_a_share(share: float) -> None:
    with pytest.raises(GenreError, match="centering"):
        MelSpectrogram(centering=share)


@pytest.mark.parametrize("n_fft", [512, 400])
def test_log10_and_zeros_are_those_of_librosa(n_fft: int) -> None:
    """The input of MusiCNN: log10(10000 power + 1), frames padded with zeros, which is librosa's default."""
    wave = sweep(16000)
    mel = librosa.feature.melspectrogram(y=wave, sr=16000, n_fft=n_fft, hop_length=256, n_mels=40)
    expected = np.log10(10000 * mel + 1)
    arguments = {"sample_rate": 16000, "n_fft": n_fft, "hop_length": 256, "n_mels": 40, "compression": "log10"}
    assert_equal(plain(MelSpectrogram, **arguments, pad_mode="constant")(torch.from_numpy(wave)), expected)
    reflected = plain(MelSpectrogram, **arguments)(torch.from_numpy(wave)).numpy()
    assert np.abs(reflected - expected)[:, 1:-1].max() < 1e-3  # a frame's padding is in the first and the last
    assert np.abs(reflected - expected)[:, 0].max() > 0.05


def test_decibels_on_reflected_frames_are_the_default() -> None:
    wave = torch.from_numpy(sweep())
    named = plain(MelSpectrogram, pad_mode="reflect", compression="decibels")
    assert torch.equal(named(wave), plain(MelSpectrogram)(wave))


def test_zeros_need_no_reflection() -> None:
    """A clip shorter than half a frame, which cannot be reflected, can be padded with zeros."""
    zeros, reflect = (plain(MelSpectrogram, pad_mode=mode) for mode in ("constant", "reflect"))
    assert zeros(torch.ones(2, 1000)).shape == (2, 128, 2)
    with pytest.raises(GenreError, match="a clip of 1000 samples is too short for n_fft=2048; give at least 1025"):
        reflect(torch.ones(2, 1000))
    with pytest.raises(GenreError, match="a clip of 0 samples is too short for n_fft=2048; give at least 1 samples"):
        zeros(torch.ones(2, 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pad_mode": "zeros"}, "pad_mode must be reflect or constant; found zeros"),
        ({"compression": "ln"}, "compression must be decibels or log10; found ln"),
    ],
)
def test_one_of_the_choices(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(GenreError, match=message):
        MelSpectrogram(**arguments)


def test_compression_survives_describe_and_build() -> None:
    feature = plain(MelSpectrogram, pad_mode="constant", compression="log10")
    built = from_config(to_config(feature), Feature)
    wave = torch.from_numpy(sweep())
    assert torch.equal(built(wave), feature(wave))
