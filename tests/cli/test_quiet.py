"""Only the messages that are named are hidden: each by its module and its category, whatever its text."""

import logging
import warnings

import pytest
from lightning_fabric.utilities.warnings import PossibleUserWarning

from genre.cli.quiet import LOGGERS, WARNERS, WARNINGS, quiet


def shown(module: str, category: type[Warning]) -> bool:
    """Whether a warning of a module is shown."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        quiet()
        warnings.warn_explicit("any text", category, "file.py", 1, module=module)
    return bool(caught)


@pytest.mark.parametrize(("module", "category"), WARNINGS)
def test_named_warnings_are_hidden(module: str, category: type[Warning]) -> None:
    assert not shown(module, category)
    assert shown(module, DeprecationWarning)  # another category


def test_other_warnings_are_shown() -> None:
    for module in ("pytorch_lightning.trainer.trainer", "pytorch_lightning.loops.fit_loops", "genre.data", "torch"):
        assert shown(module, UserWarning)
        assert shown(module, PossibleUserWarning)
    assert shown("pytorch_lightning.trainer.connectors.data_connector", UserWarning)
    assert not shown("pytorch_lightning.utilities._pytree", FutureWarning)


def test_loggers_of_other_libraries() -> None:
    quiet()
    assert all(not logging.getLogger(name).isEnabledFor(logging.INFO) for name in LOGGERS)
    assert all(not logging.getLogger(name).isEnabledFor(logging.WARNING) for name in WARNERS)
