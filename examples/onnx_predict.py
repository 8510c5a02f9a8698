"""Names the genre of songs with a model of ``genre export --format onnx``: without PyTorch, by ONNX Runtime.

pip install numpy soundfile soxr onnxruntime
python onnx_predict.py mine.onnx song.mp3 …
"""

import json
import sys

import numpy as np
import onnxruntime
import soundfile
import soxr


def segments(path: str, rate: int, samples: int, most: int) -> np.ndarray:
    """``(segments, samples)`` in mono at the model's rate, spread evenly over a song."""
    with soundfile.SoundFile(path) as song:
        length = min(-(-samples * song.samplerate // rate), song.frames)
        count = min(most, max(1, int(np.ceil(song.frames / song.samplerate * rate / samples - 1e-6))))
        parts = []
        for position in [0.5] if count == 1 else np.linspace(0, 1, count):
            song.seek(round(position * (song.frames - length)))
            mono = song.read(length, dtype="float32", always_2d=True).mean(1)
            parts.append(np.resize(soxr.resample(mono, song.samplerate, rate), samples))  # a short song is repeated
    return np.stack(parts).astype(np.float32)


def main(model: str, songs: list[str]) -> None:
    """Prints the genre and the probabilities of every song."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    rate, samples, most = (int(about[name]) for name in ("sample_rate", "segment_samples", "evaluation_segments"))
    genres = json.loads(about["genres"])
    for song in songs:
        waveforms = segments(song, rate, samples, most)
        probabilities = session.run(["probabilities"], {"waveforms": waveforms})[0].mean(0)
        best = np.argsort(-probabilities)
        print(f"{song}: {genres[best[0]]}")
        for index in best:
            print(f"{genres[index]} {probabilities[index]:.6f}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python onnx_predict.py MODEL.onnx SONG …")
    main(sys.argv[1], sys.argv[2:])
