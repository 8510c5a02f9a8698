"""The configuration files among the arguments of ``genre fit``, ``validate`` and ``test``."""

from collections.abc import Sequence
from pathlib import Path

from genre.checkpoint import read_checkpoint
from genre.cli.run_folder import KEYWORDS, folder_of
from genre.yaml_file import read_yaml


def with_own_config(arguments: list[str]) -> list[str]:
    """Adds the configuration that lies beside the checkpoint where none is given, and the name of the run's folder.

    The checkpoint comes last: a run's own configuration, given after it, would say that there is none.

    Raises:
        GenreError: What is given as a checkpoint is none: said here, before the options that it would have brought are
            missed.
    """
    checkpoint = next(reversed(_values(arguments, "--ckpt_path")), None)
    if checkpoint is None or checkpoint in KEYWORDS:
        return arguments
    if _values(arguments, "-c", "--config"):
        return [*arguments, f"--ckpt_path={checkpoint}"]
    folder = folder_of(checkpoint)
    if folder is None:
        read_checkpoint(checkpoint)
        return arguments
    # The run may have been moved or renamed since its configuration was written.
    name = [f"--name={folder.parent.name}"] if arguments[0] == "fit" else []
    return [arguments[0], "--config", str(folder / "config.yaml"), *name, *arguments[1:]]


def check_configs(arguments: Sequence[str]) -> None:
    """Checks that what is given as a configuration is one.

    Raises:
        GenreError: It is missing, no text, or no ``key: value`` lines.
    """
    for path in map(Path, _values(arguments, "-c", "--config")):
        if not path.is_fifo():  # which can be read but once
            read_yaml(path)


def _values(arguments: Sequence[str], *names: str) -> list[str]:
    """The values of an option, given as ``--name value`` or ``--name=value``."""
    found: list[str] = []
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in names:
            found += [value] if equals else arguments[index + 1 : index + 2]
    return found
