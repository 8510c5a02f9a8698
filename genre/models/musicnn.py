"""MusiCNN of Pons and Serra: a network pretrained on music, its features and its tags."""

from collections import OrderedDict
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genre.audio.features import MelSpectrogram
from genre.errors import SizeError
from genre.models.layers import check_input, check_rates, keras_norm1d, keras_norm2d
from genre.models.musicnn_weights import read_weights

BANDS = 96

#: The names of the tagger's outputs: 50 tags by listeners of Last.fm ("msd") and by players of TagATune ("mtt"), in
#: the order of `configuration.py` of the package `musicnn` 0.1.0.
TAGS = {
    "msd": (
        "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock",
        "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow",
        "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock",
        "ambient", "acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country",
        "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb",
        "indie pop", "sad", "House", "happy",
    ),
    "mtt": (
        "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
        "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
        "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo",
        "man", "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp",
        "cello", "no voice", "weird", "country", "metal", "female voice", "choral",
    ),
}  # fmt: skip


class MusiCNN(nn.Module):
    """MusiCNN (Pons and Serra 2019): filters along bands and along time, densely connected layers, global pooling.

    Paper: Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging", late-breaking
    demo at ISMIR 2019.

    779,119 parameters with 10 genres, of which the head has 2,010.

    Code: layers and weights are those of the package `musicnn` 0.1.0. Its horizontal filters cover every band, and the
    maximum over the bands follows; in the paper's figure, they cover the mean over the bands.
    Ours: the head for genres; features in float32, as the package's float16 overflows on loud music.

    The weights are files of the distribution `musicnn`, which is never imported. Install it without its dependencies:
    ``pip install --no-deps musicnn==0.1.0``.

    Args:
        num_classes: Number of genres.
        pretrained: "msd" or ``true``: weights trained on the Million Song Dataset; "mtt": on MagnaTagATune; another
            string: a TensorFlow checkpoint of this network (its ``.index`` file), or a ``.pth`` or ``.safetensors``
            file with the ``state_dict`` of a :class:`MusiCNN`, whose head is left out; ``false``: random weights.
        dropout: Dropout rate before the last layer of the backbone and before the head.

    Raises:
        GenreError: The weights are not available or do not fit, or ``dropout`` is out of its range.
        SizeError: An input has other channels or bands.

    Example:
        >>> import torch
        >>> from genre.models import MusiCNN
        >>> network = MusiCNN(num_classes=10, pretrained=False)
        >>> network(torch.randn(2, 1, 96, 187)).shape
        torch.Size([2, 10])
    """

    def __init__(self, num_classes: int, pretrained: bool | str = "msd", dropout: float = 0.5) -> None:
        super().__init__()
        check_rates(dropout=dropout)
        self.pretrained = pretrained
        self.backbone = MusiCNNBackbone(dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.backbone.num_features, num_classes)
        if pretrained is not False:
            self.backbone.load_state_dict(read_weights("msd" if pretrained is True else pretrained, self.backbone))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, 96, frames)`` to ``(B, num_classes)`` logits."""
        check_input(self, x)
        x = self.backbone(x)  # (B, 1, 96, frames) → (B, 200)
        logits: Tensor = self.head(self.dropout(x))
        return logits

    @classmethod
    def tagger(cls, pretrained: Literal["msd", "mtt"] = "msd") -> "MusiCNN":
        """The pretrained network with its own head: the logits of the 50 tags in ``TAGS[pretrained]``.

        Args:
            pretrained: "msd" or "mtt".

        Raises:
            GenreError: The weights are not available.
        """
        network = cls(len(TAGS[pretrained]), pretrained=False)
        network.load_state_dict(read_weights(pretrained, network))
        return network.eval()

    @staticmethod
    def features() -> MelSpectrogram:
        """The features that the pretrained weights expect, not normalised."""
        return MelSpectrogram(
            sample_rate=16000,
            n_fft=512,
            hop_length=256,
            n_mels=BANDS,
            pad_mode="constant",
            compression="log10",
            mean=0.0,
            std=1.0,
        )

    def pretrained_features(self) -> MelSpectrogram | None:
        """The features that the weights were trained on; ``None`` for random weights."""
        return None if self.pretrained is False else self.features()


class MusiCNNBackbone(nn.Module):
    """MusiCNN without its last layer: ``(B, 1, 96, frames)`` to the 200 penultimate units."""

    num_features = 200

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.frontend = MusiCNNFrontEnd()
        channels = self.frontend.num_features
        self.midend1 = temporal_layer(channels)
        self.midend2 = temporal_layer(64)
        self.midend3 = temporal_layer(64)
        self.backend = BackEnd(channels + 3 * 64, self.num_features, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, 96, frames)`` to ``(B, 200)``."""
        if x.shape[-2] != BANDS:
            raise SizeError(
                f"MusiCNN needs {BANDS} bands: found {x.shape[-2]} bands by {x.shape[-1]} frames; give it the features "
                "of MusiCNN.features(), which are those of examples/transfer/musicnn_features.yaml"
            )
        front = self.frontend(x)  # (B, 1, 96, frames) → (B, 561, frames)
        first = self.midend1(front)  # (B, 561, frames) → (B, 64, frames)
        second = first + self.midend2(first)
        third = second + self.midend3(second)
        units: Tensor = self.backend(torch.cat([front, first, second, third], dim=1))
        return units


