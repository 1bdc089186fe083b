"""The neural preset's networks: sizes, the bound of the rate, gradients, revival, where training starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from neural_models import make_neural, pictures
from torch import Tensor

from sciml.compression.entropy.tables import TOTAL
from sciml.compression.neural.cascade import cells, largest_bpp
from sciml.compression.neural.codebooks import MultiCodebook, squared_distances
from sciml.compression.neural.learning import PictureBatches, loss_of, reviver, whole_tables
from sciml.compression.neural.published import GROUPS, WORDS, PublishedCascade
from sciml.compression.neural.small import INPUTS, SmallCascade
from sciml.compression.neural.start import lloyd, pictures_of, principal_axes, start


def test_the_published_networks_have_the_published_size() -> None:
    with torch.device("meta"):
        network = PublishedCascade()
    parts = {name: sum(value.numel() for value in part.parameters()) / 1e6 for name, part in network.named_children()}
    # counted layer by layer from the paper's code: 3.6 M, 5.4 M, and 41.6 M in the levels
    assert parts["analysis"] == pytest.approx(3.6, abs=0.05)
    assert parts["synthesis"] == pytest.approx(5.4, abs=0.05)
    assert sum(parts.values()) == pytest.approx(50.6, abs=0.05)


def test_the_rate_is_fixed_by_groups_and_words() -> None:
    # 2 * 13 / 256 + 2 * 11 / 1024 + 2 * 9 / 4096
    assert largest_bpp([GROUPS] * 3, WORDS) == pytest.approx(0.1274, abs=5e-5)
    assert largest_bpp([12] * 3, WORDS) == pytest.approx(0.7646, abs=5e-5)
    assert largest_bpp([1], [4], [2]) == 0.5


def codebook(sizes: tuple[int, ...] = (1, 3), words: int = 5) -> MultiCodebook:
    torch.manual_seed(0)
    return MultiCodebook(sizes, words).double()


def latent(channels: int = 4, seed: int = 1) -> Tensor:
    return torch.randn(2, channels, 3, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_straight_through_gives_the_chosen_words_their_gradient() -> None:
    book, vectors, generator = codebook(), latent(), torch.Generator()
    target = latent(seed=2)

    def loss(words: Tensor) -> Tensor:
        with torch.no_grad():
            book.words[1].copy_(words)
        return (book(vectors, 0.01, "straight-through", generator).values - target).pow(3).sum()

    book.eval()
    words = book.words[1].detach().clone()
    loss(words).backward()
    gradient = book.words[1].grad
    assert gradient is not None
    step, chosen = 1e-6, book.nearest(vectors, 0.01)[:, 1].flatten().bincount(minlength=5)
    assert 0 < int((chosen > 0).sum()) < 5
    for word in range(5):
        for place in range(3):
            shift = torch.zeros_like(words)
            shift[word, place] = step
            numeric = (loss(words + shift) - loss(words - shift)).item() / (2 * step)
            assert gradient[word, place].item() == pytest.approx(numeric, rel=1e-5, abs=1e-6)
            assert (chosen[word] > 0) == (abs(numeric) > 1e-9)


def test_straight_through_hands_its_gradient_to_the_latent() -> None:
    book, vectors = codebook().eval(), latent().requires_grad_()
    values = book(vectors, 0.0, "straight-through", torch.Generator()).values
    weights = latent(seed=3)
    (values * weights).sum().backward()
    assert vectors.grad is not None
    assert torch.allclose(vectors.grad, weights)


def test_gumbel_draws_words_by_their_probability_and_leads_the_mean() -> None:
    torch.manual_seed(0)
    book = MultiCodebook((2,), 3).eval()
    one = torch.tensor([0.3, -0.2])
    vectors = one[None, :, None, None].expand(4, 2, 100, 100).clone().requires_grad_()
    values = book(vectors, 0.4, "gumbel", torch.Generator().manual_seed(5)).values
    flat = values.detach().movedim(1, -1).reshape(-1, 2)
    words = book.codebooks()[0].detach()
    distance, index = torch.cdist(flat, words).min(1)
    assert float(distance.max()) < 1e-3
    cost = squared_distances(one[None], words)[0] + 0.4 * book.bits[0]
    expected = torch.softmax(-cost / (0.4 * np.log2(np.e)), 0)
    assert torch.allclose(index.bincount(minlength=3) / len(index), expected, atol=0.01)
    # descent on |value - word 0|^2 moves the latent so that word 0 grows more likely
    (values - words[0][None, :, None, None]).square().mean(1).sum().backward()
    assert vectors.grad is not None
    moved = one - 0.1 * vectors.grad.mean((0, 2, 3))

    def chance(vector: Tensor) -> float:
        costs = squared_distances(vector[None], words)[0] + 0.4 * book.bits[0]
        return float(torch.softmax(-costs / (0.4 * np.log2(np.e)), 0)[0])

    assert chance(moved) > chance(one) + 1e-3


def test_a_published_codebook_learns_how_sharply_it_draws() -> None:
    book = codebook()
    book(latent(), 0.0, "gumbel", torch.Generator().manual_seed(0)).values.pow(2).sum().backward()
    assert book.sharpness.grad is not None
    assert book.sharpness.grad.abs().min() > 0


def test_dead_words_are_used_anew() -> None:
    torch.manual_seed(0)
    book = MultiCodebook((2,), 8)
    with torch.no_grad():
        book.words[0][3:] += 100
    vectors = torch.randn(4, 2, 20, 20)
    for _ in range(400):
        book(vectors, 0.0, "straight-through", torch.Generator())
    before = book.state_of_use()
    assert before["dead"] == 5 / 8
    assert book.revive() == 5
    far = vectors.movedim(1, -1).reshape(-1, 2)
    assert float(torch.cdist(book.words[0][3:].detach(), far).min(1).values.max()) < 1e-2
    for _ in range(400):
        book(vectors, 0.0, "straight-through", torch.Generator())
    after = book.state_of_use()
    assert after["dead"] < before["dead"]
    assert after["perplexity"] > before["perplexity"]


def test_revival_stops_and_is_counted_in_the_network() -> None:
    network = SmallCascade(8, words=(4, 4, 4))
    revive = reviver(2, 3)
    for codebook_ in network.codebooks():
        codebook_.usage.zero_()
        codebook_._spares = [torch.full((4, size), 7.0) for size in codebook_.sizes]
    revive(network)
    assert float(network.codebook(0).words[0].detach().max()) < 7
    revive(network)
    assert torch.equal(network.codebook(0).words[0], torch.full((4, 1), 7.0))
    network.codebook(0).usage.zero_()
    network.codebook(0)._spares = [torch.full((4, size), 9.0) for size in network.codebook(0).sizes]
    revive(network)
    revive(network)
    assert float(network.codebook(0).words[0].detach().max()) == 7
    assert int(network.get_buffer("age")) == 4


def test_all_axes_lose_nothing_and_some_lose_the_others_energy() -> None:
    crops = pictures(4, 128)
    axes, values = principal_axes(crops)
    assert torch.allclose(axes @ axes.T, torch.eye(INPUTS), atol=1e-4)
    assert bool((values.diff() <= 0).all())
    blocks = torch.nn.functional.pixel_unshuffle(pictures_of(crops), 16).flatten(2).movedim(0, 1).flatten(1)
    for count in (INPUTS, 64):
        lost = blocks - axes[:count].T @ (axes[:count] @ blocks)
        energy = float(lost.square().sum(0).mean())
        if count == INPUTS:
            assert float(lost.abs().max()) < 1e-4
        else:
            assert energy == pytest.approx(float(values[count:].sum()), rel=0.01)


def test_the_start_is_the_linear_codec() -> None:
    crops = pictures(4, 128)
    network = SmallCascade(8)
    start(network, crops, 0.01)
    picture = pictures_of(crops[:2])
    # with latents handed on as they are nothing is lost but the axes that are left out
    values = network.quantise(picture, lambda level, latent: latent)
    _, energies = principal_axes(crops)
    axes = network.inward.weight
    blocks = torch.nn.functional.pixel_unshuffle(picture, 16)
    projected = torch.nn.functional.conv2d(torch.nn.functional.conv2d(blocks, axes[..., None, None]), axes.T[..., None, None])
    assert torch.allclose(network.synthesise(values), torch.nn.functional.pixel_shuffle(projected, 16), atol=1e-4)
    assert torch.allclose(network.deviations.square(), energies[:64], rtol=1e-3, atol=1e-9)
    # and codes cost less than words drawn at random would
    codes = network.encode(picture, 0.01)
    error = float((network.decode(codes, 128, 128) - picture).square().mean())
    assert error < 0.5 * float(picture.square().mean())


def test_lloyd_lowers_the_cost_and_a_rate_lowers_the_bits() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(4000, 2, generator=generator)
    entropy, error = [], []
    for weight in (1e-4, 0.05, 0.2):
        book = MultiCodebook((2,), 32)
        lloyd(book, vectors, weight)
        codes = book.nearest(vectors.T[None, :, None], weight)
        found = book.values(codes)[0, :, 0].T
        entropy.append(float(book.bits[0][codes.flatten()].mean()))
        error.append(float((found - vectors).square().sum(1).mean()))
    assert entropy[0] > entropy[1] > entropy[2]
    assert error[0] < error[1] < error[2]
    # 32 words of two dimensions, nearly without a rate: the best known quantiser has 0.069 of the variance a dimension
    assert error[0] / 2 < 0.085


def test_whole_tables_sum_up_and_stay_near_the_counts() -> None:
    counts = np.random.default_rng(0).integers(0, 50, (3, 8192)).astype(float)
    counts[1] = 0
    counts[2, 1:] = 0
    tables = whole_tables(counts)
    assert (tables.sum(1) == TOTAL).all()
    assert tables.min() == 1
    assert tables[1].max() - tables[1].min() <= 1
    share = counts[0] / counts[0].sum()
    used = share > 0
    assert (share[used] * np.log2(share[used] / (tables[0, used] / TOTAL))).sum() < 0.02


def test_training_lowers_the_loss() -> None:
    torch.manual_seed(0)
    crops = pictures(4, 128)
    network = SmallCascade(8, words=(4, 8, 16))
    start(network, crops, 0.01)
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    batch, losses = PictureBatches(crops, 64, 4, 0).batch(0), []
    for step in range(30):
        loss, facts = loss_of(0.01, "straight-through")(network, batch, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.97 * losses[0]
    assert {"psnr_db", "bpp", "dead_16", "perplexity_64"} <= set(facts)


def test_batches_depend_on_the_step_alone() -> None:
    crops = pictures(3, 128)
    one, two = PictureBatches(crops, 64, 5, 3), PictureBatches(crops, 64, 5, 3)
    second = one.batch(2)
    assert torch.equal(second, two.batch(2))
    assert not torch.equal(second, one.batch(3))
    assert second.shape == (5, 3, 64, 64)


@pytest.mark.parametrize("size", [(1, 1), (16, 40), (65, 64), (100, 70)])
def test_decoded_values_are_those_that_the_encoder_had(size: tuple[int, int]) -> None:
    network = make_neural().network
    picture = pictures_of(pictures(1, 128))[:, :, : size[0], : size[1]]
    kept: list[Tensor] = []
    original = network.synthesise
    codes = network.encode(picture, 0.01)
    assert [found.shape[2:] for found in codes] == [(cells(size[0], level), cells(size[1], level)) for level in range(3)]
    padded = torch.nn.functional.pad(picture, (0, -size[1] % 64, 0, -size[0] % 64), mode="replicate")
    network.quantise(padded, lambda level, latent: kept.append(latent) or _values(network, codes, level, latent))
    values = [_values(network, codes, level, latent) for level, latent in enumerate(kept)]
    assert torch.equal(original(values)[:, :, : size[0], : size[1]], network.decode(codes, *size))


def _values(network, codes: list[Tensor], level: int, like: Tensor) -> Tensor:
    rows = torch.arange(like.shape[2]).clamp(max=codes[level].shape[2] - 1)
    columns = torch.arange(like.shape[3]).clamp(max=codes[level].shape[3] - 1)
    return network.codebook(level).values(codes[level][:, :, rows][:, :, :, columns])
