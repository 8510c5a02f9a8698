import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.signal
import scipy.stats
import torch
from torch import Tensor

from genre.audio.augment import Noise, PerClip, PolarityInversion, Reverse
from genre.audio.effects import Delay, HighLowPass, Reverb
from genre.audio.pitch_shift import PitchShift
from genre.errors import GenreError

RATE = 22050
ALL = [PolarityInversion, Reverse, Noise, HighLowPass, Delay, Reverb, PitchShift]
# What of the result must be the same, sample by sample: float32 on Fourier transforms and sums of other batch sizes.
RTOL, ATOL = 1e-4, 1e-5


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=ALL, ids=lambda augmentation: augmentation.__name__)
def augmentation(request: pytest.FixtureRequest) -> Callable[..., PerClip]:
    return request.param  # type: ignore[no-any-return]


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)) / 10


def sine(hertz: float, samples: int = RATE) -> Tensor:
    return (0.3 * torch.sin(2 * math.pi * hertz / RATE * torch.arange(samples, dtype=torch.float64))).float()


def impulse(clips: int, samples: int) -> Tensor:
    waves = torch.zeros(clips, 1, samples)
    waves[..., 0] = 1
    return waves


def level_db(of: Tensor, relative_to: Tensor) -> Tensor:
    return 10 * torch.log10(of.double().square().mean(-1) / relative_to.double().square().mean(-1)).flatten()


class TestEveryOne:
    def test_probability_0_returns_the_very_input(self, augmentation: Callable[..., PerClip]) -> None:
        waves = noise(16, 1, 3000)
        kept = waves.clone()
        assert augmentation(probability=0)(waves) is waves
        assert torch.equal(waves, kept)

    def test_probability_1_changes_every_clip(self, augmentation: Callable[..., PerClip]) -> None:
        waves = noise(64, 1, 12000)
        changed = augmentation(probability=1)(waves)
        assert ((changed - waves).abs().amax((1, 2)) > 1e-4).all()

    def test_otherwise_changes_that_share_and_leaves_the_rest_untouched(
        self, augmentation: Callable[..., PerClip]
    ) -> None:
        waves = noise(400, 1, 12000)
        changed = int((augmentation(probability=0.3)(waves) != waves).any(-1).sum())
        mean, deviation = 0.3 * len(waves), math.sqrt(0.21 * len(waves))
        assert abs(changed - mean) < 4 * deviation

    def test_does_not_write_to_its_input(self, augmentation: Callable[..., PerClip]) -> None:
        waves = noise(8, 1, 12000)
        kept = waves.clone()
        augmentation(probability=1)(waves)
        assert torch.equal(waves, kept)

    def test_a_clip_does_not_depend_on_its_neighbours(self, augmentation: Callable[..., PerClip]) -> None:
        waves, others = noise(6, 1, 12000), 3 * noise(6, 1, 12000).flip(-1)
        others[2] = waves[2]
        augment = augmentation(probability=1)
        first = augment(waves)
        torch.manual_seed(0)
        second = augment(others)
        torch.testing.assert_close(first[2], second[2], rtol=RTOL, atol=ATOL)
        assert not torch.allclose(first[1], second[1], rtol=RTOL, atol=ATOL)

    def test_same_seed_gives_the_same_and_another_another(self, augmentation: Callable[..., PerClip]) -> None:
        waves = noise(16, 1, 12000)
        augment = augmentation()
        first, other = augment(waves), augment(waves)
        torch.manual_seed(0)
        assert torch.equal(augment(waves), first)
        assert not torch.equal(other, first)

    @pytest.mark.parametrize("shape", [(1, 1, 3000), (5, 1, 12001)])
    def test_keeps_shape_and_float32(self, augmentation: Callable[..., PerClip], shape: tuple[int, ...]) -> None:
        result = augmentation(probability=1)(noise(*shape))
        assert result.shape == shape
        assert result.dtype == torch.float32
        assert result.isfinite().all()

    def test_computes_in_float32_under_autocast(self, augmentation: Callable[..., PerClip]) -> None:
        waves = noise(4, 1, 12000)
        augment = augmentation(probability=1)
        plain = augment(waves)
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(augment(waves), plain)

    def test_silence_stays_silent(self, augmentation: Callable[..., PerClip]) -> None:
        waves = noise(4, 1, 12000)
        waves[1] = 0
        result = augmentation(probability=1)(waves)
        assert result.isfinite().all()
        assert result[1].abs().max() < 1e-12

    @pytest.mark.parametrize("probability", [-0.1, 1.1, math.nan])
    def test_refuses_what_is_no_probability(self, augmentation: Callable[..., PerClip], probability: float) -> None:
        with pytest.raises(GenreError, match="probability"):
            augmentation(probability=probability)


