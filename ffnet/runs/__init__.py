"""Run directories: finding and grouping runs, tables, plots and reports of their scores."""

from ffnet.runs.arrange import arranged
from ffnet.runs.plot import draw
from ffnet.runs.report import report
from ffnet.runs.run import Run, exit_code, find_runs, number, read_run, score_directions, settings, strict_json
from ffnet.runs.table import FORMATS, Group, Table, tabulate, varying

__all__ = [
    "FORMATS",
    "Group",
    "Run",
    "Table",
    "arranged",
    "draw",
    "exit_code",
    "find_runs",
    "number",
    "read_run",
    "report",
    "score_directions",
    "settings",
    "strict_json",
    "tabulate",
    "varying",
]
