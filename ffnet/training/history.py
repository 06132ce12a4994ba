"""The logged values of a run, in memory."""

from lightning.pytorch.loggers import Logger


class History(Logger):
    """A Lightning logger that stores ``rows``: one dictionary per step, with ``step`` and the logged values."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    @property
    def name(self) -> str:
        return "history"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, *args: object, **kwargs: object) -> None:
        """Not needed: the run has its settings."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        row = next((row for row in reversed(self.rows) if row["step"] == step), None)
        if row is None:
            row = {"step": float(step or 0)}
            self.rows.append(row)
        row.update(metrics)
