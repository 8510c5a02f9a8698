"""``genre fit``, ``validate`` and ``test``: LightningCLI, with the folders and the manners of this library."""

import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, RichProgressBar
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

import genre.data
import genre.models  # so that class names can be given without their module
from genre.classifier import GenreClassifier
from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError
from genre.predictor import read_checkpoint
from genre.report import Report
from genre.report.folder import short
from genre.usage import one_line

CLI = TypeVar("CLI", bound="GenreCLI")

#: What Lightning accepts in place of a checkpoint's path.
KEYWORDS = ("best", "last", "hpc")


def run(arguments: Sequence[str]) -> None:
    """Runs a verb with its options."""
    sys.argv[1:] = _with_own_config(list(arguments))  # LightningCLI and DDP's child processes read them there
    start(GenreCLI)


def start(cli: "type[CLI]", arguments: Sequence[str] | None = None) -> "CLI":
    """Parses the arguments, by default those of the program, and does what ``cli`` does with them."""
    logging.basicConfig(format="genre: %(message)s", level=logging.WARNING)
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric", "torch.utils.flop_counter"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning|lightning_fabric|torch|jsonargparse")
    try:
        return cli(
            GenreClassifier,
            GenreDataModule,
            subclass_mode_data=True,
            seed_everything_default=0,
            parser_class=GenreParser,
            parser_kwargs={"allow_abbrev": False},
            save_config_kwargs={"overwrite": True},  # a resumed fit goes on in its own folder
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=None if arguments is None else list(arguments),
        )
    except Exception as error:
        raise _mendable(error) from error


class GenreParser(LightningArgumentParser):
    """A parser that states a mistake in one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exits with status 2."""
        classes = [*genre.data.__all__, *genre.models.__all__]
        print(f"genre: error: {one_line(message, classes)}", file=sys.stderr)
        sys.exit(2)


