from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from genre.audio.augment import Gain, Mixup, SpecAugment, TimeShift
from genre.errors import GenreError


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def longest_run(flags: Tensor) -> int:
    """The length of the longest stretch of true values."""
    return max(map(len, "".join("x" if flag else " " for flag in flags.tolist()).split()), default=0)


@pytest.mark.parametrize(
    "augment",
    [
        lambda: Gain()(noise(8, 1, 500)),
        lambda: TimeShift()(noise(8, 1, 500)),
        lambda: SpecAugment()(noise(8, 1, 40, 50)),
        lambda: Mixup()(noise(8, 1, 40, 50), torch.arange(8), 8)[0],
        lambda: Mixup()(noise(8, 1, 40, 50), torch.arange(8), 8)[1],
    ],
    ids=["gain", "time shift", "spec augment", "mixup's inputs", "mixup's targets"],
)
def test_same_seed_gives_the_same_and_another_another(augment: Callable[[], Tensor]) -> None:
    first = augment()
    other = augment()
    torch.manual_seed(0)
    assert torch.equal(augment(), first)
    assert not torch.equal(other, first)


class TestGain:
    def test_share_of_clips(self) -> None:
        waves = torch.ones(2000, 1, 4)
        changed = (Gain(3.0, 6.0, probability=0.25)(waves) != waves).squeeze(1)
        assert torch.equal(changed.all(1), changed.any(1))
        assert 0.2 < changed.all(1).float().mean() < 0.3
        assert torch.equal(Gain(probability=0.0)(waves), waves)
        with pytest.raises(GenreError, match="probability is a share, from 0 to 1; found 2"):
            Gain(probability=2)

    @pytest.mark.parametrize(("low", "high"), [(-6.0, 6.0), (-20.0, -10.0), (0.0, 3.0)])
    def test_levels_are_uniform_in_the_range(self, low: float, high: float) -> None:
        waves = noise(2000, 1, 50)
        louder = Gain(low, high)(waves)
        decibels = 20 * torch.log10(louder.square().mean(-1).sqrt() / waves.square().mean(-1).sqrt()).flatten()
        assert low - 1e-4 <= decibels.min()
        assert decibels.max() <= high + 1e-4
        assert scipy.stats.kstest(decibels, "uniform", (low, high - low)).pvalue > 0.01

    def test_of_zero_width_is_that_gain(self) -> None:
        waves = noise(4, 1, 50)
        torch.testing.assert_close(Gain(20.0, 20.0)(waves), 10 * waves)

    def test_is_one_factor_a_clip(self) -> None:
        waves = noise(4, 1, 50)
        factors = (Gain()(waves) / waves).squeeze(1)
        torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
        assert len(set(factors[:, 0].tolist())) == 4


class TestTimeShift:
    @pytest.mark.parametrize("fraction", [0.1, 0.5, 1.0])
    def test_rotates_by_up_to_the_fraction(self, fraction: float) -> None:
        waves = noise(500, 1, 200)
        shifts = []
        for before, after in zip(waves.squeeze(1), TimeShift(fraction)(waves).squeeze(1), strict=True):
            shift = int((after == before[0]).nonzero())
            assert torch.equal(after, before.roll(shift))
            shifts.append(shift)
        assert min(shifts) == 0
        assert 0.9 * fraction * 200 < max(shifts) < fraction * 200

    def test_of_nothing_is_nothing(self) -> None:
        waves = noise(4, 1, 50)
        assert torch.equal(TimeShift(0.0)(waves), waves)


