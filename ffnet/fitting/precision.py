"""The policy for dtypes.

- Phases and coordinates: float32 or better (``ffnet.encoders.base``, ``ffnet.models.layers.PhaseLinear``).
- Matrix products: the precision of the run; ``automatic_precision`` chooses it.
- Observations, losses and their gradients: float32; complex observations stay complex.
- Scores: float64 (``ffnet.metrics``), of a field evaluated in float32.
"""

import torch
from jaxtyping import Shaped
from torch import Tensor


def observed_type(observed: Shaped[Tensor, "*n"]) -> Shaped[Tensor, "*n"]:
    """Observations in the dtype for losses and metrics: float32; complex observations are unchanged."""
    return observed if observed.is_complex() else observed.float()


def automatic_precision(accelerator: str) -> str:
    """Lightning's name of the fastest precision without a measurable loss of PSNR.

    bfloat16 products with float32 weights if the device supports bfloat16 natively, else float32.
    """
    if accelerator in ("cuda", "gpu") or (accelerator == "auto" and torch.cuda.is_available()):
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if accelerator in ("cpu", "auto") and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return "bf16-mixed"
    return "32-true"
