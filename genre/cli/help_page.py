"""Help for ``genre fit``, ``validate`` and ``test``: one screen that does not import torch, and one page per class."""

from collections.abc import Sequence
from textwrap import fill

#: The verbs that LightningCLI parses, and what each does.
FIT_VERBS = {
    "fit": "Train a classifier, test its best checkpoint, and write a report to runs/<name>/version_N.",
    "validate": "Score a checkpoint on the validation tracks, and print the scores.",
    "test": "Score a checkpoint on the test tracks, and write a report to runs/<name>/version_N.",
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