class MusiCNNFrontEnd(nn.Module):
    """Vertical filters for timbre, 7 frames by 0.4 and 0.7 of the bands, and horizontal ones for rhythm."""

    num_features = 2 * 204 + 3 * 51

    def __init__(self) -> None:
        super().__init__()
        self.norm = keras_norm2d(1)
        self.timbral = nn.ModuleList(PooledFilters(204, bands, 7) for bands in (38, 67))
        self.temporal = nn.ModuleList(PooledFilters(51, 1, frames) for frames in (128, 64, 32))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 1, 96, frames)`` to ``(B, 561, frames)``."""
        norm = self.norm
        if torch.is_grad_enabled() and norm.weight.requires_grad:
            # The filters apply the scale and the offset of the norm. Otherwise the gradient of these two numbers
            # would need that of every pixel of the input, which takes three times as long as all the rest on a CPU.
            x = F.batch_norm(
                x, norm.running_mean, norm.running_var, None, None, norm.training, norm.momentum or 0.0, norm.eps
            )
            scale, offset = norm.weight, norm.bias
        else:
            x, scale, offset = norm(x), None, None
        return torch.cat([filters(x, scale, offset) for filters in (*self.timbral, *self.temporal)], dim=1)


class PooledFilters(nn.Module):
    """Filters of one size, then the maximum over the bands."""

    def __init__(self, filters: int, bands: int, frames: int) -> None:
        super().__init__()
        self.padding = ((frames - 1) // 2, frames // 2)
        self.convolution = nn.Conv2d(1, filters, (bands, frames))
        self.norm = keras_norm2d(filters)

    def forward(self, x: Tensor, scale: Tensor | None = None, offset: Tensor | None = None) -> Tensor:
        """``(B, 1, 96, frames)``, or ``scale * x + offset`` where these are given, to ``(B, filters, frames)``."""
        ones, x = F.pad(torch.ones_like(x[:1]), self.padding), F.pad(x, self.padding)
        if scale is None or offset is None:
            x = self.convolution(x)  # (B, 1, 96, frames + kernel - 1) → (B, filters, 97 - bands, frames)
        else:
            weight, bias = self.convolution.weight, self.convolution.bias
            x = F.conv2d(x, scale * weight, bias) + F.conv2d(ones, offset * weight)
        x = self.norm(F.relu(x))
        return x.amax(dim=2)


def temporal_layer(channels: int) -> nn.Sequential:
    """64 filters over 7 frames of all channels, ``(B, channels, frames)`` to ``(B, 64, frames)``."""
    layers = {"convolution": nn.Conv1d(channels, 64, 7, padding=3), "relu": nn.ReLU(), "norm": keras_norm1d(64)}
    return nn.Sequential(OrderedDict(layers))


class BackEnd(nn.Module):
    """Maximum and mean over time, and a dense layer."""

    def __init__(self, channels: int, units: int, dropout: float) -> None:
        super().__init__()
        self.norm = keras_norm1d(2 * channels)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(2 * channels, units)
        self.dense_norm = keras_norm1d(units)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, frames)`` to ``(B, units)``."""
        x = torch.stack([x.amax(dim=2), x.mean(dim=2)], dim=2)  # (B, channels, 2)
        x = x.flatten(1)  # (B, 2 · channels): maximum and mean of the first channel, of the second, …
        x = self.dense(self.dropout(self.norm(x)))  # (B, units)
        penultimate: Tensor = self.dense_norm(F.relu(x))
        return penultimate