class GenreCLI(LightningCLI):
    """LightningCLI whose runs go to ``<runs_dir>/<name>/version_N``, resume in place, and end with a report."""

    known_genres: list[str] | None = None

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The verbs, and the arguments of Trainer's methods that are no options of theirs."""
        ours = {"model", "datamodule", "weights_only", "verbose"}
        return {
            "fit": ours | {"train_dataloaders", "val_dataloaders"},
            "validate": ours | {"dataloaders"},
            "test": ours | {"dataloaders"},
        }

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the run's name, the best checkpoint, and the links from data to model."""
        parser.add_argument("--name", type=str | None, default=None, help="The run's name; default: the config files'.")
        parser.add_argument("--runs_dir", type=str, default="runs", help="Where runs are kept.")
        parser.add_class_arguments(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val_loss",
                "checkpoint.filename": "best",
                "checkpoint.save_on_train_epoch_end": True,
                "checkpoint.enable_version_counter": False,
                "trainer.max_epochs": 50,
                "trainer.log_every_n_steps": 1,
                "trainer.enable_model_summary": False,
            }
        )
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)
        parser.link_arguments("data", "model.genres", compute_fn=self._genres, apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses, names the run, and reads the genres of the checkpoint, which come before those of the data."""
        super().parse_arguments(parser, args)
        options = self._options
        checkpoint = options.ckpt_path
        if checkpoint is not None and checkpoint not in KEYWORDS:
            self.known_genres = read_checkpoint(checkpoint)["genre"]["genres"]
        self.folder = self._run_folder()
        options.name = self.folder.parent.name

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """The Trainer with loggers, progress bar, checkpoints and report, unless they are switched off."""
        config = self.config_init[self.subcommand]
        trainer, checkpoint = config.trainer, config.checkpoint
        callbacks: list[Callback] = list(trainer.callbacks or [])
        if trainer.enable_progress_bar is not False:
            callbacks.append(RichProgressBar())
        callbacks.append(Report())  # after the progress bar, which has to be gone when it prints
        if trainer.enable_checkpointing is not False and self.subcommand == "fit":
            # Lightning's save_last skips the epochs that do not improve; to resume, every epoch has to be there.
            # Its mode means nothing without a monitor, but tells its state from that of a `checkpoint` without one.
            last = ModelCheckpoint(
                filename="last", mode="max", save_on_train_epoch_end=True, enable_version_counter=False
            )
            callbacks += [checkpoint, last]
        loggers = trainer.logger
        if loggers in (None, True):
            loggers = self._loggers()
        elif loggers is False:
            self.save_config_callback = None
        return super().instantiate_trainer(callbacks=callbacks, logger=loggers)

    def fit(self, model: GenreClassifier, datamodule: GenreDataModule, ckpt_path: str | None) -> None:
        """Trains, then tests the best checkpoint."""
        try:
            self.trainer.fit(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True)
        except SystemExit:  # Lightning's answer to Ctrl-C
            last = self.folder / "checkpoints" / "last.ckpt"
            if last.is_file():
                print(f"genre: interrupted; go on with: genre fit --ckpt_path {short(last)}", file=sys.stderr)
            sys.exit(130)
        best = getattr(self.trainer.checkpoint_callback, "best_model_path", None) or None
        self.test(model, datamodule, best)

    def validate(self, model: GenreClassifier, datamodule: GenreDataModule, ckpt_path: str | None) -> None:
        """Scores the validation tracks."""
        self.trainer.validate(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True)

    def test(self, model: GenreClassifier, datamodule: GenreDataModule, ckpt_path: str | None) -> None:
        """Scores the test tracks, and writes the report."""
        self.trainer.test(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True, verbose=False)

    @property
    def _options(self) -> Any:
        return self.config[self.config.subcommand]

    def _genres(self, data: GenreDataModule) -> list[str]:
        return self.known_genres or data.genres

    def _run_folder(self) -> Path:
        """A new version's folder, or, for a fit that resumes, that of its checkpoint."""
        options = self._options
        own = _folder_of(options.ckpt_path) if self.config.subcommand == "fit" else None
        if own is not None and options.name in (None, own.parent.name):
            return own
        files = [Path(str(file)).stem for file in options.config or []]
        network = str(options.model.network.class_path).rpartition(".")[2]
        name = options.name or "-".join(files) or network
        parent = Path(options.runs_dir).expanduser().resolve() / name  # absolute: a resumed fit compares it
        taken = [int(path.name[8:]) for path in parent.glob("version_*") if path.name[8:].isdecimal()]
        return parent / f"version_{max(taken, default=-1) + 1}"

    def _loggers(self) -> list[Logger]:
        place, name = self.folder.parents[1], self.folder.parent.name
        version = int(self.folder.name.removeprefix("version_"))
        _keep(self.folder / "metrics.csv")
        return [TensorBoardLogger(place, name, version), CSVLogger(place, name, version)]


def _mendable(error: Exception) -> Exception:
    """The GenreError that an error was raised from, such as jsonargparse's of a link; or the error itself."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, GenreError):
        cause = cause.__cause__ or cause.__context__
    return cause or error


@rank_zero_only
def _keep(log: Path) -> None:
    """Renames the log of an interrupted fit, which CSVLogger would delete."""
    if log.is_file():
        earlier = len(list(log.parent.glob("metrics.*.csv")))
        log.rename(log.with_suffix(f".{earlier}.csv"))


def _folder_of(checkpoint: str | None) -> Path | None:
    """The folder of the run that wrote a checkpoint, if it still lies there."""
    if checkpoint is None or checkpoint in KEYWORDS:
        return None
    folder = Path(checkpoint).resolve().parent.parent
    return folder if (folder / "config.yaml").is_file() else None


def _with_own_config(arguments: list[str]) -> list[str]:
    """Adds the configuration that lies beside the checkpoint where none is given."""
    if any(argument in ("-c", "--config") or argument.startswith("--config=") for argument in arguments):
        return arguments
    for index, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--ckpt_path":
            folder = _folder_of(value or next(iter(arguments[index + 1 :]), None))
            if folder is not None:
                return [arguments[0], "--config", str(folder / "config.yaml"), *arguments[1:]]
    return arguments
