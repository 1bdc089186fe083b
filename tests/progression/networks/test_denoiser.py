"""Networks: a neutral ControlNet, clean gradients of the discriminator, a scale of latents that cannot be forgotten."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_learning import AUTOENCODER, UNET, measured_autoencoder

from sciml.progression.cohorts.covariates import WIDTH, CovariateScale, context_of, context_width
from sciml.progression.cohorts.regions import CONDITIONED, REGIONS
from sciml.progression.forecasting.prediction import Question, decode, followup_latents
from sciml.progression.networks.adversary import AdversarialPair, autoencoder_step, discriminator_loss, generator_loss
from sciml.progression.networks.autoencoder import Autoencoder, shuffle, unshuffle
from sciml.progression.networks.denoiser import Denoiser, crop, pad
from sciml.progression.settings.models import ForecastConfig
from sciml.progression.settings.networks import FORMS, AutoencoderConfig, FormConfig
from sciml.runtime.errors import ConfigError, DataError, ShapeError


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def excited(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give every weight a value, so that layers which begin at zero let something through."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def arguments(form: FormConfig, batch: int = 2) -> tuple[torch.Tensor, ...]:
    return (
        drawn(batch, 3, 6, 6, 6),
        torch.tensor([3, 700][:batch]),
        drawn(batch, context_width(form), seed=1),
        drawn(batch, 3, 6, 6, 6, seed=2),
        torch.tensor([0.7, 0.8][:batch]),
    )


def test_a_new_controlnet_changes_nothing():
    form = FORMS["official"]
    alone, steered = Denoiser(form, UNET, with_control=False), Denoiser(form, UNET)
    excited(alone)
    steered.unet.load_state_dict(alone.unet.state_dict())
    steered.start_control()
    steered.eval()
    given = arguments(form)
    with torch.no_grad():
        torch.testing.assert_close(steered(*given), alone(*given), rtol=0, atol=1e-6)
        # and once its last convolutions are not zero, it does
        assert steered.control is not None
        excited(steered.control)
        assert float((steered(*given) - alone(*given)).abs().max()) > 1e-3
    assert not any(parameter.requires_grad for parameter in steered.unet.parameters())
    shared = set(steered.control.state_dict()) & set(alone.unet.state_dict())
    assert len(shared) > 40


def test_a_form_without_a_controlnet_has_none_to_train():
    with pytest.raises(ConfigError, match="'concatenation' has no ControlNet"):
        Denoiser(FORMS["residual"], UNET).start_control()


def test_the_start_and_the_covariates_reach_the_prediction():
    for form in FORMS.values():
        model, given = excited(Denoiser(form, UNET)), list(arguments(form))
        with torch.no_grad():
            before = model(*given)
            for place in (2, 3):
                changed = list(given)
                changed[place] = given[place] + 1.0
                assert float((model(*changed) - before).abs().max()) > 1e-4, (form, place)


def test_padding_goes_round_the_latent_and_comes_off_again():
    latent = drawn(1, 2, 15, 18, 15)
    padded = pad(latent, 4)
    assert padded.shape[2:] == (16, 20, 16)
    assert torch.equal(crop(padded, (15, 18, 15)), latent)
    assert float(padded.abs().sum()) == pytest.approx(float(latent.abs().sum()), rel=1e-5)
    assert torch.equal(padded[:, :, :15, 1:19, :15], latent)


def test_unshuffling_is_undone():
    images = drawn(2, 1, 4, 6, 8)
    blocks = unshuffle(images, 2)
    assert blocks.shape == (2, 8, 2, 3, 4)
    assert torch.equal(shuffle(blocks, 2), images)
    assert torch.equal(blocks[:, :, 0, 0, 0], images[:, 0, :2, :2, :2].reshape(2, 8))


def test_the_posterior_begins_narrow():
    network = Autoencoder(AUTOENCODER)
    sd = network.encode(drawn(1, 1, 40, 48, 40))[1]
    torch.testing.assert_close(sd, torch.full_like(sd, 0.05))


def test_latents_are_standardised_and_an_unmeasured_scale_is_refused():
    network = measured_autoencoder()
    latent = network.latent(torch.rand(2, 1, 40, 48, 40, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(latent.mean((0, 2, 3, 4)), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(latent.std((0, 2, 3, 4), correction=0), torch.ones(3), atol=1e-3, rtol=0)
    with pytest.raises(ConfigError, match="scale of the autoencoder's latents is unknown"):
        Autoencoder(AUTOENCODER).latent(drawn(1, 1, 40, 48, 40))
    with pytest.raises(ShapeError, match="multiple of 8"):
        network.encode(drawn(1, 1, 40, 48, 41))


def test_latents_ten_times_as_large_change_no_forecast():
    """The scale is stored with the weights, so the unit of the latents is of no consequence."""
    small, large = measured_autoencoder(), measured_autoencoder()
    with torch.no_grad():
        for layer in (large.network.quant_conv_mu.conv.weight, large.network.quant_conv_mu.conv.bias):
            layer.mul_(10)
        large.network.post_quant_conv.conv.weight.div_(10)
    images = torch.rand(2, 1, 40, 48, 40, generator=torch.Generator().manual_seed(0))
    large.measure_scale([images])
    torch.testing.assert_close(large.latent_sd, 10 * small.latent_sd, rtol=1e-4, atol=0)
    form, results = FORMS["residual"], []
    denoiser = excited(Denoiser(form, UNET))
    for network in (small, large):
        start = network.latent(images)
        question = Question(start, torch.tensor([0.7, 0.8]), drawn(2, context_width(form)), [1, 2])
        latents = followup_latents(denoiser, question, 0.5, ForecastConfig(samples=2, steps=5)).mean
        results.append(decode(network, latents, images, start, "residual"))
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=2e-4)


def test_a_mirrored_network_sees_and_gives_the_image_mirrored():
    plain, mirrored = measured_autoencoder(), Autoencoder(AUTOENCODER.model_copy(update={"mirrored": True})).eval()
    mirrored.load_state_dict(plain.state_dict())
    images = drawn(1, 1, 40, 48, 40)
    torch.testing.assert_close(mirrored.latent(images), plain.latent(images.flip(2)))
    latent = plain.latent(images)
    torch.testing.assert_close(mirrored.image(latent), plain.image(latent).flip(2))


def test_each_network_of_the_pair_gets_the_gradient_of_its_own_loss():
    config = AutoencoderConfig(unshuffle=4, channels=(8, 8), groups=4, adversarial_weight=0.5, discriminator_channels=4,
                               discriminator_layers=2)  # fmt: skip
    torch.manual_seed(0)
    pair, images = AdversarialPair(config), torch.rand(2, 1, 40, 48, 40, generator=torch.Generator().manual_seed(1))
    assert pair.discriminator is not None
    noise = drawn(2, *pair.autoencoder.latent_shape((40, 48, 40)))
    loss, decoded, _ = generator_loss(pair, images, noise)
    loss.backward()
    assert all(parameter.grad is None for parameter in pair.discriminator.parameters())
    alone = {name: value.grad.clone() for name, value in pair.autoencoder.named_parameters() if value.grad is not None}
    pair.zero_grad(set_to_none=True)
    discriminator_loss(pair, images, decoded).backward()
    assert all(parameter.grad is None for parameter in pair.autoencoder.parameters())
    own = {name: value.grad.clone() for name, value in pair.discriminator.named_parameters()}
    # the step of the training sums the two losses: nothing leaks from one to the other
    pair.zero_grad(set_to_none=True)
    total, _ = autoencoder_step(pair, images, torch.Generator().manual_seed(0))
    total.backward()
    for name, value in pair.discriminator.named_parameters():
        torch.testing.assert_close(value.grad, own[name], rtol=1e-4, atol=1e-7)
    for name, gradient in alone.items():
        torch.testing.assert_close(dict(pair.autoencoder.named_parameters())[name].grad, gradient, rtol=1e-4, atol=1e-6)


def test_losses_are_the_ones_that_are_written():
    config = AutoencoderConfig(unshuffle=4, channels=(8, 8), groups=4, l1_weight=2.0, squared_weight=3.0, gradient_weight=0.5,
                               kl_weight=0.1)  # fmt: skip
    torch.manual_seed(0)
    pair, images = AdversarialPair(config), torch.rand(2, 1, 40, 48, 40, generator=torch.Generator().manual_seed(1))
    noise = drawn(2, *pair.autoencoder.latent_shape((40, 48, 40)))
    loss, decoded, terms = generator_loss(pair, images, noise)
    mean, sd = pair.autoencoder.encode(images)
    error = (decoded - images).detach().numpy()
    slopes = np.mean([np.abs(np.diff(error, axis=axis)).mean() for axis in (2, 3, 4)])
    kl = 0.5 * (mean**2 + sd**2 - torch.log(sd**2) - 1).sum().item() / 2
    expected = 2 * np.abs(error).mean() + 3 * (error**2).mean() + 0.5 * slopes + 0.1 * kl
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    assert float(terms["kl"]) == pytest.approx(kl, rel=1e-5)


def test_a_mean_of_chains_with_covariates_of_their_own_uses_each_of_them():
    form = FORMS["residual"]
    denoiser, start = excited(Denoiser(form, UNET)), drawn(2, 3, 5, 6, 5)
    context = drawn(3, 2, context_width(form), seed=4)
    config, age = ForecastConfig(samples=3, steps=5), torch.tensor([0.7, 0.8])
    own = followup_latents(denoiser, Question(start, age, context, [1, 2]), 0.5, config)
    for chain in range(3):
        same = followup_latents(denoiser, Question(start, age, context[chain], [1, 2]), 0.5, config)
        torch.testing.assert_close(own.chains[chain], same.chains[chain], rtol=0, atol=1e-5)
    for case in range(2):
        part = slice(case, case + 1)
        question = Question(start[part], age[part], context[:, part], [case + 1])
        torch.testing.assert_close(
            followup_latents(denoiser, question, 0.5, config).chains, own.chains[:, part], rtol=0, atol=1e-5
        )


def test_an_untrained_residual_model_says_that_little_changes_where_the_network_says_nothing():
    form = FORMS["residual"]
    denoiser, start = Denoiser(form, UNET).eval(), drawn(1, 3, 5, 6, 5)
    question = Question(start, torch.tensor([0.7]), drawn(1, context_width(form)), [1])
    found = followup_latents(denoiser, question, 1e-3, ForecastConfig(samples=1, steps=5)).mean
    torch.testing.assert_close(found, start, rtol=0, atol=0.01)


def test_covariates_have_the_published_order_and_the_training_range():
    volumes = np.tile(np.arange(1.0, 1 + len(REGIONS)), (2, 1))
    volumes[1] *= 3
    scale = CovariateScale.measured(volumes)
    covariates = scale.covariates(72.0, "F", "MCI", 2 * volumes[0])
    np.testing.assert_allclose(covariates, [0.72, 1, 0.5] + [0.5] * len(CONDITIONED), rtol=1e-6)
    assert covariates.shape == (WIDTH,)
    low = scale.covariates(72.0, "M", "AD", volumes[0])
    np.testing.assert_allclose(context_of(FORMS["official"], low, covariates), covariates)
    context = context_of(FORMS["residual"], low, covariates)
    np.testing.assert_allclose(context[WIDTH:], 10 * (covariates - low), rtol=1e-6)
    assert scale.outside(covariates) == []
    assert scale.outside(scale.covariates(72.0, "F", "MCI", 4 * volumes[0])) == list(CONDITIONED)
    unknown = volumes[0].copy()
    unknown[REGIONS.index("hippocampus")] = np.nan
    with pytest.raises(DataError, match="volume of hippocampus at age 72 is unknown"):
        scale.covariates(72.0, "F", "MCI", unknown)
    with pytest.raises(DataError, match="the same in all training visits"):
        CovariateScale.measured(volumes[:1])
