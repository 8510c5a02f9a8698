"""The data of a recipe: the DataModule that ``genre fit`` would train on, without a model or a Trainer."""

from collections.abc import Sequence

from jsonargparse import ArgumentParser

from genre.data.datamodule import GenreDataModule
from genre.lightning_cli import GenreCLI, start


def read_data(options: Sequence[str]) -> GenreDataModule:
    """The DataModule of ``genre fit`` with these options, such as ``--config RECIPE --data.root ROOT``.

    Raises:
        GenreError: A class of the recipe does not accept its arguments.
        SystemExit: An option is misspelt or has a bad value; one line on stderr says which.
    """
    data: GenreDataModule = start(_DataCLI, ["fit", *options]).datamodule
    return data


class _DataCLI(GenreCLI):
    """Builds the data alone."""

    def before_instantiate_classes(self) -> None:
        """Nothing: the rest of the configuration is only checked."""

    def instantiate_classes(self) -> None:
        """Instantiates the DataModule."""
        parser = ArgumentParser(exit_on_error=False)
        parser.add_subclass_arguments(GenreDataModule, "data")
        self.datamodule = parser.instantiate_classes(parser.parse_object({"data": self._options.data})).data

    def _run_subcommand(self, subcommand: str) -> None:
        """No verb is run."""
