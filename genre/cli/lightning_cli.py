"""``genre fit``, ``validate`` and ``test``: LightningCLI, with the folders and the manners of this library."""

import logging
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ProgressBar, RichProgressBar
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only
from rich.table import Table

from genre.checkpoint import read_checkpoint
from genre.classifier import GenreClassifier
from genre.cli.best_checkpoint import BestCheckpoint
from genre.cli.config_files import check_configs, with_own_config
from genre.cli.kept_checkpoints import KeptCheckpoints, check_names, complete_options, wants_files
from genre.cli.parser import EPILOG, GenreParser
from genre.cli.relocate_checkpoints import RelocateCheckpoints
from genre.cli.resume import FitSettings
from genre.cli.run_folder import KEYWORDS, claim, discard_unbegun, folder_of, next_version
from genre.cli.save_config import SaveConfig, drop_objects
from genre.cli.trainer_options import (
    check_callbacks,
    check_devices,
    check_length,
    check_monitor,
    check_report,
    check_validation,
)
from genre.cli.user_errors import user_error
from genre.cli.yaml_dumper import use_text_safe_dumper
from genre.cli.yaml_names import keep_names
from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError
from genre.finetuning import GradualUnfreezing, LinearProbe, require_backbone
from genre.metrics import SCORES
from genre.report import Report
from genre.report.folder import short
from genre.terminal import terminal

CLI = TypeVar("CLI", bound="GenreCLI")

VERBS = ("fit", "validate", "test")


def run(arguments: Sequence[str]) -> None:
    """Runs a verb with its options."""
    sys.argv[1:] = with_own_config(list(arguments))  # LightningCLI and DDP's child processes read them there
    start(GenreCLI)


def start(cli: "type[CLI]", arguments: Sequence[str] | None = None) -> "CLI":
    """Parses the arguments, by default those of the program, and does what ``cli`` does with them."""
    logging.basicConfig(format="genre: %(message)s", level=logging.WARNING)
    use_text_safe_dumper()
    keep_names()
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
            parser_kwargs={
                "allow_abbrev": False,
                **{verb: {"usage": f"genre {verb} [OPTION] …", "epilog": EPILOG} for verb in VERBS},
            },
            save_config_callback=SaveConfig,
            save_config_kwargs={"overwrite": True},  # a resumed fit goes on in its own folder
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=None if arguments is None else list(arguments),
        )
    except Exception as error:
        raise user_error(error) from error


