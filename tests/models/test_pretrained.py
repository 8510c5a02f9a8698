"""Six families of timm's networks: one step, frozen and unfrozen, graded rates, prediction, saving and loading."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

import genre
from genre import GenreClassifier, GenreError, GradualUnfreezing, LinearProbe
from genre.data import Folder, MelSpectrogram, StratifiedSplit
from genre.errors import SizeError
from genre.finetuning import backbone_layers
from genre.models import Backbone

from .networks import count

#: timm's smallest of each family: units of the head's input, layers that can be frozen, a parameter of the first one.
FAMILIES = {
    "resnet10t.c3_in1k": (512, 5, "conv1.0.weight"),
    "efficientnetv2_rw_t.ra2_in1k": (1024, 7, "conv_stem.weight"),
    "convnext_atto.d2_in1k": (320, 6, "stem.0.weight"),
    "mobilenetv4_conv_small_035.untrained": (1280, 7, "conv_stem.weight"),  # its num_features are 336
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k": (192, 13, "pos_embed"),
    "swin_tiny_patch4_window7_224.ms_in1k": (768, 6, "patch_embed.proj.weight"),
}


class Watch(pl.Callback):
    """What has changed of a network by the end of each epoch, and the learning rates at the beginning."""

    def __init__(self) -> None:
        self.changed: list[set[str]] = []
        self.rates: list[float] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.rates = [group["lr"] for group in trainer.optimizers[0].param_groups]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.before = {name: value.detach().clone() for name, value in pl_module.network.named_parameters()}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        after = pl_module.network.named_parameters()
        self.changed.append({name for name, value in after if not torch.equal(value, self.before[name])})


@pytest.mark.parametrize("name", FAMILIES)
def test_family(name: str, folder: Path, tmp_path: Path) -> None:
    units, depth, first = FAMILIES[name]
    data = Folder(
        folder, MelSpectrogram(n_mels=32, n_fft=512), StratifiedSplit(), segment_seconds=0.8, batch_size=4, num_workers=0
    )  # fmt: skip
    network = partial(Backbone, name=name, pretrained=False, dropout=0.1, drop_path=0.1)
    classifier = GenreClassifier(network, data.genres, partial(torch.optim.AdamW, lr=0.5), layer_decay=0.5)
    backbone, watch = classifier.network.get_submodule("backbone"), Watch()
    assert classifier.network.get_submodule("head").in_features == units

    frozen = pl.LightningModule()
    frozen.network = classifier.network
    LinearProbe().setup(pl.Trainer(logger=False), frozen, "fit")
    assert count(classifier.network, trainable=True) == units * 3 + 3

    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=2, limit_train_batches=1, limit_val_batches=1, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[GradualUnfreezing(first_epoch=1, epochs_per_layer=0), watch],
    )  # fmt: skip
    trainer.fit(classifier, datamodule=data)
    assert watch.changed[0] == {"head.weight", "head.bias"}
    assert f"backbone.{first}" in watch.changed[1]
    assert len(watch.changed[1]) > 0.9 * len(watch.before)

    names = backbone_layers(backbone)
    assert len(names) == depth
    assert sorted(name for layer in names for name in layer) == sorted(name for name, _ in backbone.named_parameters())
    assert sorted(set(watch.rates)) == pytest.approx([0.5 * 0.5**place for place in range(depth, -1, -1)])

    trainer.save_checkpoint(tmp_path / "last.ckpt")
    loaded = genre.load(tmp_path / "last.ckpt")
    x = torch.randn(2, 1, 32, 35)
    assert torch.equal(loaded.network(x), classifier.eval().network(x))
    song = next(folder.rglob("*.wav"))
    assert sum(loaded.predict(song).probabilities.values()) == pytest.approx(1)


def test_what_timm_keeps_from_weight_decay() -> None:
    network = Backbone(10, "test_vit", pretrained=False)
    assert network.no_weight_decay() == {"backbone.cls_token", "backbone.pos_embed"}
    assert Backbone(10, "test_resnet", pretrained=False).no_weight_decay() == set()


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("test_resnet", (40, 53)),  # as it is
        ("test_vit", (40, 53)),  # timm fills its patches up
        ("swin_tiny_patch4_window7_224", (40, 56)),  # filled up to patches of 4
        ("mixer_s16_224", (224, 224)),  # one size is all it takes
    ],
)
def test_inputs_are_resized_only_where_the_architecture_fixes_their_size(name: str, seen: tuple[int, int]) -> None:
    network = Backbone(3, name, pretrained=False)
    sizes: list[torch.Size] = []
    network.backbone.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape))
    assert network(torch.randn(2, 1, 40, 53)).shape == (2, 3)
    assert sizes == [(2, 1, *seen)]


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])  # normalised by ImageNet's figures; by 0.5 and 0.5
def test_three_channels(name: str) -> None:
    """Pictures are normalised as the weights' pictures were; a feature of mean 0 and deviation 1 becomes a picture."""
    network = Backbone(3, name, pretrained=False, in_channels=3).eval()
    read: list[Tensor] = []
    network.backbone.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    config: Any = network.backbone.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    picture = torch.rand(2, 3, 32, 32)
    network(picture)
    torch.testing.assert_close(read[0], (picture - mean) / std)
    feature = torch.randn(2, 1, 32, 32)
    network(feature)
    red = (feature[:, 0] * 0.229 + 0.485 - mean[0]) / std[0]
    torch.testing.assert_close(read[1][:, 0], red)
    torch.testing.assert_close(network(feature), network(feature * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
                                                         + torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)))  # fmt: skip


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "misspelt": ({"name": "resnet19"}, "timm has no network named resnet19; did you mean resnet18"),
    "unknown": ({"name": "zzzzzz"}, "timm has no network named zzzzzz"),
    "tag": ({"name": "resnet18.in22k"}, "timm has no weights named resnet18.in22k; it has resnet18.a1_in1k, "),
    "no weights": ({"name": "test_nfnet.none"}, "timm has no weights named test_nfnet.none"),
    "channels": ({"in_channels": 2}, "in_channels must be 1 .* or 3 .*; found 2"),
    "dropout": ({"dropout": -0.1}, "dropout is the share that is dropped"),
    "drop path": ({"drop_path": 1.0}, "drop_path is the share that is dropped"),
    "no drop path": ({"name": "vgg11", "drop_path": 0.1}, "vgg11 cannot be built .* leave drop_path at 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_arguments_that_cannot_be(case: str) -> None:
    arguments, message = WRONG[case]
    options: dict[str, Any] = {"pretrained": False, **arguments}
    with pytest.raises(GenreError, match=message) as error:
        Backbone(10, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("channels", "size", "message"),
    [
        (1, (3, 40, 40), "Backbone takes inputs of 1 channel: found 3; use a feature to fit"),
        (3, (2, 40, 40), "Backbone takes inputs of 3 channels: found 2"),
        (1, (1, 2, 40), "found 2 bands by 40 frames, which its backbone uses up"),
    ],
)
def test_inputs_that_do_not_fit(channels: int, size: tuple[int, ...], message: str) -> None:
    network = Backbone(3, "test_convnext", pretrained=False, in_channels=channels)
    with pytest.raises(SizeError, match=message) as error:
        network(torch.zeros(2, *size))
    assert "\n" not in str(error.value)
