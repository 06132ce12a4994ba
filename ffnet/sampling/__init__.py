"""Samplers: which queries of a source a training step uses."""

from ffnet.sampling.base import Draw, Sampler
from ffnet.sampling.importance import ImportanceSampler
from ffnet.sampling.samplers import FullBatch, StratifiedSampler, UniformSampler

__all__ = ["Draw", "FullBatch", "ImportanceSampler", "Sampler", "StratifiedSampler", "UniformSampler"]
