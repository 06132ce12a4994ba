"""Results reported by Tancik et al. 2020 (arXiv 2006.10739), for comparison."""

from collections.abc import Mapping

# Mean and standard deviation of the PSNR in dB over 16 test images, from the stored outputs of the paper's notebooks;
# without a deviation, of Shepp-Logan phantoms, brain volumes and one scene.
REPORTED: Mapping[str, Mapping[str, tuple[float, float | None]]] = {
    "natural": {
        "identity": (19.32, 2.48),
        "basic": (21.71, 2.72),
        "positional": (24.95, 3.72),
        "gaussian": (25.57, 4.19),
    },
    "text": {
        "identity": (18.40, 2.34),
        "basic": (20.48, 1.96),
        "positional": (27.57, 3.07),
        "gaussian": (30.47, 2.11),
    },
    "ct": {
        "identity": (16.75, None),
        "basic": (23.31, None),
        "positional": (26.89, None),
        "gaussian": (28.33, None),
    },
    "mri": {
        "identity": (26.14, None),
        "basic": (28.58, None),
        "positional": (32.23, None),
        "gaussian": (34.51, None),
    },
    "nerf": {
        "identity": (22.41, None),
        "basic": (23.16, None),
        "positional": (25.28, None),
        "gaussian": (25.48, None),
    },
}


def reported(overrides: Mapping[str, str]) -> tuple[float, float | None] | None:
    """The paper's (mean, standard deviation) for runs with these ``overrides``; None if it reports none."""
    task = overrides.get("experiment", "").removeprefix("tancik2020/").removesuffix("_sweep")
    return REPORTED.get(task, {}).get(overrides.get("encoder", "gaussian"))
