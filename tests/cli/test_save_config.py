"""A saved configuration parses again, whatever callback it names."""

import inspect
import warnings
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning import callbacks

from genre.cli.run_folder import drop_objects, dump, with_strings

#: Values for the arguments that have no default.
REQUIRED: dict[str, Any] = {
    "pruning_fn": "l1_unstructured",
    "swa_lrs": 0.1,
    "monitor": "val_loss",
    "dirpath": "here",
    "scheduling": {4: 2},
    "batch_size_fn": "builtins.len",
    "unfreeze_backbone_at_epoch": 1,
}
SHIPPED = sorted(
    name for name, kind in vars(callbacks).items() if isinstance(kind, type) and issubclass(kind, pl.Callback)
)


class Odd(pl.Callback):
    """With defaults that no file can hold."""

    def __init__(self, name: str = "1e3", device: Any = torch.device("cpu"), layer: Any = object()) -> None:  # noqa: B008
        self.name, self.device, self.layer = name, device, layer


def saved(options: dict[str, Any]) -> tuple[Namespace, Namespace]:
    """Options as they are parsed, and as they are parsed from what is saved of them."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--callbacks", type=list[pl.Callback] | pl.Callback | None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = parser.parse_object({"callbacks": [options]})
        drop_objects(config)
        text = dump(with_strings(yaml.safe_load(parser.dump(config, skip_unset=False)), config))
        again = parser.parse_string(text)
    drop_objects(again)
    return config, again


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_callbacks(name: str) -> None:
    kind = getattr(callbacks, name)
    parameters = inspect.signature(kind).parameters
    required = [p for p, item in parameters.items() if item.default is item.empty and item.kind.name[:3] != "VAR"]
    config, again = saved(
        {"class_path": f"pytorch_lightning.callbacks.{name}", "init_args": {p: REQUIRED[p] for p in required}}
    )
    assert again == config


def test_defaults_and_strings_of_every_kind() -> None:
    config, again = saved({"class_path": f"{__name__}.Odd"})
    assert again == config
    assert vars(again.callbacks[0].init_args) == {"name": "1e3"}


def test_a_string_beside_a_function_stays() -> None:
    options = {"class_path": "pytorch_lightning.callbacks.ModelPruning", "init_args": {"pruning_fn": "ln_structured"}}
    _, again = saved(options)
    assert again.callbacks[0].init_args.pruning_fn == "ln_structured"
