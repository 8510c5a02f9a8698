"""Reads a recipe without training: the data, the epochs and the weights that ``genre fit`` would use.

:mod:`genre.recipes` finds the file of a recipe by its name. :func:`genre.cli.arguments.with_defaults` chooses the
recipe of a ``genre fit`` without one.
"""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from genre.benchmark.plan import Recipe
from genre.cli.lightning_cli import GenreCLI
from genre.cli.run_folder import folder_of
from genre.cli.user_errors import Constructor, user_error
from genre.data.datamodule import GenreDataModule


def read_recipe(options: Sequence[str]) -> Recipe:
    """Reads options of ``genre fit``, such as ``--config RECIPE --data.root ROOT``, and checks them all."""
    try:
        return _RecipeCLI("fit", options).recipe
    except Exception as error:
        raise user_error(error) from error


def read_data(options: Sequence[str], checkpoint: Path | None = None) -> GenreDataModule:
    """The DataModule of :func:`read_recipe`; without ``--config``, options override those of the checkpoint's run."""
    run = None if checkpoint is None else folder_of(str(checkpoint))
    if run is not None and not any(option.partition("=")[0] in ("-c", "--config") for option in options):
        options = [f"--config={run / 'config.yaml'}", *options]
    return read_recipe(options).data


class _RecipeCLI(GenreCLI):
    """Instantiates only the DataModule."""

    recipe: Recipe

    def before_instantiate_classes(self) -> None:
        """Does nothing: the parser has checked the rest of the configuration."""

    def instantiate_classes(self) -> None:
        """Instantiates the DataModule."""
        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(GenreDataModule, "data")
        config = parser.parse_object({"data": self.config.data})
        data = parser.instantiate(config, instantiators=[(Constructor(), object, True)]).data
        weights = (self.config.model.network.get("init_args") or {}).get("pretrained")
        epochs = self.config.trainer.max_epochs
        self.recipe = Recipe(data, 1000 if epochs is None else int(epochs), weights)  # Lightning's own default
