"""Files that are hard to hear whole, as they are found in collections."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre.audio import mpeg

RATE = 22050
SECONDS = 3.0

Make = Callable[[Path], object]


def wave(seconds: float = SECONDS, rate: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    """Noise, loud and quiet in turn, so that no stretch is like another and a variable bit rate varies."""
    time = np.arange(round(seconds * rate)) / rate
    swell = 0.3 * np.sin(2 * np.pi * 0.4 * time + seed) ** 8 + 0.01
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (swell * np.clip(noise, -2, 2) + 0.2 * np.sin(2 * np.pi * 330 * time)).astype(np.float32)


def sound(path: Path, seconds: float = SECONDS, seed: int = 0, rate: int = RATE, **encoding: str) -> bytes:
    """Writes a sound, and gives its bytes."""
    soundfile.write(path, wave(seconds, rate, seed), rate, **encoding)
    return path.read_bytes()


def encode(path: Path, codec: str, container: str, rate: int = 44100, **options: str) -> None:
    """Writes a sound by PyAV, in stereo, whole frames of the codec."""
    import av

    subsets = np.stack([wave(rate=rate), wave(rate=rate, seed=1)])
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = 128000
        stream.codec_context.open()
        frame = av.AudioFrame.from_ndarray(subsets, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(stream.codec_context.format.name, "stereo", rate)
        fifo = av.AudioFifo()
        for converted in [*resampler.resample(frame), *resampler.resample(None)]:
            fifo.write(converted)
        size = stream.codec_context.frame_size or 1024
        while (part := fifo.read(size, partial=False)) is not None:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))


def video(path: Path) -> None:
    """A film without sound."""
    import av

    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=24)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))


def id3(size: int) -> bytes:
    """A tag of ID3v2 with a picture of so many bytes."""
    return b"ID3\x03\0\0" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127)) + bytes(size)


def put(path: Path, data: bytes, at: int, value: bytes) -> None:
    """Writes bytes over others."""
    path.write_bytes(data[:at] + value + data[at + len(value) :])


def without_count(path: Path) -> bytes:
    """An mp3 of variable bit rate whose first frame, which counts the others, is missing."""
    data = sound(path, bitrate_mode="VARIABLE")
    first = mpeg.parse_header(data[:4])
    assert first is not None
    assert b"Xing" in data[: first.size]
    return data[first.size :]


def size_of(name: bytes, value: int, order: str, width: int = 4, **encoding: Any) -> Make:
    """A file whose chunk states a false size."""

    def make(path: Path) -> None:
        data = sound(path, **encoding)
        put(path, data, data.index(name) + 4, value.to_bytes(width, order))  # type: ignore[arg-type]

    return make


def rf64(size: int) -> Make:
    """An RF64 whose first chunk states a false size of the audio."""
    return lambda path: put(path, sound(path, format="RF64"), 28, size.to_bytes(8, "little"))


def total(samples: int) -> Make:
    """A FLAC whose header states a false total."""

    def make(path: Path) -> None:
        data = sound(path)
        packed = int.from_bytes(data[18:26], "big") >> 36 << 36 | samples
        put(path, data, 18, packed.to_bytes(8, "big"))

    return make


def au(size: int) -> Make:
    """An au whose header states a false size."""
    return lambda path: put(path, sound(path), 8, size.to_bytes(4, "big"))


def twice(other_seconds: float = 1.5, rate: int = RATE, **encoding: Any) -> Make:
    """Two files, one after the other in one."""
    return lambda path: path.write_bytes(
        sound(path, rate=rate, **encoding) + sound(path, other_seconds, 1, rate, **encoding)
    )


def damaged(**encoding: Any) -> Make:
    """A file with zeros in its middle."""

    def make(path: Path) -> None:
        data = sound(path, **encoding)
        put(path, data, len(data) // 2, bytes(4000))

    return make


def cut(**encoding: Any) -> Make:
    """The first half of a file."""

    def make(path: Path) -> None:
        data = sound(path, **encoding)
        path.write_bytes(data[: len(data) // 2])

    return make


def scaled(**encoding: str) -> Make:
    """Floating point in the range of 16 bits."""
    return lambda path: soundfile.write(path, 32768 * wave(), RATE, **encoding)


def stereo_after_mono(path: Path) -> None:
    """Two mp3, one after the other."""
    data = sound(path)
    soundfile.write(path, np.stack([wave(), wave(seed=1)], axis=1), RATE)
    path.write_bytes(data + path.read_bytes())


def damaged_m4a(path: Path) -> None:
    """An m4a with something else in its middle."""
    encode(path, "aac", "ipod", movflags="faststart")
    data = path.read_bytes()
    put(path, data, 2 * len(data) // 3, bytes(255 for _ in range(4000)))


def nan(path: Path) -> None:
    """NaN in one place."""
    samples = wave()
    samples[len(samples) // 7] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")


#: File to how it is made and how many seconds of it are there; heard whole by libsndfile.
HEARD: dict[str, tuple[Make, float]] = {
    "cover.flac": (lambda path: path.write_bytes(id3(300_000) + sound(path)), 3.0),
    "gsm.wav": (lambda path: sound(path, subtype="GSM610"), 3.0),
    "g721.au": (lambda path: sound(path, subtype="G721_32"), 3.0),
    "g723.au": (lambda path: sound(path, subtype="G723_24"), 3.0),
    "nms.wav": (lambda path: sound(path, subtype="NMS_ADPCM_32"), 3.0),
    "gsm.aiff": (lambda path: sound(path, subtype="GSM610"), 3.0),
    "gsm.w64": (lambda path: sound(path, format="W64", subtype="GSM610"), 3.0),
    "no_count.mp3": (lambda path: path.write_bytes(without_count(path)), 3.06),
    "no_count_junk.mp3": (lambda path: path.write_bytes(bytes(700) + without_count(path)), 3.06),
    "no_count_tags.mp3": (lambda path: path.write_bytes(id3(3000) + without_count(path) + b"TAG" + bytes(125)), 3.06),
    "twice.mp3": (twice(), 4.62),
    "chained.ogg": (twice(), 4.5),
    "chained_short.ogg": (twice(0.2), 3.2),
    "same.ogg": (lambda path: path.write_bytes(2 * sound(path)), 6.0),
    "chained.opus": (twice(rate=24000, format="OGG", subtype="OPUS"), 4.5),
    "twice.flac": (twice(), 4.5),
    "same.flac": (lambda path: path.write_bytes(2 * sound(path)), 6.0),
    "total.flac": (total(20000), 3.0),
    "zero.wav": (size_of(b"data", 0, "little"), 3.0),
    "small.wav": (size_of(b"data", 30000, "little"), 3.0),
    "unknown.wav": (size_of(b"data", 0xFFFFFFFF, "little"), 3.0),
    "zero.rf64": (rf64(0), 3.0),
    "small_rf64.wav": (rf64(30000), 3.0),
    "unknown.rf64": (rf64(2**64 - 1), 3.0),
    "zero.aiff": (size_of(b"SSND", 0, "big"), 3.0),
    "small.aiff": (size_of(b"SSND", 30000, "big"), 3.0),
    "zero.au": (au(0), 3.0),
    "small.au": (au(30000), 3.0),
    "unknown.caf": (size_of(b"data", 2**64 - 1, "big", 8), 3.0),
    "small.caf": (size_of(b"data", 30000, "big", 8), 3.0),
    "cut.wav": (cut(), 1.5),
    "song.rf64": (lambda path: sound(path, format="RF64"), 3.0),
    "song.w64": (lambda path: sound(path), 3.0),
    "song.caf": (lambda path: sound(path), 3.0),
    "song.aifc": (lambda path: sound(path, format="AIFF"), 3.0),
    "song.oga": (lambda path: sound(path, format="OGG"), 3.0),
    "song.snd": (lambda path: sound(path, format="AU"), 3.0),
    "song.voc": (lambda path: sound(path, format="VOC"), 3.0),
    "song.sph": (lambda path: sound(path, format="NIST"), 3.0),
}

#: The same, of which a stretch alone is there: as much as can be decoded.
CUT: dict[str, Make] = {"cut.flac": cut(), "cut.mp3": cut(), "cut.ogg": cut()}

#: Provenance whole by PyAV, with the seconds that whole frames of the codec make.
HEARD_BY_AV: dict[str, tuple[Make, float]] = {
    "song.m4a": (lambda path: encode(path, "aac", "ipod"), 2.995),
    "fragments.m4a": (lambda path: encode(path, "aac", "mp4", movflags="frag_keyframe+empty_moov"), 3.02),
    "lossless.m4a": (lambda path: encode(path, "alac", "ipod"), 2.97),
    "song.mp4": (lambda path: encode(path, "aac", "mp4"), 2.995),
    "song.aac": (lambda path: encode(path, "aac", "adts"), 3.02),
    "song.wma": (lambda path: encode(path, "wmav2", "asf"), 2.97),
    "song.mka": (lambda path: encode(path, "aac", "matroska"), 2.995),
    "song.mkv": (lambda path: encode(path, "aac", "matroska"), 2.995),
    "song.mov": (lambda path: encode(path, "aac", "mov"), 2.995),
    "song.webm": (lambda path: encode(path, "libopus", "webm", 48000), 3.0),
}

#: File to how it is made, and a word of what is wrong with it.
BAD: dict[str, tuple[Make, str]] = {
    "streamed.flac": (total(0), "length"),
    "integers.wav": (scaled(subtype="FLOAT"), r"\+8\d dBFS"),
    "integers.aiff": (scaled(subtype="DOUBLE"), r"\+8\d dBFS"),
    "nan.wav": (nan, "NaN"),
    "damaged.flac": (damaged(), "undecodable"),
    "damaged.mp3": (damaged(), "undecodable"),
    "dwvw.aiff": (lambda path: sound(path, subtype="DWVW_16"), "undecodable"),
    "two_rates.ogg": (lambda path: path.write_bytes(sound(path) + sound(path, rate=44100)), "differ in rate"),
    "two_rates.mp3": (lambda path: path.write_bytes(sound(path) + sound(path, rate=44100)), "differ in rate"),
    "two_widths.mp3": (stereo_after_mono, "differ in rate or channels"),
    "zero_frames.wav": (lambda path: soundfile.write(path, wave()[:0], RATE), "no audio frames"),
}


def twice_m4a(path: Path) -> None:
    """Two files in one."""
    encode(path, "aac", "ipod")
    path.write_bytes(2 * path.read_bytes())


BAD_BY_AV: dict[str, tuple[Make, str]] = {
    "text.m4a": (lambda path: path.write_text("no audio\n" * 100), "undecodable"),
    "empty.wma": (lambda path: path.touch(), "empty file"),
    "damaged.m4a": (damaged_m4a, "undecodable"),
    "film.mp4": (video, "no sound"),
    "twice.m4a": (twice_m4a, "several files"),
}
