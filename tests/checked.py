"""Loads ffnet with the shapes in its signatures checked at each call."""

from jaxtyping import install_import_hook

import tests.typechecking  # noqa: F401 (named in the hook)

with install_import_hook(
    [
        "ffnet.analysis",
        "ffnet.checkpoint",
        "ffnet.datasets",
        "ffnet.encoders",
        "ffnet.fitting",
        "ffnet.geometry",
        "ffnet.kernels",
        "ffnet.metrics",
        "ffnet.models",
        "ffnet.operators",
        "ffnet.rendering",
        "ffnet.sampling",
        "ffnet.signals",
    ],
    "tests.typechecking.check",
):
    import ffnet.analysis
    import ffnet.checkpoint
    import ffnet.datasets
    import ffnet.encoders
    import ffnet.fitting
    import ffnet.geometry
    import ffnet.kernels
    import ffnet.metrics
    import ffnet.metrics.overlap  # loaded on first use
    import ffnet.metrics.peak
    import ffnet.models
    import ffnet.operators
    import ffnet.rendering
    import ffnet.sampling
    import ffnet.signals  # noqa: F401