def test_polarity_is_the_negative() -> None:
    waves = noise(3, 1, 100)
    assert torch.equal(PolarityInversion(1)(waves), -waves)


def test_reverse_is_the_flip() -> None:
    waves = noise(3, 1, 100)
    np.testing.assert_array_equal(Reverse(1)(waves).numpy(), waves.numpy()[:, :, ::-1])


class TestNoise:
    @pytest.mark.parametrize("snr", [-5.0, 10.0, 40.0])
    def test_reaches_the_ratio_asked_at_any_level(self, snr: float) -> None:
        waves = torch.stack([0.01 * sine(440), sine(440), 3 * sine(1000)])[:, None]
        added = Noise(1, snr, snr)(waves) - waves
        torch.testing.assert_close(-level_db(added, waves), torch.full((3,), snr).double(), rtol=0, atol=0.5)

    def test_ratios_fill_the_range(self) -> None:
        waves = noise(500, 1, 400)
        ratios = -level_db(Noise(1, 10, 40)(waves) - waves, waves)
        assert scipy.stats.kstest(ratios, "uniform", (10, 30)).pvalue > 0.01

    def test_is_white_and_differs_between_clips(self) -> None:
        waves = sine(440).expand(2, 1, -1)
        added = (Noise(1, 0, 0)(waves) - waves).squeeze(1).double().numpy()
        _, power = scipy.signal.welch(added, nperseg=256)
        assert power[:, 1:-1].max() < 2 * power[:, 1:-1].min()
        assert abs(np.corrcoef(added)[0, 1]) < 0.05