class TestSpecAugment:
    @pytest.mark.parametrize(
        ("rows", "frames", "row_masks", "row_width", "frame_masks", "frame_width"),
        [
            (128, 87, 2, 0.15, 2, 0.2),  # the defaults
            (40, 50, 1, 0.25, 1, 0.1),
            (40, 50, 3, 0.1, 0, 0.2),
            (40, 50, 0, 0.1, 1, 0.5),
            (10, 12, 1, 0.15, 1, 0.3),  # 1.5 rows and 3.6 frames: at most 1 and 3
        ],
    )
    def test_masks_at_most_what_is_promised(
        self, rows: int, frames: int, row_masks: int, row_width: float, frame_masks: int, frame_width: float
    ) -> None:
        spectrograms = noise(400, 1, rows, frames)
        augment = SpecAugment(row_masks, row_width, frame_masks, frame_width)
        masked = (augment(spectrograms) != spectrograms).squeeze(1)  # (B, frequency, time)
        for lines, masks, width, size in (
            (masked.all(2), row_masks, row_width, rows),
            (masked.all(1), frame_masks, frame_width, frames),
        ):
            assert lines.sum(1).max() <= masks * width * size
            if masks == 1:
                assert all(int(line.sum()) == longest_run(line) for line in lines)  # in one piece
            if masks:
                assert lines.sum(1).max() >= 0.6 * masks * width * size  # and it does use its share
        whole = masked.all(2)[:, :, None] | masked.all(1)[:, None, :]
        assert torch.equal(masked, whole)  # nothing but whole rows and whole frames

    def test_puts_the_clips_mean(self) -> None:
        levels = torch.tensor([-60.0, 0.0, 30.0]).view(3, 1, 1, 1)
        spectrograms = levels + noise(3, 1, 40, 50)
        found = SpecAugment(frequency_width=0.5, time_width=0.5)(spectrograms)
        for before, after in zip(spectrograms, found, strict=True):
            changed = after[after != before]
            assert len(changed) > 100
            torch.testing.assert_close(changed, before.mean().expand_as(changed))

    def test_each_clip_has_its_own_mask(self) -> None:
        spectrograms = noise(1, 1, 40, 50).expand(50, 1, 40, 50)
        masks = SpecAugment()(spectrograms) != spectrograms
        assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 50

    def test_every_row_and_frame_may_be_masked(self) -> None:
        spectrograms = noise(1000, 1, 40, 50)
        masked = SpecAugment()(spectrograms) != spectrograms
        assert masked.any(3).any(0).all()
        assert masked.any(2).any(0).all()

    def test_without_masks_nothing_changes(self) -> None:
        spectrograms = noise(4, 1, 40, 50)
        assert torch.equal(SpecAugment(frequency_masks=0, time_masks=0)(spectrograms), spectrograms)


class TestMixup:
    def test_inputs_and_targets_are_blended_alike(self) -> None:
        inputs = noise(300, 1, 4, 5)
        blended, targets = Mixup(alpha=1.0)(inputs, torch.arange(300), 300)
        # Every clip is its own class: the targets tell which two clips are in the blend, and how much of each.
        expected = torch.einsum("bc,cift->bift", targets, inputs)
        torch.testing.assert_close(blended, expected, rtol=1e-4, atol=1e-5)
        assert ((targets > 0).sum(1) <= 2).all()
        partners = targets.fill_diagonal_(0).argmax(1)[targets.sum(1) > 0]
        assert len(set(partners.tolist())) == len(partners) > 290  # each clip is blended into one other

    @pytest.mark.parametrize("alpha", [0.2, 1.0])
    def test_shares_follow_the_beta_distribution(self, alpha: float) -> None:
        targets = Mixup(alpha)(torch.zeros(2000, 1, 1, 1), torch.arange(2000), 2000)[1]
        own = targets.diagonal()
        mixed = (1 - own)[own < 1]
        assert len(mixed) > 1900
        # 0.2 puts much weight close to 0 and 1, where float32 rounds to them: compare what lies between.
        inner = mixed[(mixed > 0.01) & (mixed < 0.99)]
        share = scipy.stats.beta(alpha, alpha)
        assert len(inner) / len(mixed) == pytest.approx(share.cdf(0.99) - share.cdf(0.01), abs=0.05)
        within = (share.cdf(np.asarray(inner)) - share.cdf(0.01)) / (share.cdf(0.99) - share.cdf(0.01))
        assert scipy.stats.kstest(within, "uniform").pvalue > 0.01

    @pytest.mark.parametrize("classes", [3, 10])
    def test_targets_are_probabilities(self, classes: int) -> None:
        inputs, targets = noise(64, 1, 4, 5), torch.arange(64) % 3
        found = Mixup()(inputs, targets, classes)[1]
        assert found.shape == (64, classes)
        assert found.min() >= 0
        torch.testing.assert_close(found.sum(1), torch.ones(64))

    def test_keeps_the_inputs_type(self) -> None:
        inputs, targets = Mixup()(noise(8, 1, 4, 5).bfloat16(), torch.arange(8), 8)
        assert (inputs.dtype, targets.dtype) == (torch.bfloat16, torch.bfloat16)

    def test_of_a_single_clip_is_that_clip(self) -> None:
        inputs = noise(1, 1, 4, 5)
        blended, targets = Mixup()(inputs, torch.tensor([2]), 3)
        torch.testing.assert_close(blended, inputs)
        assert targets.tolist() == [[0, 0, 1]]
