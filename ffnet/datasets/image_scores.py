"""In which space an image is scored."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ffnet.signals.coding_choice import Choice

if TYPE_CHECKING:
    from ffnet.metrics import PSNR


def scores(choice: Choice) -> "tuple[dict[str, PSNR], str]":
    """Metrics of a field's values by name, the main one first, and what they compare; empty if that is the image's own
    values.

    ``psnr`` is always that of values as they are shown. Where colours are premultiplied, they are compared as such.
    """
    from ffnet.metrics import PSNR

    coding, multiplied = choice.coding, ", times alpha" if choice.coding.premultiplied else ""
    own = replace(coding, premultiplied=False, associated=False)  # which leaves alpha and what it has multiplied
    if coding.transfer in ("log", "symlog"):
        name = f"{coding.transfer}_psnr"
        return {name: PSNR()}, f"{name} compares these"
    if coding.transfer == "linear":
        text = f"psnr compares sRGB values{multiplied}, linear_psnr linear light{multiplied}"
        return {"psnr": PSNR(own.decode), "linear_psnr": PSNR()}, text
    if not choice.bounded:
        name, space = f"{choice.logarithmic}_psnr", replace(own, transfer=choice.logarithmic)
        return {name: PSNR(space.encode)}, f"{name} compares {space.described()}{multiplied}"
    return {"psnr": PSNR()}, f"psnr compares values{multiplied}" if multiplied else ""