def biquad(kind: str, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    b, a = scipy.signal.butter(2, cutoff, kind, fs=RATE)
    return b, a


class TestHighLowPass:
    @pytest.mark.parametrize("cutoff", [30.0, 500.0, 3000.0, 10900.0])
    @pytest.mark.parametrize("kind", ["lowpass", "highpass"])
    def test_is_the_biquad_from_the_first_sample_to_the_last(self, kind: str, cutoff: float) -> None:
        waves = noise(2, 1, 5000)
        b, a = biquad(kind, cutoff)
        expected = scipy.signal.lfilter(b, a, waves.double().numpy())
        augment = HighLowPass(RATE, 1, float(kind == "lowpass"), cutoff, cutoff, cutoff, cutoff)
        np.testing.assert_allclose(augment(waves).numpy(), expected, atol=2e-6)

    @pytest.mark.parametrize(("kind", "cutoff"), [("lowpass", 3000.0), ("highpass", 600.0)])
    def test_low_pass_lowers_the_highs_and_high_pass_the_lows(self, kind: str, cutoff: float) -> None:
        low, high = 100.0, 8000.0
        waves = torch.stack([sine(low), sine(high)])[:, None]
        augment = HighLowPass(RATE, 1, float(kind == "lowpass"), cutoff, cutoff, cutoff, cutoff)
        after_onset = slice(4000, None)
        change = level_db(augment(waves)[..., after_onset], waves[..., after_onset])
        _, response = scipy.signal.freqz(*biquad(kind, cutoff), worN=[low, high], fs=RATE)
        np.testing.assert_allclose(change, 20 * np.log10(np.abs(response)), atol=0.1)
        stopped, passed = (1, 0) if kind == "lowpass" else (0, 1)
        assert change[stopped] < -15
        assert abs(change[passed]) < 1

    def test_share_and_cutoffs_are_drawn_per_clip(self) -> None:
        response = torch.fft.rfft(HighLowPass(RATE, 1, 0.25)(impulse(800, RATE)).squeeze(1)).abs()  # bins of 1 Hz
        low_passed = response[:, 1] > 0.5
        assert abs(low_passed.float().mean() - 0.25) < 0.07
        below = (response < 0.5**0.5).float()
        low_cutoffs, high_cutoffs = below[low_passed].argmax(-1), (1 - below[~low_passed]).argmax(-1)
        for cutoffs, ends in ((low_cutoffs, (2200, 4000)), (high_cutoffs, (200, 1200))):
            assert ends[0] - 2 <= cutoffs.min() < ends[0] + 100
            assert ends[1] - 100 < cutoffs.max() <= ends[1] + 2

    @pytest.mark.parametrize("arguments", [{"max_low_pass": 11025.0}, {"min_high_pass": 0.0}, {"min_low_pass": 5000.0}])
    def test_refuses_cutoffs_that_make_no_sense(self, arguments: dict[str, float]) -> None:
        with pytest.raises(GenreError, match="cutoff"):
            HighLowPass(RATE, **arguments)


class TestDelay:
    @pytest.mark.parametrize("seconds", [0.0, 0.1, 0.35])
    def test_delays_by_the_lag_asked(self, seconds: float) -> None:
        waves = noise(2, 1, RATE)
        echo = (Delay(RATE, 1, seconds, seconds)(waves) - waves).squeeze(1).numpy()
        for wave, later in zip(waves.squeeze(1).numpy(), echo, strict=True):
            lags = scipy.signal.correlation_lags(RATE, RATE)
            assert lags[scipy.signal.correlate(later, wave).argmax()] == round(seconds * RATE)

    def test_level_is_the_one_asked(self) -> None:
        result = Delay(RATE, 1, 0.01, 0.01, level_db=-20)(impulse(1, 1000)).flatten()
        assert result.nonzero().flatten().tolist() == [0, 220]
        assert result[220] == pytest.approx(0.1)

    def test_lags_are_drawn_per_clip_and_fill_the_range(self) -> None:
        lags = Delay(RATE, 1, 0.1, 0.2)(impulse(300, 6000))[:, 0, 1:].argmax(-1) + 1
        assert scipy.stats.kstest(lags, "uniform", (0.1 * RATE, 0.1 * RATE)).pvalue > 0.01

    def test_longer_than_the_clip_leaves_the_clip(self) -> None:
        waves = noise(2, 1, 1000)
        assert torch.equal(Delay(RATE, 1)(waves), waves)

    def test_refuses_to_look_ahead(self) -> None:
        with pytest.raises(GenreError, match="delay"):
            Delay(RATE, min_seconds=-0.1)


class TestReverb:
    def test_is_a_convolution_of_every_clip_with_its_own_response(self) -> None:
        waves = noise(3, 1, 8000)
        reverb = Reverb(RATE, 1)
        responses = reverb(impulse(3, 8000)).double().numpy()
        torch.manual_seed(0)
        result = reverb(waves).numpy()
        for clip, response, expected in zip(waves.double().numpy(), responses, result, strict=True):
            convolved = scipy.signal.fftconvolve(clip[0], response[0])[:8000]
            np.testing.assert_allclose(expected[0], convolved, atol=1e-5)

    def test_direct_sound_stays_in_place(self) -> None:
        response = Reverb(RATE, 1)(impulse(20, RATE))
        torch.testing.assert_close(response[..., 0], torch.ones(20, 1), rtol=0, atol=1e-5)
        assert response[..., 1:].abs().max() < 0.5

    @pytest.mark.parametrize("t60", [0.2, 0.5, 1.0])
    def test_tail_decays_by_60_db_in_the_time_asked(self, t60: float) -> None:
        response = Reverb(RATE, 1, t60, t60)(impulse(20, 2 * RATE))[:, 0, 1:].double()
        left = response.square().flip(-1).cumsum(-1).flip(-1).mean(0)  # Schroeder's integral, over all clips
        curve = 10 * torch.log10(left / left[0])
        time = int((curve > -30).sum()) / RATE * 2
        assert time == pytest.approx(t60, rel=0.1)

    @pytest.mark.parametrize("level", [-20.0, -3.0])
    def test_tail_has_the_energy_asked(self, level: float) -> None:
        tail = Reverb(RATE, 1, 0.3, 0.3, level, level)(impulse(5, RATE))[..., 1:]
        energy = 10 * torch.log10(tail.square().sum(-1))
        torch.testing.assert_close(energy, torch.full((5, 1), level), rtol=0, atol=0.2)

    def test_refuses_a_room_without_time(self) -> None:
        with pytest.raises(GenreError, match="reverberation time"):
            Reverb(RATE, min_t60=0.0)


class TestPitchShift:
    @pytest.mark.parametrize("semitones", [-12, -7, -1, 1, 4, 7, 12])
    @pytest.mark.parametrize("hertz", [220.0, 1000.0])
    def test_moves_a_sine_by_the_semitones_asked(self, semitones: int, hertz: float) -> None:
        waves = sine(hertz, 2 * RATE).expand(1, 1, -1)
        shifted = PitchShift(1, semitones, semitones)(waves).flatten()
        found = peak(shifted)
        assert 12 * math.log2(found / hertz) == pytest.approx(semitones, abs=0.05)

    def test_steps_are_drawn_per_clip_and_never_0(self) -> None:
        waves = sine(1000, 8000).expand(150, 1, -1)
        shifted = PitchShift(1, -2, 3)(waves)
        steps = [12 * math.log2(peak(clip.flatten()) / 1000) for clip in shifted]
        rounded = [round(step) for step in steps]
        assert np.abs(np.array(steps) - rounded).max() < 0.1
        assert set(rounded) == {-2, -1, 1, 2, 3}
        assert min(rounded.count(step) for step in set(rounded)) > 10

    def test_keeps_level_and_time(self) -> None:
        waves = torch.zeros(2, 1, 2 * RATE)
        waves[..., RATE // 2 : RATE] = sine(500, RATE - RATE // 2)
        shifted = PitchShift(1, 3, 3)(waves)
        loud = shifted[..., RATE // 2 + 2048 : RATE - 2048]
        assert level_db(loud, sine(500)).abs().max() < 2  # after silence the vocoder's bins are out of phase: −1.3 dB
        assert shifted[..., : RATE // 2 - 2048].abs().max() < 0.01
        assert shifted[..., RATE + 2048 :].abs().max() < 0.01

    @pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 2), (-40, 0)])
    def test_refuses_steps_that_make_no_sense(self, low: int, high: int) -> None:
        with pytest.raises(GenreError, match="semitones"):
            PitchShift(1, low, high)


def peak(wave: Tensor) -> float:
    """The frequency of the spectrum's peak, in the middle of the clip, by a parabola through three bins."""
    middle = wave[len(wave) // 8 : -len(wave) // 8].double()
    spectrum = torch.fft.rfft(middle * torch.hann_window(len(middle), dtype=torch.float64), 4 * len(middle)).abs().log()
    at = int(spectrum.argmax())
    left, top, right = spectrum[at - 1 : at + 2].tolist()
    return float((at + 0.5 * (left - right) / (left - 2 * top + right)) * RATE / (4 * len(middle)))
