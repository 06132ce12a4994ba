"""Kernels as callables of scikit-learn, and kernel PCA against its own; skipped where it is not installed."""

import pytest
import torch

from ffnet.kernels import Gaussian, InfiniteMLP, KernelPCA, KernelRidge
from tests.kernels.models import points

pytestmark = pytest.mark.untraced
SIGMA = 0.4


def rings(seed):
    x = 2 * points(60, seed) - 1
    return x, (x.norm(dim=1) > 0.7).double()


def callable_of(kernel):
    return lambda a, b: kernel(torch.from_numpy(a), torch.from_numpy(b)).numpy()


def test_a_support_vector_machine_takes_our_gaussian_for_its_own():
    SVC = pytest.importorskip("sklearn.svm").SVC
    (x, labels), (new, wanted) = rings(0), rings(1)
    ours = SVC(kernel=callable_of(Gaussian(SIGMA)), C=10).fit(x.numpy(), labels.numpy())
    theirs = SVC(kernel="rbf", gamma=1 / (2 * SIGMA**2), C=10).fit(x.numpy(), labels.numpy())
    found = [torch.from_numpy(machine.decision_function(new.numpy())) for machine in (ours, theirs)]
    torch.testing.assert_close(*found, atol=1e-2, rtol=0)  # its solver stops at 1e-3
    assert ((found[0] > 0).double() == wanted).double().mean() > 0.85
    ntk = InfiniteMLP(2, "relu", "ntk", 2**0.5, 0.5).ntk
    machine = SVC(kernel=callable_of(ntk), C=10).fit(x.numpy(), labels.numpy())
    assert (machine.predict(new.numpy()) == wanted.numpy()).mean() > 0.85


def test_kernel_pca_and_ridge_regression_agree_with_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    ridges = pytest.importorskip("sklearn.kernel_ridge")
    (x, labels), (new, _) = rings(0), rings(1)
    theirs = decomposition.KernelPCA(4, kernel="rbf", gamma=1 / (2 * SIGMA**2)).fit(x.numpy())
    ours, wanted = KernelPCA(Gaussian(SIGMA), x, 4)(new), torch.from_numpy(theirs.transform(new.numpy()))
    signs = (ours * wanted).sum(0).sign()
    torch.testing.assert_close(ours * signs, wanted, atol=1e-8, rtol=0)
    ridge = ridges.KernelRidge(alpha=0.1, kernel="rbf", gamma=1 / (2 * SIGMA**2)).fit(x.numpy(), labels.numpy())
    found = KernelRidge(Gaussian(SIGMA), x, labels[:, None], 0.1)(new)[:, 0]
    torch.testing.assert_close(found, torch.from_numpy(ridge.predict(new.numpy())))
