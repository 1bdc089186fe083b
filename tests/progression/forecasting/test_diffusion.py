"""The sampler: known noise levels, exact inversion, a Gaussian oracle, and what averaging over chains does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.progression.forecasting.diffusion import average, chain_noise, ddim, denoise, noise_levels, target_of
from sciml.runtime.errors import ConfigError

MEAN = torch.tensor([0.7, -1.2, 0.4], dtype=torch.double)
COVARIANCE = torch.tensor([[1.0, 0.3, 0.0], [0.3, 0.5, 0.1], [0.0, 0.1, 0.2]], dtype=torch.double)
FORMS = ("epsilon", "v_prediction")


def oracle(prediction, mean=MEAN, covariance=COVARIANCE):
    """Return the exact network for z_0 ~ N(mean, covariance): eps = (z_t - sqrt(abar) E[z_0 | z_t]) / sqrt(1 - abar)."""
    levels = noise_levels(prediction).alphas_cumprod.double()
    identity = torch.eye(len(mean), dtype=torch.double)

    def network(latent, times):
        kept = levels[int(times[0])]
        flat = latent.flatten(1)
        gain = kept.sqrt() * covariance @ torch.linalg.inv(kept * covariance + (1 - kept) * identity)
        clean = mean + (flat - kept.sqrt() * mean) @ gain.T
        noise = (flat - kept.sqrt() * clean) / (1 - kept).sqrt()
        output = noise if prediction == "epsilon" else kept.sqrt() * noise - (1 - kept).sqrt() * clean
        return output.reshape(latent.shape)

    return network


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def test_the_noise_levels_are_the_published_ones():
    levels = noise_levels("epsilon").alphas_cumprod
    expected = torch.tensor([0.9985, 0.5043, 0.1086, 0.00705, 9.69e-5])
    torch.testing.assert_close(levels[[0, 249, 499, 749, 999]], expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize("prediction", FORMS)
@pytest.mark.parametrize("steps", [1, 25, 50, 1000])
def test_the_true_prediction_leads_back_to_the_clean_latent(prediction, steps):
    """Each step ends at the level that the network is told next, so any number of steps is exact for one clean latent."""
    clean, noise = normal(2, 3, 2, 2, 2), normal(2, 3, 2, 2, 2, seed=1)
    levels, scheduler = noise_levels(prediction), ddim(prediction, steps)

    def network(latent, times):
        kept = levels.alphas_cumprod[int(times[0])].double()
        actual = (latent - kept.sqrt() * clean) / (1 - kept).sqrt()
        torch.testing.assert_close(actual, noise, rtol=1e-3, atol=1e-3)
        return target_of(levels, clean, actual, times)

    start = levels.add_noise(clean, noise, torch.full((2,), 999))
    torch.testing.assert_close(denoise(network, scheduler, start), clean, rtol=0, atol=1e-5)


@pytest.mark.parametrize("prediction", FORMS)
def test_a_gaussian_comes_out_with_its_mean_and_covariance(prediction):
    drawn = denoise(oracle(prediction), ddim(prediction, 1000), normal(4000, 3, 1, 1, 1)).flatten(1)
    error = COVARIANCE.diagonal().div(len(drawn)).sqrt()
    assert ((drawn.mean(0) - MEAN).abs() < 3 * error).all()
    # the covariance of the deterministic map itself, so that only the sampler is tested
    columns = denoise(oracle(prediction), ddim(prediction, 1000), torch.eye(3).double().reshape(3, 3, 1, 1, 1)).flatten(1)
    offset = denoise(oracle(prediction), ddim(prediction, 1000), torch.zeros(1, 3, 1, 1, 1).double()).flatten(1)
    mapped = (columns - offset).T
    assert torch.linalg.norm(mapped @ mapped.T - COVARIANCE) < 0.05 * torch.linalg.norm(COVARIANCE)


def test_averaging_leaves_the_bias_and_divides_the_variance():
    """E |mean of m chains - truth|^2 = bias^2 + variance / m."""
    network, scheduler, cases = oracle("epsilon"), ddim("epsilon", 20), 1500
    basis = torch.cat([torch.zeros(1, 3), torch.eye(3)]).double().reshape(4, 3, 1, 1, 1)
    ends = denoise(network, scheduler, basis).flatten(1)
    truth = MEAN + 0.5
    bias, variance = (ends[0] - truth).square().sum(), (ends[1:] - ends[0]).square().sum()
    found = average(
        lambda z, t, _rows: network(z, t), scheduler, (3, 1, 1, 1), 64, list(range(cases)), dtype=torch.double, together=10**6
    )
    for samples in (1, 4, 16, 64):
        error = (found.chains[:samples].mean(0).flatten(1) - truth).square().sum(1).mean()
        assert float(error) == pytest.approx(float(bias + variance / samples), rel=0.05), samples
    spread = found.deviation.flatten(1).square().sum(1).mean()
    assert float(spread) == pytest.approx(float(variance) * 63 / 64, rel=0.05)


def test_chains_do_not_depend_on_the_batch_they_are_in():
    network, scheduler = oracle("epsilon"), ddim("epsilon", 10)

    def told(latent, times, rows):
        return network(latent, times) + 0.01 * (rows % 2)[:, None, None, None, None]

    def chains(samples, seeds, together):
        return average(told, scheduler, (3, 1, 1, 1), samples, seeds, dtype=torch.double, together=together).chains

    together, looped = chains(4, [7, 8], 64), chains(4, [7, 8], 1)
    torch.testing.assert_close(together, looped, rtol=0, atol=1e-12)
    torch.testing.assert_close(chains(2, [7, 8], 3), together[:2], rtol=0, atol=1e-12)
    plain = denoise(lambda z, t: network(z, t), scheduler, chain_noise(7, 1, (3, 1, 1, 1), torch.double))
    torch.testing.assert_close(chains(1, [7], 64)[0], plain, rtol=0, atol=1e-12)
    assert not torch.equal(chains(1, [8], 64)[0], plain)


def test_clamping_bounds_the_clean_latent_and_is_idle_inside_the_bounds():
    scheduler, noise = ddim("v_prediction", 10), normal(5, 3, 1, 1, 1)
    wild = oracle("v_prediction", mean=50 * MEAN)
    assert float(denoise(wild, scheduler, noise, clamp=2.0).abs().max()) < 2.0 + 1e-9
    tame = oracle("v_prediction")
    torch.testing.assert_close(denoise(tame, scheduler, noise, clamp=1e3), denoise(tame, scheduler, noise), rtol=0, atol=1e-9)


@pytest.mark.parametrize("steps", [0, 7, 30])
def test_steps_that_do_not_divide_the_times_are_refused(steps):
    with pytest.raises(ConfigError, match=f"steps is {steps}, expected a divisor of 1000"):
        ddim("epsilon", steps)


def test_no_samples_are_refused():
    with pytest.raises(ConfigError, match="samples is 0"):
        average(lambda z, _t, _r: z, ddim("epsilon", 5), (1, 1, 1, 1), 0, [0])


def test_noise_of_a_case_is_a_function_of_its_seed():
    assert torch.equal(chain_noise(3, 5, (2,))[:2], chain_noise(3, 2, (2,)))
    assert not np.allclose(chain_noise(3, 1, (2,)), chain_noise(4, 1, (2,)))
