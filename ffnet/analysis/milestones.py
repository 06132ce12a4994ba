"""Steps at which training is looked at."""


def milestones(steps: int) -> list[int]:
    """0, 1, 2, 5, 10, ... up to ``steps``, and that."""
    series = [digit * 10**power for power in range(len(str(steps))) for digit in (1, 2, 5)]
    return [0, *(step for step in series if step < steps), steps]
