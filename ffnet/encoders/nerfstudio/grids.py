"""Encodings with trained grids."""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.encoders.factored import FactoredGridEncoder, Factorization, Reduction
from ffnet.encoders.grid import GridEncoder
from ffnet.encoders.nerfstudio.encoding import Encoding


class HashEncoding(Encoding):
    """``GridEncoder`` in 3D; its table is initialised with U(-hash_init_scale, hash_init_scale).

    ``implementation="tcnn"``, the default, gives the same as ``"torch"``, as in nerfstudio without tiny-cuda-nn.
    """

    def __init__(
        self,
        num_levels: int = 16,
        min_res: int = 16,
        max_res: int = 1024,
        log2_hashmap_size: int = 19,
        features_per_level: int = 2,
        hash_init_scale: float = 0.001,
        implementation: str = "tcnn",
        interpolation: str | None = None,
    ) -> None:
        if implementation not in ("tcnn", "torch"):
            raise ValueError(f"implementation: expected tcnn or torch, got {implementation!r}")
        if interpolation not in (None, "Linear"):
            raise ValueError(f"interpolation: expected Linear, got {interpolation!r}")
        grid = GridEncoder(3, num_levels, features_per_level, 2**log2_hashmap_size, min_res, max_res)
        nn.init.uniform_(grid.table, -hash_init_scale, hash_init_scale)
        super().__init__(grid)
        self.num_levels, self.features_per_level = num_levels, features_per_level
        self.min_res, self.max_res = min_res, max_res
        self.log2_hashmap_size, self.hash_table_size = log2_hashmap_size, 2**log2_hashmap_size


class Factored(Encoding):
    """``FactoredGridEncoder`` of coordinates in [-1, 1]; beyond them, the values of the border.

    A subclass says how nerfstudio names the grids.
    """

    encoder: FactoredGridEncoder
    resolution: int | Sequence[int]

    def __init__(
        self, factorization: Factorization, resolution: Sequence[int], components: int, reduction: Reduction = "product"
    ) -> None:
        cells = [count - 1 for count in resolution]  # nerfstudio counts vertices
        super().__init__(FactoredGridEncoder(len(cells), factorization, components, cells, reduction))
        self.num_components = components

    def forward(
        self, in_tensor: Float[Tensor, "*batch d"], covs: Float[Tensor, "*batch d d"] | None = None
    ) -> Float[Tensor, "*batch k"]:
        return super().forward((in_tensor + 1) / 2, covs)

    def upsample_grid(self, resolution: int) -> None:
        """Interpolates the grids at ``resolution`` vertices along each axis. The parameters are new ones."""
        self.encoder = self.encoder.resampled(resolution - 1)
        self.resolution = resolution

    def named(self, grids: list[Tensor]) -> dict[str, Tensor]:
        """The grids of the encoder as entries of nerfstudio's ``state_dict``."""
        raise NotImplementedError

    def ordered(self, state: dict[str, Tensor]) -> list[Tensor]:
        """The inverse."""
        raise NotImplementedError

    def published(self, own: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.named(self.encoder.grids(own["encoder.table"]))

    def adopted(self, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        wanted = self.named(self.encoder.grids())
        if {name: t.shape for name, t in theirs.items()} != {name: t.shape for name, t in wanted.items()}:
            return theirs  # for torch to refuse
        return {"encoder.table": torch.cat([grid.reshape(len(grid), -1) for grid in self.ordered(theirs)], dim=-1)}


class TensorCPEncoding(Factored):
    """Products of three lines (TensoRF's CP); ``init_scale`` is their standard deviation."""

    def __init__(self, resolution: int = 256, num_components: int = 24, init_scale: float = 0.1) -> None:
        super().__init__("lines", [resolution] * 3, num_components)
        nn.init.normal_(self.encoder.table, std=init_scale)
        self.resolution = resolution

    def named(self, grids: list[Tensor]) -> dict[str, Tensor]:
        return {"line_coef": torch.stack(grids)[..., None]}

    def ordered(self, state: dict[str, Tensor]) -> list[Tensor]:
        return list(state["line_coef"])


class TensorVMEncoding(Factored):
    """Products of a plane and a line, for each axis (TensoRF's VM); ``init_scale`` is their standard deviation."""

    def __init__(self, resolution: int = 128, num_components: int = 24, init_scale: float = 0.1) -> None:
        super().__init__("planes and lines", [resolution] * 3, num_components)
        nn.init.normal_(self.encoder.table, std=init_scale)
        self.resolution = resolution

    def named(self, grids: list[Tensor]) -> dict[str, Tensor]:
        return {"plane_coef": torch.stack(grids[::2]), "line_coef": torch.stack(grids[1::2])[..., None]}

    def ordered(self, state: dict[str, Tensor]) -> list[Tensor]:
        return [grid for pair in zip(state["plane_coef"], state["line_coef"], strict=True) for grid in pair]


class TriplaneEncoding(Factored):
    """The sum or product of three planes; ``init_scale`` is their standard deviation."""

    def __init__(
        self, resolution: int = 32, num_components: int = 64, init_scale: float = 0.1, reduce: Reduction = "sum"
    ) -> None:
        super().__init__("planes", [resolution] * 3, num_components, reduce)
        nn.init.normal_(self.encoder.table, std=init_scale)
        self.resolution, self.init_scale, self.reduce = resolution, init_scale, reduce

    def named(self, grids: list[Tensor]) -> dict[str, Tensor]:
        return {"plane_coef": torch.stack(grids)}

    def ordered(self, state: dict[str, Tensor]) -> list[Tensor]:
        return list(state["plane_coef"])


class KPlanesEncoding(Factored):
    """The product or sum of the planes of all pairs of 3 or 4 axes, initialised with U(init_a, init_b); planes with
    the fourth axis, time, with 1.
    """

    def __init__(
        self,
        resolution: Sequence[int] = (128, 128, 128),
        num_components: int = 64,
        init_a: float = 0.1,
        init_b: float = 0.5,
        reduce: Reduction = "product",
    ) -> None:
        if len(resolution) not in (3, 4):
            raise ValueError(f"resolution: expected 3 or 4 numbers, got {tuple(resolution)}")
        super().__init__("planes", resolution, num_components, reduce)
        nn.init.uniform_(self.encoder.table, init_a, init_b)
        with torch.no_grad():
            for grid, axes in zip(self.encoder.grids(), self.encoder.factors, strict=True):
                if 3 in axes:
                    grid.fill_(1)
        self.resolution, self.reduce = resolution, reduce
        self.coo_combs = list(itertools.combinations(range(len(resolution)), 2))

    def named(self, grids: list[Tensor]) -> dict[str, Tensor]:
        return {f"plane_coefs.{number}": grid for number, grid in enumerate(grids)}

    def ordered(self, state: dict[str, Tensor]) -> list[Tensor]:
        return [state[f"plane_coefs.{number}"] for number in range(len(state))]
