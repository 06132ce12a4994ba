"""What a run is, in TensorBoard."""

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
    """Logs all settings as the text ``config``, and the run's overrides to the HPARAMS tab.

    There the run stands from its first step on, also one that is killed, with its latest ``val/`` scores; whether it
    came to its end, is running or failed is its status.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        boards = _boards(trainer)
        if not boards:
            return
        text = yaml.safe_dump(pl_module.description.get("settings", {}), sort_keys=False)
        overrides = {name: _plain(value) for name, value in pl_module.description.get("overrides", {}).items()}
        # torch wants a value of each metric, and uses its name alone.
        experiment, start, _ = hparams(overrides, {f"val/{part}": 0.0 for part in pl_module.dataset.parts})
        for board in boards:
            board.experiment.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()), pl_module.step)
            for summary in (experiment, start):
                board.experiment._get_file_writer().add_summary(summary)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._close(trainer, api_pb2.STATUS_SUCCESS)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, Exception):  # and not because it was asked to stop
            self._close(trainer, api_pb2.STATUS_FAILURE)

    @staticmethod
    def _close(trainer: Trainer, status: Any) -> None:
        about = metadata.create_summary_metadata(HParamsPluginData(session_end_info=SessionEndInfo(status=status)))
        end = Summary(value=[Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about)])
        for board in _boards(trainer):
            board.experiment._get_file_writer().add_summary(end)


def _boards(trainer: Trainer) -> list[TensorBoardLogger]:
    """The TensorBoard loggers of the process that writes."""
    loggers = trainer.loggers if trainer.is_global_zero else []
    return [logger for logger in loggers if isinstance(logger, TensorBoardLogger)]


def _plain(value: str) -> str | float:
    """A number where the override is one, so that the tab can sort and draw it."""
    try:
        return float(value)
    except ValueError:
        return value
