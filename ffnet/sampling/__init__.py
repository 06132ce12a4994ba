"""Samplers: which queries of a source a training step uses."""

from ffnet.sampling.base import Draw, Sampler
from ffnet.sampling.samplers import FullBatch, UniformSampler

__all__ = ["Draw", "FullBatch", "Sampler", "UniformSampler"]
