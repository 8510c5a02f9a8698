"""Help for ``genre fit``, ``validate`` and ``test``, and shell completion.

The help is one screen that does not import torch, and one page per class. ``genre --print_completion bash`` prints a
script for the shell.
"""

import argparse
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Any

from genre.errors import GenreError

#: Defaults of this command line that differ from Lightning's.
DEFAULTS = {
    "checkpoint.monitor": "val_loss",
    "checkpoint.save_on_train_epoch_end": True,
    "checkpoint.enable_version_counter": False,
    "trainer.max_epochs": 50,
    "trainer.log_every_n_steps": 1,
    "trainer.enable_model_summary": False,
}

#: What each verb does.
PURPOSES = {
    "fit": "Trains a classifier, tests its best checkpoint, and writes a report to runs/<name>/version_N.",
    "validate": "Scores a checkpoint on the validation tracks, and prints the scores.",
    "test": "Scores a checkpoint on the test tracks, and writes a report to runs/<name>/version_N.",
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

MAIN_OPTIONS = (
    ("-c, --config FILE", "a recipe, such as quickstart (see `genre recipes`); what follows overrides it"),
    ("--ckpt_path FILE", "go on with this fit (last.ckpt), or score it (best.ckpt); its own configuration is used"),
    ("--model.network CLASS", "{network}"),
    ("--model.lr RATE", "the learning rate; --model.optimizer CLASS for another optimizer than AdamW"),
    ("--data CLASS", "{data}"),
    ("--data.root PATH", "the folder of the music"),
    ("--data.features CLASS", "{features}"),
    ("--data.split CLASS", "{split}"),
    ("--data.batch_size N", "segments per batch; --data.num_workers N processes decode them"),
    ("--trainer.max_epochs N", "epochs to train (default: {trainer.max_epochs})"),
    ("--checkpoint.monitor NAME", "the score that the best epoch is chosen by (default: {checkpoint.monitor})"),
    ("--name NAME", "the name of the run (default: that of the configuration file)"),
)

MORE = (
    ("--CLASS_OPTION.help CLASS", "the arguments of a class: --data.help Folder, --model.network.help ResNet18"),
    ("--help-all", "every option: of the model, the data, the checkpoints and Lightning's Trainer"),
    ("--print_config", "the configuration, to be saved as a recipe"),
    ("--import MODULE", "import a module of yours first; CLASS may also be a full name, such as mynet.Net"),
)


def help_page(verb: str) -> str:
    """The most common options, on one screen."""
    names = {option: ", ".join(classes) for option, classes in CLASSES.items()}
    lines = [f"usage: genre {verb} [OPTION] …", "", PURPOSES[verb], ""]
    for option, text in (*MAIN_OPTIONS, ("", ""), *MORE):
        for name, value in {**names, **DEFAULTS}.items():
            text = text.replace(f"{{{name}}}", str(value))
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
    """Prints the script and exits."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, verbs: Sequence[argparse.ArgumentParser], **options: Any
    ) -> None:
        super().__init__(option_strings, dest, **options)
        self.verbs = verbs

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        """Prints the script for the given shell."""
        try:
            import shtab
        except ImportError:
            raise GenreError(
                "--print_completion needs shtab; install it with pip install 'lightning-genre[completion]'"
            ) from None
        completers = {"file": shtab.FILE, "folder": shtab.DIRECTORY}
        for verb in self.verbs:
            for name, choices, path_type in _completed():
                action = verb.add_argument(name, choices=choices)
                if path_type in completers:
                    action.complete = completers[path_type]  # type: ignore[attr-defined]  # shtab reads it
        print(shtab.complete(parser, shell=given[1]))
        parser.exit()


def _completed() -> Iterator[tuple[str, list[str] | None, str]]:
    """Yields the options of ``genre fit``: name, classes that it takes, and ``file``, ``folder`` or an empty string."""
    from genre.cli import classes
    from genre.data import GenreDataModule

    yield from (("--config", None, "file"), ("--ckpt_path", None, "file"), ("--runs_dir", None, "folder"))
    yield from ((name, None, "") for name in ("--name", "--seed_everything", "--import", "--help", "--help-all"))
    yield "--data", list(classes.class_paths("data")), ""
    for group, cls in {"data": GenreDataModule, **classes.GROUPS}.items():
        for name in classes.parameters(cls):
            option = f"--{group}.{name}"
            path_type = {"root": "folder", "exclude": "file", "pretrained": "file"}.get(name, "")
            yield option, list(classes.class_paths(name)) if name in classes.OPTIONS else None, path_type
            if name in ("network", "features", "split"):
                known = [classes.find_class(name, short) for short in classes.class_paths(name)]
                for argument in dict.fromkeys(argument for cls in known for argument in classes.parameters(cls)):
                    yield f"{option}.{argument}", None, ""
