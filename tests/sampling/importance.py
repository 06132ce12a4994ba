"""A sampler that follows the errors."""

import torch

from ffnet.sampling import Draw, Sampler


class Importance(Sampler):
    """Draws queries in proportion to the errors that they had last, and weighs them so that no query counts more."""

    adaptive = True

    def __init__(self, count):
        self.count, self.errors, self.told = count, None, []

    def batch_size(self, size):
        return self.count

    def draw(self, size, generator):
        if self.errors is None:
            self.errors = torch.ones(size, device=generator.device)
        index = torch.multinomial(self.errors, self.count, replacement=True, generator=generator)
        return Draw(index, self.errors.mean() / self.errors[index])

    def update(self, index, errors):
        self.told.append((index, errors))
        self.errors[index] = errors + 1e-3

    def state_dict(self):
        return {"errors": self.errors}

    def load_state_dict(self, state):
        self.errors = state["errors"]
