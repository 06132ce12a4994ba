"""``hydra/sweeper=optuna``: a sweep that chooses its runs by the scores of those before. Hydra looks for it here.

hydra-optuna-sweeper asks for optuna 2; this one wants today's, and works with any launcher, since it reads the runs'
``metrics.json`` instead of what a task returns.
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

log = logging.getLogger(__name__)


class OptunaSweeper(Sweeper):
    """Maximises a score with optuna's tree-structured Parzen estimator (Bergstra et al. 2011).

    The same seed and the same scores give the same trials, so a sweep that is resumed finds its runs again.

    Args:
        trials: how many runs in all.
        at_once: runs that are launched together, as with ``hydra/launcher=joblib``.
        metric: the score in ``metrics.json``; None is the first PSNR or IoU there.
        seed: of the sampler.
    """

    def __init__(self, trials: int, at_once: int, metric: str | None, seed: int) -> None:
        for name, value in (("trials", trials), ("at_once", at_once)):
            if value < 1:
                raise ValueError(f"hydra.sweeper.{name}: expected at least 1, got {value}")
        self.trials, self.at_once, self.metric, self.seed = trials, at_once, metric, seed

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        import optuna

        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides(arguments)
        searched = {o.get_key_element(): distribution(o) for o in overrides if o.is_sweep_override()}
        fixed = [
            f"{o.get_key_element()}={o.get_value_element_as_str()}" for o in overrides if not o.is_sweep_override()
        ]
        if not searched:
            raise ValueError("optuna: expected something to search, such as 'encoder.sigma=interval(1,40)'")
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=max(2, self.trials // 3))
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for first in range(0, self.trials, self.at_once):
            batch = [study.ask(searched) for _ in range(min(self.at_once, self.trials - first))]
            lines = [[*fixed, *(f"{key}={value}" for key, value in trial.params.items())] for trial in batch]
            self.validate_batch_is_legal(lines)
            self.launcher.launch(lines, initial_job_idx=first)
            for trial in batch:
                score = self._score(folder / str(trial.number))
                study.tell(trial, score, state=None if score is not None else optuna.trial.TrialState.FAIL)
        if any(trial.state == optuna.trial.TrialState.COMPLETE for trial in study.trials):
            best, found = study.best_trial, " ".join(f"{key}={value}" for key, value in study.best_params.items())
            print(f"\nbest    run {best.number}, {best.value:.4g}: {found}")

    def _score(self, run: Path) -> float | None:
        from ffnet.runs import metric_names, number, read_run

        found = read_run(run)
        if found.state != "complete":
            return None
        metric = self.metric or metric_names([found])[0]
        score = number(found.metrics.get(metric))
        if score is None or not math.isfinite(score):
            raise ValueError(f"hydra.sweeper.metric: expected one of {', '.join(found.metrics)}, got {metric}")
        return score


def distribution(override: Override) -> "BaseDistribution":
    """What optuna draws from, for ``interval(a,b)``, ``range(a,b,step)``, a list, and ``tag(log, ...)`` of them.

    Raises:
        ValueError: for a sweep of another kind.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep = override.value()
    logarithmic = "log" in getattr(sweep, "tags", ())
    if isinstance(sweep, IntervalSweep):
        low, high = sweep.start, sweep.end
        if isinstance(low, int) and isinstance(high, int) and "int" in sweep.tags:
            return IntDistribution(low, high, log=logarithmic)
        return FloatDistribution(float(low), float(high), log=logarithmic)
    if isinstance(sweep, RangeSweep | ChoiceSweep) and override.is_discrete_sweep():
        return CategoricalDistribution(list(_texts(override)))
    raise ValueError(f"optuna: expected interval(a,b), range(a,b) or a list, got {override.input_line}")


def _texts(override: Override) -> Sequence[str]:
    values: Any = override.sweep_string_iterator()
    return list(values)