class GenreCLI(LightningCLI):
    """LightningCLI whose runs go to ``<runs_dir>/<name>/version_N``, resume in place, and end with a report."""

    known_genres: list[str] | None = None
    settings: FitSettings

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
        parser.add_class_arguments(KeptCheckpoints, "checkpoint")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val_loss",
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
        try:
            check_configs(sys.argv[1:] if args is None else list(args))
        except GenreError as error:
            parser.error(str(error))
        super().parse_arguments(parser, args)
        options = self._options
        drop_objects(options)
        check_monitor(options)
        checkpoint = options.ckpt_path
        if checkpoint is not None and checkpoint not in KEYWORDS:
            self.known_genres = read_checkpoint(checkpoint)["genre"]["genres"]
        self.folder = self._run_folder()
        options.name = self.folder.parent.name

    def before_instantiate_classes(self) -> None:
        """Refuses what cannot work before anything is read or written."""
        verb, options = self.config.subcommand, self._options
        if verb == "fit":
            check_length(options.trainer)
            check_callbacks(options.trainer.callbacks)
            complete_options(options.checkpoint)
        elif options.ckpt_path is None or options.ckpt_path in KEYWORDS:
            self.parser.error(
                f"genre {verb} scores a trained network: give --ckpt_path runs/<name>/version_N/checkpoints/best.ckpt"
            )
        check_report(options.trainer, verb)
        check_devices(options.trainer)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """The Trainer with loggers, progress bar, checkpoints and report, unless they are switched off."""
        config = self.config_init[self.subcommand]
        trainer = config.trainer
        self.report = Report()
        given = trainer.callbacks or []
        callbacks: list[Callback] = [*given] if isinstance(given, list) else [given]
        if trainer.enable_progress_bar is not False and not any(isinstance(bar, ProgressBar) for bar in callbacks):
            callbacks.append(RichProgressBar())
        callbacks.append(self.report)  # after the progress bar, which has to be gone when it prints
        if self.subcommand == "fit":
            callbacks += self._fit_callbacks(callbacks)
        new = self.subcommand != "validate" and not (self.folder / "config.yaml").exists()
        if new and getattr(rank_zero_only, "rank", 0) == 0:
            self.folder = claim(self.folder)
        loggers = trainer.logger
        if self.subcommand == "validate":  # it leaves nothing behind
            loggers, self.save_config_callback = False, None
        elif loggers in (None, True):
            loggers = self._loggers()
        elif loggers is not False:
            # The run's own log comes first: where it lies, Lightning and the report put all else.
            loggers = [self._loggers()[-1], *(loggers if isinstance(loggers, list) else [loggers])]
        # Without a logger, this is the run's folder.
        root = trainer.default_root_dir or (self.folder if loggers is False else None)
        try:
            return super().instantiate_trainer(callbacks=callbacks, logger=loggers, default_root_dir=root)
        except Exception:
            discard_unbegun(self.folder)
            raise

    def fit(self, model: GenreClassifier, datamodule: GenreDataModule, ckpt_path: str | None) -> None:
        """Trains, then tests the best checkpoint."""
        check_validation(self._options, datamodule)
        content = _check(ckpt_path, model, datamodule, resume=True)
        if content is not None:
            self.settings.take_findings(content, self.trainer, datamodule)
        self.settings.note_length(self.trainer, model, datamodule)
        if content is not None:
            self.settings.require_same(content, self.trainer)
        elif ckpt_path is None:
            model.warm_start(datamodule.features)  # here, so that what cannot be loaded leaves no run behind
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # of the Trainer
            if isinstance(callback, LinearProbe | GradualUnfreezing):
                require_backbone(model.network)
            if isinstance(callback, LinearProbe):
                callback.check(datamodule)
        _keep(self.folder / "metrics.csv")
        self.trainer.fit(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True)
        if self.trainer.global_step == 0:
            raise GenreError("the fit has ended before its first step: there is nothing to test; give more max_time")
        best = next((callback for callback in self.trainer.callbacks if isinstance(callback, BestCheckpoint)), None)  # type: ignore[attr-defined]
        if best is not None and best.unscored:
            self._score_last_weights(best, model, datamodule)
        if best is not None and best.best.is_file():
            # Not Trainer.test(ckpt_path=…): a callback of the fit may load its running weights from the checkpoint.
            content = read_checkpoint(best.best)
            model.load_state_dict(content["state_dict"])
            self.report.tested_epoch = int(content["epoch"])
        self.trainer.test(model, datamodule=datamodule, verbose=False)

    def validate(self, model: GenreClassifier, datamodule: GenreDataModule, ckpt_path: str | None) -> None:
        """Scores the validation tracks, and prints the scores."""
        _check(ckpt_path, model, datamodule)
        (scores,) = self.trainer.validate(
            model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True, verbose=False
        )
        if self.trainer.is_global_zero:
            _print_scores(scores, datamodule)

    def test(self, model: GenreClassifier, datamodule: GenreDataModule, ckpt_path: str | None) -> None:
        """Scores the test tracks, and writes the report."""
        _check(ckpt_path, model, datamodule)
        self.trainer.test(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True, verbose=False)

    def _score_last_weights(self, best: BestCheckpoint, model: GenreClassifier, data: GenreDataModule) -> None:
        """Scores the weights that the fit has left, such as an average of several epochs', like one more epoch."""
        started = perf_counter()
        (scores,) = self.trainer.validate(model, datamodule=data, verbose=False)
        seconds = round(perf_counter() - started, 3)
        self.report.history.append({"epoch": self.trainer.current_epoch, "seconds": seconds, **scores})
        best.offer(self.trainer, model)

    def _fit_callbacks(self, given: Iterable[Callback]) -> list[Callback]:
        """The callbacks of a fit that keep its checkpoints and let it go on."""
        options = self._options
        self.settings = FitSettings(options.model, options.checkpoint)
        if options.trainer.enable_checkpointing is False:
            return [self.settings]
        check_names(given)
        checkpoint = options.checkpoint
        best = BestCheckpoint(checkpoint.monitor, checkpoint.mode, checkpoint.every_n_epochs or 1)
        kept = [self.config_init[self.subcommand].checkpoint] if wants_files(checkpoint) else []
        # last.ckpt holds the state of the callbacks before it: of the kept files too, so that none is orphaned.
        return [self.settings, RelocateCheckpoints(), *kept, best]

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except SystemExit:  # Lightning's answer to Ctrl-C
            last = self.folder / "checkpoints" / "last.ckpt"
            then = ""
            if subcommand == "fit" and last.is_file():
                then = f"; go on with: genre fit --ckpt_path {short(last)}"
            elif subcommand == "fit" and self.trainer.checkpoint_callbacks:
                then = " before the first epoch was over; nothing to go on from"
            print(f"genre: interrupted{then}", file=sys.stderr)
            sys.exit(130)
        finally:
            if self.trainer.is_global_zero:
                discard_unbegun(self.folder)

    @property
    def _options(self) -> Any:
        return self.config[self.config.subcommand]

    def _genres(self, data: GenreDataModule) -> list[str]:
        if self.known_genres is not None:
            data.use_genres(self.known_genres)
        return data.genres

    def _run_folder(self) -> Path:
        """A new version's folder, or, for a fit that resumes, that of its checkpoint."""
        options = self._options
        own = folder_of(options.ckpt_path) if self.config.subcommand == "fit" else None
        if own is not None and options.name in (None, own.parent.name):
            return own
        files = [Path(str(file)).stem for file in options.config or []]
        network = str(options.model.network.class_path).rpartition(".")[2]
        name = options.name or "-".join(files) or network
        parent = Path(options.runs_dir).expanduser().resolve() / name  # absolute: a resumed fit compares it
        return next_version(parent)

    def _loggers(self) -> list[Logger]:
        place, name, version = self.folder.parents[1], self.folder.parent.name, self.folder.name
        return [TensorBoardLogger(place, name, version), CSVLogger(place, name, version)]


def _check(
    checkpoint: str | None, model: GenreClassifier, data: GenreDataModule, resume: bool = False
) -> dict[str, Any] | None:
    """Reads a checkpoint, and raises if it does not fit: Lightning reads it when the run's folder has been begun."""
    if checkpoint is None or checkpoint in KEYWORDS:
        return None
    content = read_checkpoint(checkpoint)
    model.require_fitting(content, data, resume)
    return content


@rank_zero_only
def _keep(log: Path) -> None:
    """Renames the log of an interrupted fit, which CSVLogger would delete."""
    if log.is_file():
        earlier = len(list(log.parent.glob("metrics.*.csv")))
        log.rename(log.with_suffix(f".{earlier}.csv"))


def _print_scores(scores: Mapping[str, float], data: GenreDataModule) -> None:
    console = terminal()
    unit = "segments" if data.split.leaky else "tracks"
    console.print(f"{len(data.tracks('validation'))} validation {unit} of {type(data).__name__}", highlight=False)
    table = Table("score")
    table.add_column("value", justify="right")
    for name in (*SCORES, "loss"):
        table.add_row(name, f"{scores[f'val_{name}']:.3f}")
    console.print(table)
