"""Runs that lie in folders: finding them, grouping them, tables and plots of their figures."""

from ffnet.runs.plot import draw
from ffnet.runs.report import report
from ffnet.runs.run import Run, exit_code, find_runs, number, read_run, settings
from ffnet.runs.table import FORMATS, Group, Table, metric_names, tabulate, varying

__all__ = [
    "FORMATS",
    "Group",
    "Run",
    "Table",
    "draw",
    "exit_code",
    "find_runs",
    "metric_names",
    "number",
    "read_run",
    "report",
    "settings",
    "tabulate",
    "varying",
]
