"""What a field under Adam's constant rate scores without the spikes: 100 more steps, in which the rate falls to 0.

PYTHONPATH=benchmarks ffnet fit resume=RUN trainer.max_steps=2100 +callbacks.settle._target_=settle.Settle
"""

from lightning.pytorch import Callback


class Settle(Callback):
    """From where the run stood to ``trainer.max_steps``, the rate falls in a straight line."""

    def on_train_start(self, trainer, module) -> None:
        self.start, self.rates = module.step, [group["lr"] for group in trainer.optimizers[0].param_groups]

    def on_train_batch_start(self, trainer, module, *_) -> None:
        left = (module.max_steps - module.step) / (module.max_steps - self.start)
        for group, rate in zip(trainer.optimizers[0].param_groups, self.rates, strict=True):
            group["lr"] = rate * left
