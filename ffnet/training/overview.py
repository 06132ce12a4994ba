"""Settings and status of a run in TensorBoard."""

from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from torch.utils.tensorboard.summary import hparams

from ffnet.training.module import Fitting


class Overview(Callback):
    """Logs all settings: in TensorBoard as the text ``config`` and ``hparams.yaml``, and to other loggers as
    hyperparameters. TensorBoard's HPARAMS tab has the run's overrides.

    A run appears there from its first step with its latest scores, even if it is killed. Its status is running, success
    or failure.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        for board in _boards(trainer):  # Lightning writes hparams.yaml next, unless there is one
            board.hparams.update(_settings(pl_module))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        about, settings = pl_module.description, _settings(pl_module)
        text = yaml.safe_dump(settings, sort_keys=False)
        # Without the summary of an experiment: of several, the tab would show the columns of one.
        _, start, _ = hparams({name: _plain(value) for name, value in about.overrides.items()}, {})
        boards = _boards(trainer)
        for board in boards:
            board.experiment.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()), pl_module.step)
            board.experiment._get_file_writer().add_summary(start)
        for logger in trainer.loggers:
            if logger not in boards:
                logger.log_hyperparams(settings)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close(trainer, api_pb2.STATUS_SUCCESS)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, Exception):  # and not Interrupted
            self._close(trainer, api_pb2.STATUS_FAILURE)

    @staticmethod
    def _close(trainer: Trainer, status: Any) -> None:
        about = metadata.create_summary_metadata(HParamsPluginData(session_end_info=SessionEndInfo(status=status)))
        end = Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about)])
        for board in _boards(trainer):
            board.experiment._get_file_writer().add_summary(end)


def _settings(module: Fitting) -> dict[str, Any]:
    """All settings of the run."""
    return {"model": module.description.field} | module.description.settings


def _boards(trainer: Trainer) -> list[TensorBoardLogger]:
    """The TensorBoard loggers, in the process that writes."""
    loggers = trainer.loggers if trainer.is_global_zero else []
    return [logger for logger in loggers if isinstance(logger, TensorBoardLogger)]


def _plain(value: str) -> str | float:
    """A number if the override is one, so that the tab can sort and plot it."""
    try:
        return float(value)
    except ValueError:
        return value
