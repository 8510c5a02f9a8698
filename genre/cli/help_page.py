"""Help for ``genre fit``, ``validate`` and ``test``, and completion by the shell.

The first page of help does not import torch; the page of a class and the completion do.
"""

import argparse
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Any

from genre.errors import GenreError

#: The verbs that LightningCLI parses, and what each does.
FIT_VERBS = {
    "fit": "Train a classifier, test its best checkpoint, write a report to runs/<name>/version_N.",
    "validate": "Score a checkpoint on the validation tracks, print the scores.",
    "test": "Score a checkpoint on the test tracks, write a report to runs/<name>/version_N.",
}

#: Defaults of this command line that differ from Lightning's.
DEFAULTS = {
    "checkpoint.monitor": "val_loss",
    "checkpoint.save_on_train_epoch_end": True,
    "checkpoint.enable_version_counter": False,
    "trainer.max_epochs": 50,
    "trainer.log_every_n_steps": 1,
    "trainer.enable_model_summary": False,
}

#: The classes of this library that an option takes, in the order of the page.
CLASSES = {
    "network": [
        *("SpectralCNN", "BBNN", "Backbone", "ResNet18", "EfficientNetV2S", "MusiCNN", "CNN", "CRNN", "ChoiCRNN"),
        *("IndRNN", "WuRNN", "GaitanouCNN", "GaitanouCRNN", "KhameesCNN", "KhameesLSTM", "KhameesMLP"),
        *("YaacobCNN1D", "YaacobCNN2D", "YaacobCRNN", "YaacobRNN", "SideBySide"),
    ],
    "data": ["Folder", "CSV", "GTZAN", "FMA", "Ballroom", "Synthetic"],
    "features": ["MelSpectrogram", "MFCC", "Spectrogram"],
    "split": ["StratifiedSplit", "OfficialSplit", "KFoldSplit", "SegmentSplit"],
}

#: The options of the page and what they do, with an empty line between the most common ones and the rest.
PAGE = (
    ("-c, --config FILE", "a recipe, such as quickstart (see `genre recipes`); what follows overrides it"),
    ("--ckpt_path FILE", "go on with this fit (last.ckpt), or score it (best.ckpt); its own configuration is used"),
    ("--model.network CLASS", ", ".join(CLASSES["network"])),
    ("--model.lr RATE", "the learning rate; --model.optimizer CLASS for another optimizer than AdamW"),
    ("--data CLASS", ", ".join(CLASSES["data"])),
    ("--data.root PATH", "the folder of the music"),
    ("--data.features CLASS", ", ".join(CLASSES["features"])),
    ("--data.split CLASS", ", ".join(CLASSES["split"])),
    ("--data.batch_size N", "segments per batch; --data.num_workers N processes decode them"),
    ("--trainer.max_epochs N", f"epochs to train (default: {DEFAULTS['trainer.max_epochs']})"),
    (
        "--checkpoint.monitor NAME",
        f"the score that the best epoch is chosen by (default: {DEFAULTS['checkpoint.monitor']})",
    ),
    ("--name NAME", "the name of the run (default: that of the configuration file)"),
    ("", ""),
    ("--CLASS_OPTION.help CLASS", "the arguments of a class: --data.help Folder, --model.network.help ResNet18"),
    ("--help-all", "every option: of the model, the data, the checkpoints and Lightning's Trainer"),
    ("--print_config", "the configuration, to be saved as a recipe"),
    ("--import MODULE", "import a module of yours first; CLASS may also be a full name, such as mynet.Net"),
)


def help_page(verb: str) -> str:
    """The most common options, on one screen."""
    lines = [f"usage: genre {verb} [OPTION] …", "", FIT_VERBS[verb], ""]
    for option, text in PAGE:
        lines.append(fill(text, 110, initial_indent=f"  {option:<27}", subsequent_indent=" " * 29) if option else "")
    return "\n".join(lines)


def print_help(verb: str, arguments: Sequence[str]) -> bool:
    """Prints the help that the arguments ask for; returns whether they ask for help."""
    if "--help" in arguments or "-h" in arguments:
        print(help_page(verb))
        return True
    if "--help-all" in arguments:
        from genre.cli.classes import every_option

        print(help_page(verb), every_option(), sep="\n\n")
        return True
    for index, argument in enumerate(arguments):
        option, _, value = argument.partition("=")
        if option.startswith("--") and option.endswith(".help"):
            from genre.cli.classes import class_page

            print(class_page(verb, option.removesuffix(".help"), value or next(iter(arguments[index + 1 :]), "")))
            return True
    return False


class PrintCompletion(argparse.Action):
    """Prints a script for the shell and exits: ``genre --print_completion bash``.

    Its ``const`` holds the parsers of the verbs that get the options of ``genre fit``.
    """

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        """Prints the script for the given shell."""
        try:
            import shtab
        except ImportError:
            raise GenreError(
                "--print_completion needs shtab; install it with pip install 'lightning-genre[completion]'"
            ) from None
        completers = {"file": shtab.FILE, "folder": shtab.DIRECTORY}
        for verb in self.const:
            for name, choices, path_type in _options():
                action = verb.add_argument(name, choices=choices)
                if path_type in completers:
                    action.complete = completers[path_type]  # shtab reads it
        print(shtab.complete(parser, shell=given[1]))
        parser.exit()


def _options() -> Iterator[tuple[str, list[str] | None, str]]:
    """Yields the options of ``genre fit``: name, classes that it takes, and ``file``, ``folder`` or an empty string."""
    from genre.cli.classes import GROUPS, OPTIONS, class_paths, find_class, parameters
    from genre.data import GenreDataModule

    yield from (("--config", None, "file"), ("--ckpt_path", None, "file"), ("--runs_dir", None, "folder"))
    yield from ((name, None, "") for name in ("--name", "--seed_everything", "--import", "--help", "--help-all"))
    yield "--data", list(class_paths("data")), ""
    for group, cls in {"data": GenreDataModule, **GROUPS}.items():
        for name in parameters(cls):
            option = f"--{group}.{name}"
            path_type = {"root": "folder", "exclude": "file", "pretrained": "file"}.get(name, "")
            yield option, list(class_paths(name)) if name in OPTIONS else None, path_type
            if name in ("network", "features", "split"):
                classes = [find_class(name, short) for short in class_paths(name)]
                for argument in dict.fromkeys(argument for cls in classes for argument in parameters(cls)):
                    yield f"{option}.{argument}", None, ""
