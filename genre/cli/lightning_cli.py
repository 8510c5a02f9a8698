"""``genre fit``, ``validate`` and ``test``: LightningCLI with run folders, checkpoints and reports."""

import logging
import sys
from argparse import ArgumentError
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, ProgressBar, RichProgressBar
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from genre.checkpoint import Calibration, read_calibration, read_checkpoint
from genre.classifier import GenreClassifier
from genre.cli.arguments import prepare, use_own_yaml, with_defaults
from genre.cli.checkpoints import BestCheckpoint, KeptCheckpoints, check_names, complete_options, wants_files
from genre.cli.help_page import DEFAULTS
from genre.cli.mistakes import CHECKPOINT, report_mistake
from genre.cli.options import usage_error
from genre.cli.quiet import quiet
from genre.cli.resume import FitSettings
from genre.cli.run_folder import KEYWORDS, SaveConfig, claim, discard_unbegun, drop_objects, folder_of, next_version
from genre.cli.user_errors import (
    REFUSALS,
    Computing,
    Constructor,
    as_list,
    check_fit,
    check_monitor,
    check_seed,
    check_trainer,
    check_validation,
    fit_error,
    user_error,
)
from genre.data.datamodule import GenreDataModule
from genre.errors import GenreError, one_line
from genre.finetuning import GradualUnfreezing, LinearProbe, require_backbone
from genre.metrics import SCORES
from genre.report import Report
from genre.report.conditions import scored_unit
from genre.report.folder import short
from genre.terminal import make_table, say, terminal


def run(verb: str, arguments: Sequence[str]) -> None:
    """Runs a verb with its options."""
    logging.basicConfig(format="genre: %(message)s", level=logging.WARNING)
    quiet()
    options, added = with_defaults(arguments) if verb == "fit" else (arguments, None)
    try:
        cli = GenreCLI(verb, options)
        if added is not None:
            rank_zero_only(say)(added)
        cli.run()
    except Exception as error:
        raise user_error(error) from error


