"""``hydra/sweeper=optuna``: chooses each run from the scores of earlier ones. Hydra finds plug-ins in this package.

hydra-optuna-sweeper requires optuna 2; this sweeper supports current versions, and works with any launcher because it
reads scores from ``metrics.json``, not from the task's return value.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.storages import JournalStorage

# The study and its best run, in the sweep's directory.
STUDY, JOURNAL, BEST = "ffnet", "optuna.journal", "best.json"


class OptunaSweeper(Sweeper):
    """Optimizes a score with optuna's tree-structured Parzen estimator (Bergstra et al. 2011).

    The metrics say whether higher is better. The same seed and scores give the same trials, so a resumed sweep finds
    its runs again.

    Args:
        trials: number of runs.
        at_once: runs launched together, for launchers that run jobs in parallel.
        metric: a score in ``metrics.json``; None is the first score of the first complete run.
        seed: the sampler's seed.
    """

    def __init__(self, trials: int, at_once: int, metric: str | None, seed: int) -> None:
        for name, value in (("trials", trials), ("at_once", at_once)):
            if value < 1:
                raise ValueError(f"hydra.sweeper.{name}: expected at least 1, got {value}")
        self.trials, self.at_once, self.metric, self.seed = trials, at_once, metric, seed
        self.sign = 1  # of the score that is minimized

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        import optuna

        from ffnet.cli.overrides import parsed

        overrides = parsed(arguments, self.hydra_context.config_loader)
        searched = {o.get_key_element(): distribution(o) for o in overrides if o.is_sweep_override()}
        fixed = [
            f"{o.get_key_element()}={o.get_value_element_as_str()}" for o in overrides if not o.is_sweep_override()
        ]
        if not searched:
            raise ValueError("optuna: expected something to search, such as 'encoder.sigma=interval(1,40)'")
        folder = Path(self.config.hydra.sweep.dir)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        (folder / BEST).unlink(missing_ok=True)

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=max(2, self.trials // 3))
        study = optuna.create_study(
            study_name=STUDY, direction="minimize", sampler=sampler, storage=_storage(folder / JOURNAL)
        )
        for first in range(0, self.trials, self.at_once):
            batch = [study.ask(searched) for _ in range(min(self.at_once, self.trials - first))]
            lines = [[*fixed, *(f"{key}={value}" for key, value in trial.params.items())] for trial in batch]
            self.validate_batch_is_legal(lines)
            self.launcher.launch(lines, initial_job_idx=first)
            for trial in batch:
                loss = self._loss(folder / str(trial.number))
                study.tell(trial, loss, state=None if loss is not None else optuna.trial.TrialState.FAIL)
            self._keep_best(study, folder)
        if (folder / BEST).exists():
            best, found = study.best_trial, " ".join(f"{key}={value}" for key, value in study.best_params.items())
            print(f"\nbest    run {best.number}, {self.metric} {self.sign * study.best_value:.4g}: {found}")
            print(f"wrote   {folder / BEST}")

    def _keep_best(self, study: "Study", folder: Path) -> None:
        """Writes the best run so far with its score and settings, if there is one."""
        from optuna.trial import TrialState

        from ffnet.atomic import replacing
        from ffnet.runs import strict_json

        if study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
            score = {self.metric: self.sign * study.best_value}
            best = {"run": study.best_trial.number, "score": score, "settings": study.best_params}
            with replacing(folder / BEST) as temporary:
                temporary.write_text(strict_json(best, indent=2) + "\n")

    def _loss(self, run: Path) -> float | None:
        """The score of a run, negated if higher is better; None if the run has none.

        A study has to be told its direction before the first run says which one that is, so it always minimizes.

        Raises:
            ValueError: if a complete run has no such score.
        """
        from ffnet.runs import number, read_run

        found = read_run(run)
        if found.state != "complete":
            return None
        directions = {name: higher for name, higher in found.higher_is_better.items() if higher is not None}
        self.metric = self.metric or next(iter(directions), None)
        if self.metric not in directions:
            names = ", ".join(directions) or "(none)"
            raise ValueError(f"hydra.sweeper.metric: expected one of the scores {names}, got {self.metric}")
        self.sign = -1 if directions[self.metric] else 1
        score = number(found.metrics.get(self.metric))
        return None if score is None or math.isnan(score) else self.sign * score


def _storage(path: Path) -> "JournalStorage":
    """A new journal of the study, for optuna's tools. One of an earlier start is replaced and not read: a resumed sweep
    asks for its trials again."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.unlink(missing_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


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
