"""Values of files and fields."""

import itertools

import numpy as np
import pytest
import torch

from ffnet.signals.coding import Coding, linear_to_srgb, srgb_to_linear
from ffnet.signals.coding_choice import Range


@pytest.mark.parametrize("transfer", ["none", "linear", "log", "symlog"])
@pytest.mark.parametrize(("premultiplied", "associated"), [*itertools.product((False, True), repeat=2)])
def test_what_is_encoded_is_decoded(transfer, premultiplied, associated):
    rng = np.random.default_rng(0)
    alpha = rng.uniform(0.1, 1, (50, 1))
    colour = {"log": rng.lognormal(0, 4, (50, 3)), "symlog": rng.normal(0, 100, (50, 3))}.get(transfer)
    colour = rng.random((50, 3)) if colour is None else colour
    values = torch.tensor(np.concatenate([colour * alpha if associated else colour, alpha], -1), dtype=torch.float32)
    peak = np.abs(colour).max()
    coding = Coding(transfer, 0.05, float(peak), True, premultiplied, associated)
    field = coding.encode(values)
    torch.testing.assert_close(coding.decode(field), values, rtol=2e-4, atol=1e-5)
    assert field.min() >= -1e-6 or transfer == "none"
    assert field.max() <= 1.0001 or transfer == "none"


def test_logarithms_are_those_of_the_formula():
    values = torch.tensor([[0.0], [0.05], [12.0], [1e4]])
    expected = np.log1p(values.numpy() / 0.05) / np.log1p(1e4 / 0.05)
    np.testing.assert_allclose(Coding("log", 0.05, 1e4).encode(values).numpy(), expected, atol=1e-6)
    signed = Coding("symlog", 0.05, 1e4).encode(torch.tensor([[-1e4], [0.0], [1e4]]))
    np.testing.assert_allclose(signed.numpy(), [[0], [0.5], [1]], atol=1e-6)


def test_srgb_is_that_of_the_standard():
    values, light = torch.tensor([0.0, 0.04045, 0.5, 1.0]), torch.tensor([0.0, 0.0031308, 0.2140411, 1.0])
    torch.testing.assert_close(srgb_to_linear(values), light, rtol=0, atol=1e-6)
    torch.testing.assert_close(linear_to_srgb(light), values, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("low", "high", "kind"), [(0, 1, "none"), (0, 1.01, "log"), (-0.1, 0.5, "symlog"), (-5, 1e4, "symlog")]
)
def test_the_transfer_follows_the_range(low, high, kind):
    values = torch.tensor([[low, high, 0.5]])
    found, scale, peak = Range().update(values).transfer()
    assert (found, peak) == (kind, pytest.approx(max(abs(low), high)))
    assert 0 < scale < peak


@pytest.mark.parametrize("change", [{"transfer": "gamma"}, {"scale": 0.0}, {"peak": float("inf")}])
def test_what_is_no_coding_is_refused(change):
    with pytest.raises(ValueError, match=r"transfer: expected auto, none|scale, peak: expected finite"):
        Coding(**change)