class GenreCLI(LightningCLI):
    """LightningCLI for one verb; runs go to ``<runs_dir>/<name>/version_N`` and end with a report."""

    known_genres: list[str] | None = None
    settings: FitSettings

    def __init__(self, verb: str, arguments: Sequence[str]) -> None:
        self.verb = verb
        use_own_yaml()
        prepared = prepare(verb, arguments)
        super().__init__(
            GenreClassifier,
            GenreDataModule,
            subclass_mode_data=True,
            seed_everything_default=0,
            parser_kwargs={"prog": f"genre {verb}", "allow_abbrev": False, "exit_on_error": False},
            save_config_callback=None,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            run=False,
            args=prepared,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds the options for the run and its checkpoints, and the links from data to model."""
        parser.add_argument("--name", type=str | None, default=None, help="The run's name; default: the config files'.")
        parser.add_argument("--runs_dir", type=str, default="runs", help="Where runs are kept.")
        parser.add_argument(
            "--ckpt_path", type=str | None, default=None, help="The checkpoint to go on from or to score."
        )
        parser.add_class_arguments(KeptCheckpoints, "checkpoint")
        parser.set_defaults(dict(DEFAULTS))
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)
        parser.link_arguments("data", "model.genres", compute_fn=self._genres, apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the options, names the run, and reads the checkpoint, whose genres replace those of the data."""
        assert isinstance(args, list)  # from prepare()
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            report_mistake(error, parser, args)
        drop_objects(self.config)
        check_seed(self.config.seed_everything)
        check_monitor(self.config)
        checkpoint = self.config.ckpt_path
        self.checkpoint = None if checkpoint is None or checkpoint in KEYWORDS else read_checkpoint(checkpoint)
        if self.checkpoint is not None:
            self.known_genres = self.checkpoint["genre"]["genres"]
        self.folder = self._run_folder()
        self.config.name = self.folder.parent.name

    def before_instantiate_classes(self) -> None:
        """Rejects options that cannot work, before anything is read or written."""
        if self.verb == "fit":
            check_fit(self.config.trainer)
            complete_options(self.config.checkpoint)
        elif self.checkpoint is None:
            usage_error(f"genre {self.verb} scores a trained network: give {CHECKPOINT}")
        check_trainer(self.config.trainer, self.verb)

    def instantiate_classes(self) -> None:
        """Instantiates what is configured, each class by a :class:`~genre.cli.user_errors.Constructor`."""
        construct = Constructor()
        try:
            self.config_init = self.parser.instantiate(self.config, instantiators=[(construct, object, True)])
        except ValueError:
            if construct.refused is None:
                raise
            raise construct.refused from None
        self.datamodule, self.model = self.config_init.data, self.config_init.model
        self.trainer = self.instantiate_trainer()

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """The Trainer with loggers, progress bar, checkpoints and report, unless they are switched off."""
        trainer = self.config_init.trainer
        self.report, self.computing = Report(), Computing()
        callbacks: list[Callback] = as_list(trainer.callbacks)
        if trainer.enable_progress_bar is not False and not any(isinstance(bar, ProgressBar) for bar in callbacks):
            callbacks.append(EpochBar())
        callbacks += [self.computing, self.report]  # after the progress bar, which has to end before the report prints
        loggers = trainer.logger
        if self.verb == "validate":  # it leaves nothing behind
            loggers = False
        else:
            if not (self.folder / "config.yaml").exists():
                self.folder = rank_zero_only(claim)(self.folder) or self.folder
            callbacks.append(SaveConfig(self.parser, self.config))
            if loggers in (None, True):
                loggers = self._loggers()
            elif loggers is not False:
                # The CSV log comes first: Lightning and the report write into the first logger's folder.
                loggers = [self._loggers()[-1], *as_list(loggers)]
        # Without a logger, the run's folder is default_root_dir.
        root = trainer.default_root_dir or (self.folder if loggers is False else None)
        try:
            if self.verb == "fit":
                callbacks += self._fit_callbacks(callbacks)
            return super().instantiate_trainer(callbacks=callbacks, logger=loggers, default_root_dir=root)
        except (GenreError, *REFUSALS) as error:
            discard_unbegun(self.folder)
            raise error if isinstance(error, GenreError) else GenreError(f"Trainer: {one_line(error)}") from error

    def run(self) -> None:
        """Runs the verb."""
        try:
            self.fit() if self.verb == "fit" else self.score()
        except SystemExit:  # Lightning raises it on Ctrl-C
            last = self.folder / "checkpoints" / "last.ckpt"
            then = ""
            if self.verb == "fit" and last.is_file():
                then = f"; go on with: genre fit --ckpt_path {short(last)}"
            elif self.verb == "fit" and self.trainer.checkpoint_callbacks:
                then = " before the first epoch was over; nothing to go on from"
            print(f"genre: interrupted{then}", file=sys.stderr)
            sys.exit(130)
        except Exception as error:
            raise fit_error(error, self.trainer, self.datamodule, computing=self.computing.begun) from error
        finally:
            if self.trainer.is_global_zero:
                discard_unbegun(self.folder)

    def fit(self) -> None:
        """Trains, then tests the best checkpoint."""
        model, data, content = self.model, self.datamodule, self.checkpoint
        check_validation(self.config, data)
        if content is not None:
            model.require_fitting(content, data, resume=True)  # Lightning would first write into the folder
            self.settings.take_findings(content, self.trainer, data)
        self.settings.note_length(self.trainer, model, data)
        if content is not None:
            self.settings.require_same(content, self.trainer)
        elif self.config.ckpt_path is None:
            model.warm_start(data.features)  # here: a file that cannot be loaded then leaves no run folder behind
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, LinearProbe | GradualUnfreezing):
                require_backbone(model.network)
            if isinstance(callback, LinearProbe):
                callback.check(data)
        log = self.folder / "metrics.csv"
        if self.trainer.is_global_zero and log.is_file():  # CSVLogger would delete the log of an interrupted fit
            log.rename(log.with_suffix(f".{len(list(self.folder.glob('metrics.*.csv')))}.csv"))
        self.trainer.fit(model, datamodule=data, ckpt_path=self.config.ckpt_path, weights_only=True)
        if self.trainer.global_step == 0:
            raise GenreError("the fit has ended before its first step: there is nothing to test; give more max_time")
        best = next((callback for callback in self.trainer.callbacks if isinstance(callback, BestCheckpoint)), None)  # type: ignore[attr-defined]
        if best is not None and best.unscored:
            self._score_last_weights(best)
        if best is not None and best.best.is_file():
            # Not Trainer.test(ckpt_path=…): a callback of the fit may load its running weights from the checkpoint.
            tested = read_checkpoint(best.best)
            model.load_state_dict(tested["state_dict"])
            model.calibration = read_calibration(tested["genre"])
            self.report.tested_epoch = int(tested["epoch"])
        self.trainer.test(model, datamodule=data, verbose=False)

    def score(self) -> None:
        """Scores the validation tracks and prints the scores, or scores the test tracks and writes the report."""
        if self.checkpoint is not None:
            self.model.require_fitting(self.checkpoint, self.datamodule)
        function = self.trainer.validate if self.verb == "validate" else self.trainer.test
        (scores,) = function(
            self.model, datamodule=self.datamodule, ckpt_path=self.config.ckpt_path, weights_only=True, verbose=False
        )
        if self.verb == "validate" and self.trainer.is_global_zero:
            _print_scores(scores, self.datamodule)

    def _score_last_weights(self, best: BestCheckpoint) -> None:
        """Scores the final weights, such as an average over epochs, as one more epoch."""
        started = perf_counter()
        self.model.calibration = Calibration()
        (scores,) = self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)
        seconds = round(perf_counter() - started, 3)
        self.report.history.append({"epoch": self.trainer.current_epoch, "seconds": seconds, **scores})
        self.model.calibrate()
        best.offer(self.trainer, self.model)

    def _fit_callbacks(self, given: Iterable[Callback]) -> list[Callback]:
        """The callbacks that save checkpoints and allow a fit to be resumed."""
        checkpoint = self.config.checkpoint
        self.settings = FitSettings(self.config.model, checkpoint, self.folder)
        if self.config.trainer.enable_checkpointing is False:
            return [self.settings]
        check_names(given)
        best = BestCheckpoint(checkpoint.monitor, checkpoint.mode, checkpoint.every_n_epochs or 1)
        kept = [self.config_init.checkpoint] if wants_files(checkpoint) else []
        # BestCheckpoint comes last: last.ckpt then holds the state of all others, also which files they keep.
        return [self.settings, *kept, best]

    def _genres(self, data: GenreDataModule) -> list[str]:
        if self.known_genres is not None:
            data.use_genres(self.known_genres)
        return data.genres

    def _run_folder(self) -> Path:
        """The folder of a new version; for a resumed fit, the folder of its checkpoint."""
        options = self.config
        own = folder_of(options.ckpt_path) if self.verb == "fit" else None
        if own is not None and options.name in (None, own.parent.name):
            return own
        files = [Path(str(file)).stem for file in options.config or []]
        network = str(options.model.network.class_path).rpartition(".")[2]
        name = options.name or "-".join(files) or network
        parent = Path(options.runs_dir).expanduser().resolve() / name  # absolute: a resumed fit compares it
        return next_version(parent)

    def _loggers(self) -> list[Logger]:
        place, name, version = self.folder.parents[1], self.folder.parent.name, self.folder.name
        tensorboard = [TensorBoardLogger(place, name, version)] if find_spec("tensorboard") else []
        return [*tensorboard, CSVLogger(place, name, version)]


class EpochBar(RichProgressBar):
    """Lightning's progress bar, with epochs counted from 1."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: D102
        super().on_train_epoch_start(trainer, pl_module)
        if self.progress is not None and self.train_progress_bar_id is not None:
            last = "" if trainer.max_epochs in (None, -1) else f"/{trainer.max_epochs}"
            epoch = f"Epoch {trainer.current_epoch + 1}{last}"
            width = len(self.validation_description)  # aligns it with the validation bar below
            self.progress.update(self.train_progress_bar_id, description=f"{epoch:{width}}")


def _print_scores(scores: Mapping[str, float], data: GenreDataModule) -> None:
    say(f"{len(data.tracks('validation'))} validation {scored_unit(data)} of {type(data).__name__}")
    table = make_table("score", numbers=["value"])
    for name in (*SCORES, "loss"):
        table.add_row(name, f"{scores[f'val_{name}']:.3f}")
    terminal().print(table)
