"""The golden cases of other projects' encoders, and how each is built here by name.

Each entry takes a case's arguments and the case, and gives the encoder. Nothing but the arguments that the project
itself was called with goes in, and the matrix that it drew.
"""

import json
import math
from collections.abc import Callable
from functools import partial

import torch

from ffnet.encoders import Encoder
from ffnet.encoders import conventions as by
from tests.conftest import SHARED

FILE = SHARED / "golden" / "encoders.json"
CASES = {case["id"]: case for case in json.loads(FILE.read_text())} if FILE.is_file() else {}


def matrix(case: dict) -> torch.Tensor:
    return torch.tensor(case["B"], dtype=torch.float64)


def tensor(case: dict, key: str) -> torch.Tensor:
    return torch.tensor(case[key], dtype=torch.float64)


def embedder(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    options = (a["include_input"], a["max_freq_log2"], a["log_sampling"])
    return by.nerf_pytorch(a["input_dims"], a["num_freqs"], *options, dtype)


def bacon(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    include = a.get("include_input", True)
    if a.get("gaussian_pe"):
        return by.bacon_gaussian(matrix(case), include, dtype)
    return by.bacon_positional(
        a["input_dim"], a["num_encoding_functions"], include, normalize=a.get("normalize", False), dtype=dtype
    )


def bacon_fourier(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    drawn = matrix(case) if a["gaussian"] else by.shifted_octaves(a["dims"], a["embedding_size"], a["scale"])
    return by.bacon_fourier(drawn, tensor(case, "amplitudes"), dtype)


def nerfstudio(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    build = by.nerfstudio_nerf_integrated if "covs" in case else by.nerfstudio_nerf
    names = ("num_frequencies", "min_freq_exp", "max_freq_exp", "include_input")
    return build(a["in_dim"], **{name: a[name] for name in names}, dtype=dtype)


def nerfstudio_fourier(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    build = by.nerfstudio_fourier_integrated if "covs" in case else by.nerfstudio_fourier
    names = ("num_frequencies", "min_freq_exp", "max_freq_exp", "include_input")
    return build(matrix(case), **{name: a[name] for name in names}, dtype=dtype)


def pytorch3d(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    build = by.pytorch3d_integrated if "diag_cov" in case else by.pytorch3d
    return build(len(case["inputs"][0]), **a, dtype=dtype)


def fourier_feature_nets(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    b = matrix(case)
    if "max_log_scale" in a:  # its positional matrix: frequency outermost, pi in front
        count = a["embedding_size"] // a["num_inputs"]
        frequencies = 2 ** torch.linspace(0, a["max_log_scale"], count, dtype=torch.float64)
        b = torch.kron(frequencies[None], torch.eye(a["num_inputs"], dtype=torch.float64))
    return by.fourier_feature_nets(b, tensor(case, "amplitudes"), dtype)


def physicsnemo(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    spec = a["frequencies"]
    if isinstance(spec[0], str) and spec[0] != "gaussian":
        return by.physicsnemo(by.physicsnemo_frequencies(a["in_features"], spec[0].split(","), spec[1]), dtype)
    return by.physicsnemo(matrix(case), dtype)


def tancik(a: dict, case: dict, dtype: torch.dtype) -> Encoder:
    if a.get("encoding") == "posenc_new":
        rows = by.shifted_octaves(len(case["inputs"][0]), a["embedding_size"], a["posenc_scale"])
        return by.fourier_feature_networks(rows, tensor(case, "amplitudes"), dtype)
    return by.fourier_feature_networks(matrix(case), dtype=dtype)


def drawn(build: Callable) -> Callable:
    return lambda a, case, dtype: build(matrix(case), dtype=dtype)


BUILDERS: dict[str, Callable[[dict, dict, torch.dtype], Encoder]] = {
    "nerf-pytorch.get_embedder": lambda a, case, dtype: by.nerf_pytorch(3, a["multires"], dtype=dtype),
    "nerf-pytorch.Embedder": embedder,
    "siren.PosEncodingNeRF": lambda a, case, dtype: by.siren(
        a["in_features"], a["sidelength"] if a.get("use_nyquist", True) and "sidelength" in a else None, dtype
    ),
    "wire.PosEncoding": lambda a, case, dtype: by.wire(a["in_features"], a.get("sidelength"), dtype),
    "kaolin-wisp.PositionalEmbedder": lambda a, case, dtype: by.kaolin_wisp(
        a["input_dim"],
        a["num_freq"],
        a["max_freq_log2"],
        a.get("log_sampling", True),
        a.get("include_input", True),
        dtype,
    ),
    "nerfacc.SinusoidalEncoder": lambda a, case, dtype: by.nerfacc(
        a["x_dim"], a["min_deg"], a["max_deg"], a["use_identity"], dtype
    ),
    "nerfstudio.NeRFEncoding": nerfstudio,
    "nerfstudio.FFEncoding": nerfstudio_fourier,
    "nerfstudio.RFFEncoding": lambda a, case, dtype: by.nerfstudio_random(matrix(case), a["include_input"], dtype),
    "nerfstudio.SHEncoding": lambda a, case, dtype: by.nerfstudio_harmonics(a["levels"]),
    "pytorch3d.HarmonicEmbedding": pytorch3d,
    "random-fourier-features-pytorch.GaussianEncoding": drawn(by.random_fourier_gaussian),
    "random-fourier-features-pytorch.BasicEncoding": lambda a, case, dtype: by.random_fourier_basic(2, dtype),
    "random-fourier-features-pytorch.PositionalEncoding": lambda a, case, dtype: by.random_fourier_positional(
        len(case["inputs"][0]), a["sigma"], a["m"], dtype
    ),
    "fourier_feature_nets.BasicFourierMLP": fourier_feature_nets,
    "fourier_feature_nets.PositionalFourierMLP": fourier_feature_nets,
    "fourier_feature_nets.GaussianFourierMLP": fourier_feature_nets,
    "fourier_feature_nets.FourierFeatureMLP": fourier_feature_nets,
    "FINER.PositionalEncoding": lambda a, case, dtype: by.finer(a["in_channels"], a["N_freqs"], a["logscale"], dtype),
    "bacon.FFPositionalEncoding": bacon_fourier,
    "bacon.PositionalEncoding": bacon,
    "bacon.IntegratedPositionalEncoding": lambda a, case, dtype: by.bacon_integrated(2, a["radius"], a["L"], dtype),
    "physicsnemo.FourierLayer": physicsnemo,
    "physicsnemo.fourier_encode": lambda a, case, dtype: by.physicsnemo_encode(3, 4, dtype),
    "fourier-feature-networks.input_mapping": tancik,
    "fourier-feature-networks.input_encoder": tancik,
    "deepxde.MsFFN": drawn(by.deepxde),
    "pytorch-fourier-feature-networks.GaussianFourierFeatureTransform": drawn(by.pytorch_fourier_feature_networks),
    "neural_implicit_lab.RandomFourierEncoding": drawn(by.neural_implicit_lab),
    "multinerf.pos_enc": lambda a, case, dtype: by.multinerf(
        len(case["inputs"][0]), a["min_deg"], a["max_deg"], a["append_identity"], dtype
    ),
    "multinerf.integrated_pos_enc": lambda a, case, dtype: by.multinerf_integrated(
        len(case["inputs"][0]), a["min_deg"], a["max_deg"], dtype
    ),
    "tiny-cuda-nn.FrequencyEncoding": lambda a, case, dtype: by.tiny_cuda_nn_frequency(
        a["n_dims_to_encode"], a["n_frequencies"], dtype
    ),
    "tiny-cuda-nn.TriangleWaveEncoding": lambda a, case, dtype: by.tiny_cuda_nn_triangle(
        a["n_dims_to_encode"], a["n_frequencies"], dtype
    ),
    "tiny-cuda-nn.OneBlobEncoding": lambda a, case, dtype: by.tiny_cuda_nn_one_blob(a["n_dims_to_encode"], a["n_bins"]),
    "tiny-cuda-nn.SphericalHarmonicsEncoding": lambda a, case, dtype: by.tiny_cuda_nn_harmonics(a["degree"]),
}


def build(case: dict, dtype: torch.dtype = torch.float64) -> Encoder:
    """The encoder of a case; a KeyError if there is none by its name."""
    return BUILDERS[case["id"].rpartition(".")[0]](case["arguments"], case, dtype)


def inputs(case: dict) -> torch.Tensor:
    """The case's points, followed by a covariance if it has one."""
    parts = [tensor(case, "inputs")]
    parts += [tensor(case, key).flatten(1) for key in ("covs", "diag_cov", "var") if key in case]
    return torch.cat(parts, dim=-1)


def largest_phase(case: dict) -> float:
    """In radians, of the frequencies that float32 cannot hold; octaves of whole or half cycles it holds."""
    rows = tensor(case, "B") if "B" in case else torch.ones(1, 1, dtype=torch.float64)
    frequencies = rows.abs().max() * max(case.get("frequencies") or [1.0])
    if float(frequencies).is_integer() and math.log2(max(float(frequencies), 1)).is_integer() and "B" not in case:
        return 0.0
    x = tensor(case, "inputs").abs().max()
    return float(x * frequencies * (case.get("phase_factor") or 0.0)) * (len(case["inputs"][0]) if "B" in case else 1)


single = partial(build, dtype=torch.float32)
