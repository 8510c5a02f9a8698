import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import soundfile
import torch

from genre.audio.decode import read_segment
from genre.data.loaders import TrainSampler
from genre.data.segments import Draw, EvaluationSegments, Segment, TrainSegments, collate
from genre.data.track import Track

RATE = 8000
SAMPLES = 800


def write_tracks(root: Path, count: int, bad: tuple[int, ...] = ()) -> list[Track]:
    """Half-second tracks, each a ramp of its own level; the bad ones are text."""
    tracks = [Track(root / f"{number}.wav", "ab"[number % 2]) for number in range(count)]
    for number, track in enumerate(tracks):
        if number in bad:
            track.path.write_text("no audio\n" * 100)
        else:
            soundfile.write(track.path, np.linspace(0, 0.1 * (number + 1), RATE // 2), RATE, subtype="FLOAT")
    return tracks


def write_spoilt(path: Path) -> Track:
    """A track of a second that cannot be read in its middle."""
    wave = np.full(RATE, 0.5)
    wave[RATE // 2] = np.nan
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    return Track(path, "a")


def train_segments(tracks: list[Track], targets: list[int] | None = None) -> TrainSegments:
    return TrainSegments(tracks, targets or list(range(len(tracks))), RATE, SAMPLES)


def unread(*counts: int) -> TrainSegments:
    """Tracks that a sampler can draw but nobody reads: so many of each genre."""
    targets = [genre for genre, count in enumerate(counts) for _ in range(count)]
    return train_segments([Track(Path(f"{number}.wav"), "a") for number in range(len(targets))], targets)


def epoch_of(sampler: TrainSampler, epoch: int = 0) -> list[Draw]:
    sampler.set_epoch(epoch)
    return list(sampler)


def assert_same(one: Segment, other: Segment) -> None:
    assert torch.equal(one.waveform, other.waveform)
    assert one[1:] == other[1:]


class TestTrainSampler:
    @pytest.mark.parametrize("balanced", [False, True])
    def test_is_a_function_of_seed_and_epoch(self, balanced: bool) -> None:
        dataset = unread(12, 5)
        found = {}
        for seed in (0, 1):
            sampler = TrainSampler(dataset, seed, balanced)
            for epoch in (0, 1, 2):
                found[seed, epoch] = epoch_of(sampler, epoch)
        for (seed, epoch), draws in reversed(found.items()):  # another order, another state of all generators
            random.seed(epoch)
            np.random.seed(epoch)  # noqa: NPY002
            torch.manual_seed(epoch)
            assert epoch_of(TrainSampler(dataset, seed, balanced), epoch) == draws
        assert len({tuple(draws) for draws in found.values()}) == 6

    @pytest.mark.parametrize("crops", [1, 3])
    def test_draws_every_track_equally_often(self, crops: int) -> None:
        sampler = TrainSampler(unread(12, 5), 0, crops_per_track=crops)
        for epoch in range(3):
            draws = epoch_of(sampler, epoch)
            assert len(draws) == len(sampler) == 17 * crops
            for start in range(0, len(draws), 17):  # one round after the other
                assert sorted(draw.track for draw in draws[start : start + 17]) == list(range(17))

    def test_order_and_positions_and_seeds_are_random(self) -> None:
        draws = epoch_of(TrainSampler(unread(2000), 0))
        tracks = [draw.track for draw in draws]
        assert abs(scipy.stats.spearmanr(tracks, range(2000)).statistic) < 0.06
        assert scipy.stats.kstest([draw.position for draw in draws], "uniform").pvalue > 0.01
        assert len({draw.seed for draw in draws}) > 1990

    @pytest.mark.parametrize(
        "counts", [(30, 6, 3, 1), (10, 10, 10), (5, 3), (34, 23, 33, 47, 37, 51, 33, 46, 40, 24), (2, 1, 1, 1, 1, 1, 1)]
    )
    @pytest.mark.parametrize("crops", [1, 2])
    def test_balanced(self, counts: tuple[int, ...], crops: int) -> None:
        dataset = unread(*counts)
        sampler = TrainSampler(dataset, 0, balanced=True, crops_per_track=crops)
        for epoch in range(5):
            draws = epoch_of(sampler, epoch)
            assert len(draws) == len(sampler) == sum(counts) * crops
            genres = Counter(dataset.targets[draw.track] for draw in draws)
            assert set(genres) == set(range(len(counts)))
            assert max(genres.values()) - min(genres.values()) <= 1
            times = Counter(draw.track for draw in draws)
            for genre in genres:  # every track in turn
                its = [times[track] for track, target in enumerate(dataset.targets) if target == genre]
                assert max(its) - min(its) <= 1

    @pytest.mark.parametrize("balanced", [False, True])
    @pytest.mark.parametrize(("counts", "left_out"), [((12, 8), 0), ((12, 5), 1)])
    def test_two_processes_share_the_epoch(self, counts: tuple[int, ...], left_out: int, balanced: bool) -> None:
        dataset = unread(*counts)
        for epoch in range(3):
            whole = epoch_of(TrainSampler(dataset, 7, balanced), epoch)
            ranks = [epoch_of(TrainSampler(dataset, 7, balanced, ranks=2, rank=rank), epoch) for rank in (0, 1)]
            assert len(ranks[0]) == len(ranks[1]) == len(TrainSampler(dataset, 7, balanced, ranks=2, rank=0))
            together = Counter(ranks[0] + ranks[1])
            assert not together - Counter(whole)
            assert (Counter(whole) - together).total() == left_out


class TestTrainSegments:
    @pytest.mark.parametrize("position", [0.0, 0.25, 0.99])
    def test_reads_what_is_drawn(self, tmp_path: Path, position: float) -> None:
        tracks = write_tracks(tmp_path, 3)
        segment = train_segments(tracks, [4, 5, 6])[Draw(1, position, 99)]
        expected = read_segment(tracks[1].path, RATE, SAMPLES, position)
        np.testing.assert_array_equal(segment.waveform, expected[None])
        assert segment[1:] == (5, 1, -1, 99, True, {})

    @pytest.mark.parametrize(("drawn", "read", "passed"), [(1, 3, [1, 2]), (2, 3, [2]), (4, 0, [4]), (3, 3, [])])
    def test_next_readable_track_steps_in(self, tmp_path: Path, drawn: int, read: int, passed: list[int]) -> None:
        dataset = train_segments(write_tracks(tmp_path, 5, bad=(1, 2, 4)))
        for _ in range(2):  # reported every time: each worker has a memory of its own
            segment = dataset[Draw(drawn, 0.5, 99)]
            assert_same(segment, dataset[Draw(read, 0.5, 99)]._replace(faults=segment.faults))
            assert segment.valid
            assert segment.target == read
            assert segment.faults == dict.fromkeys(passed, "undecodable (Format not recognised)")

    def test_all_bad(self, tmp_path: Path) -> None:
        segment = train_segments(write_tracks(tmp_path, 3, bad=(0, 1, 2)))[Draw(1, 0.5)]
        assert not segment.valid
        assert not segment.waveform.any()
        assert list(segment.faults) == [1, 2, 0]

    def test_does_not_depend_on_what_was_read_before(self, tmp_path: Path) -> None:
        """Or a resumed fit, or one with more workers, would read other crops."""
        dataset = train_segments([*write_tracks(tmp_path, 2), write_spoilt(tmp_path / "spoilt.wav")])
        before = dataset[Draw(2, 0.0)]
        assert before.valid
        assert before.track == 2
        assert dataset[Draw(2, 0.5)].faults == {2: "NaN or infinite samples"}
        assert_same(dataset[Draw(2, 0.0)], before)


class TestEvaluationSegments:
    POSITIONS = ([0.5], [0.0, 1.0], [0.0, 0.5, 1.0])

    def test_every_track_segment_by_segment(self, tmp_path: Path) -> None:
        tracks = write_tracks(tmp_path, 3)
        dataset = EvaluationSegments(tracks, [7, 8, 9], self.POSITIONS, RATE, SAMPLES)
        segments = [dataset[index] for index in range(len(dataset))]
        assert [segment.track for segment in segments] == [0, 1, 1, 2, 2, 2]
        assert [segment.target for segment in segments] == [7, 8, 8, 9, 9, 9]
        assert [segment.segment for segment in segments] == [0, 1, 2, 3, 4, 5]
        assert all(segment.valid and not segment.faults for segment in segments)
        for segment, position in zip(segments, np.concatenate(self.POSITIONS), strict=True):
            expected = read_segment(tracks[segment.track].path, RATE, SAMPLES, position)
            np.testing.assert_array_equal(segment.waveform, expected[None])

    def test_unreadable_track_is_marked(self, tmp_path: Path) -> None:
        dataset = EvaluationSegments(write_tracks(tmp_path, 3, bad=(1,)), [7, 8, 9], self.POSITIONS, RATE, SAMPLES)
        segments = [dataset[index] for index in range(len(dataset))]
        assert [segment.valid for segment in segments] == [True, False, False, True, True, True]
        for segment in segments[1:3]:
            assert not segment.waveform.any()
            assert segment.target == 8
            assert segment.faults == {1: "undecodable (Format not recognised)"}
        assert all(not segment.faults for segment in segments if segment.valid)

    def test_every_excerpt_of_a_bad_file_is_bad(self, tmp_path: Path) -> None:
        (sound,) = write_tracks(tmp_path, 1)
        spoilt = write_spoilt(tmp_path / "spoilt.wav")
        tracks = [sound, *spoilt.cut(1.0, 0.25)]
        dataset = EvaluationSegments(tracks, [0] * 5, [[0.0]] * 5, RATE, SAMPLES)  # NaN begins the third quarter
        assert [dataset[index].valid for index in range(5)] == [True, True, True, False, True]
        assert dataset[3].faults == dict.fromkeys((1, 2, 3, 4), "NaN or infinite samples")

    def test_does_not_depend_on_the_order(self, tmp_path: Path) -> None:
        """Workers share the segments of a track out among them."""
        track = write_spoilt(tmp_path / "spoilt.wav")
        orders = ((0, 1, 2), (2, 1, 0))
        found = []
        for order in orders:
            dataset = EvaluationSegments([track], [0], [[0.0, 0.5, 1.0]], RATE, SAMPLES)
            found.append({index: dataset[index].valid for index in order})
        assert found[0] == found[1]
        assert found[0][1] is False


class TestCollate:
    def segment(self, number: int, seed: int, faults: dict[int, str] | None = None) -> Segment:
        return Segment(
            torch.full((1, SAMPLES), float(number)), number, 10 + number, 20 + number, seed, not faults, faults or {}
        )

    def test_stacks(self) -> None:
        batch = collate([self.segment(0, 1, {5: "x"}), self.segment(1, 2), self.segment(2, 3, {6: "y"})])
        assert batch.inputs.shape == (3, 1, SAMPLES)
        assert batch.inputs[:, 0, 0].tolist() == [0, 1, 2]
        assert batch.targets.tolist() == [0, 1, 2]
        assert batch.targets.dtype == torch.int64
        assert batch.tracks.tolist() == [10, 11, 12]
        assert batch.segments.tolist() == [20, 21, 22]
        assert batch.valid.tolist() == [False, True, False]
        assert batch.faults == {5: "x", 6: "y"}

    def test_seed_depends_on_every_draw(self) -> None:
        def seed(*seeds: int) -> int:
            return collate([self.segment(number, seed) for number, seed in enumerate(seeds)]).seed

        base = (3, 1, 4, 1)
        assert seed(*base) == seed(*base)
        others = [tuple(base[i] + (i == place) for i in range(4)) for place in range(4)] + [(1, 3, 4, 1), (3, 1, 4)]
        assert len({seed(*base), *(seed(*other) for other in others)}) == 1 + len(others)
        assert 0 <= seed(*base) < 2**63  # what torch.manual_seed takes
