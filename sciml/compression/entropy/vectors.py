"""Entropy-constrained vector quantisation (Chou, Lookabaugh and Gray 1989): codebooks whose cells know what their words cost.

A vector r with class t is coded as

    b = argmin_k |r - c_k|^2 + lambda bits(k | t)

Training goes round in Lloyd's way: assign all vectors, count words by class, move each word to the mean of its vectors. A word
that nobody chose takes half of the cell that has the largest error.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

log = logging.getLogger(__name__)

# vectors of a chunk, so that its costs stay in the processor's cache
CHUNK = 2048
# imagined vectors of a class, spread over the words as those of all classes are
SMOOTHING = 16.0
# share of the rounds after which dead words stay dead: at the end those that are not worth their bits must go
REVIVED = 0.3
# where words start anywhere, bits cost this much more at first, and come down to their price over this share of the rounds: few
# words spread out, then more follow; 1 % less cost at the end than with the price from the start on
DEAR, FALLING = 6.0, 0.4


@dataclass(frozen=True)
class Codebook:
    """Words and how often each class chose each.

    Attributes:
        words: words in the unit of the vectors.
        counts: counts of the training vectors.
        squared_error: mean over the training vectors, summed over a vector's numbers.
        bits: mean ideal code length of a word.
        revived: words that were dead in some round and given another place.
    """

    words: Float[np.ndarray, "words dimension"]
    counts: Int[np.ndarray, "classes words"]
    squared_error: float
    bits: float
    revived: int

    @property
    def used(self) -> int:
        """Words that were chosen."""
        return int((self.counts.sum(0) > 0).sum())

    @property
    def perplexity(self) -> float:
        """Two to the entropy of the words, classes aside: how many equally frequent words would need as many bits."""
        share = self.counts.sum(0) / self.counts.sum()
        share = share[share > 0]
        return float(2.0 ** -(share * np.log2(share)).sum())


def assign(
    vectors: Float[np.ndarray, "vectors dimension"],
    words: Float[np.ndarray, "words dimension"],
    bits: Float[np.ndarray, "classes words"],
    classes: Int[np.ndarray, " vectors"],
    weight: float | Float[np.ndarray, " vectors"],
) -> tuple[Int[np.ndarray, " vectors"], Float[np.ndarray, " vectors"]]:
    """Return the word of least |r - c|^2 + weight bits for each vector, and its squared error.

    Args:
        vectors: vectors to be coded.
        words: words of the codebook.
        bits: ideal code lengths by class.
        classes: classes of the vectors.
        weight: squared units a bit is worth; one number or one a vector.
    """
    weights = np.broadcast_to(np.asarray(weight, vectors.dtype), classes.shape)
    # |r - c|^2 without |r|^2, which is the same for all words
    turned, squares = -2 * words.T, np.square(words).sum(1)
    chosen = np.empty(len(vectors), np.intp)
    for start in range(0, len(vectors), CHUNK):
        part = slice(start, start + CHUNK)
        cost = vectors[part] @ turned
        cost += squares
        cost += weights[part, None] * bits[classes[part]]
        chosen[part] = cost.argmin(1)
    return chosen, np.square(vectors - words[chosen]).sum(1)


def code_lengths(counts: Float[np.ndarray, "classes words"]) -> Float[np.ndarray, "classes words"]:
    """Return ideal code lengths from counts, each class smoothed towards all classes together."""
    smooth = smoothed(counts)
    return np.log2(smooth.sum(1, keepdims=True)) - np.log2(smooth)


def smoothed(counts: Float[np.ndarray, "classes words"]) -> Float[np.ndarray, "classes words"]:
    """Return counts with imagined vectors in every class, none of them 0."""
    together = counts.sum(0) + 0.05
    return counts + SMOOTHING * together / together.sum()


def train_codebook(
    vectors: Float[np.ndarray, "vectors dimension"],
    classes: Int[np.ndarray, " vectors"],
    class_count: int,
    words: int,
    weight: float,
    rounds: int,
    generator: np.random.Generator,
    signs: Float[np.ndarray, "variants dimension"] | None = None,
    first: Float[np.ndarray, "first dimension"] | None = None,
) -> Codebook:
    """Return the codebook of these vectors.

    Args:
        vectors: vectors to learn from.
        classes: classes of the vectors.
        class_count: number of classes.
        words: number of words.
        weight: squared units a bit is worth.
        rounds: rounds of assignment and update.
        generator: draws the first words among the vectors, and their signs.
        signs: patterns of +1 and -1 under which the vectors are as likely, all of them alike; each round takes one of
            them for each vector, the last count takes all.
        first: words to start from; what is missing is drawn.
    """
    every = np.ascontiguousarray(vectors, np.float32)
    patterns = np.ones((1, every.shape[1]), np.float32) if signs is None else signs.astype(np.float32)
    book = _first_words(every, words, generator)
    if first is not None:
        book[: len(first)] = first[:words]
    dear = DEAR if first is None else 1.0
    bits = np.zeros((class_count, words), np.float32)
    revived = 0
    for number in range(rounds):
        vectors = every * patterns[generator.integers(len(patterns), size=len(every))] if len(patterns) > 1 else every
        price = weight * max(1.0, dear - (dear - 1) * number / max(1.0, FALLING * rounds))
        chosen, errors = assign(vectors, book, bits, classes, price)
        counts = _count(classes, chosen, class_count, words)
        book = _means(vectors, chosen, book)
        bits = code_lengths(counts).astype(np.float32)
        dead = np.flatnonzero(counts.sum(0) == 0)
        if len(dead) and number < REVIVED * rounds:
            revived += _revive(dead, vectors, chosen, errors, book, bits)
    final = [assign(every * pattern, book, bits, classes, weight) for pattern in patterns]
    counts = np.sum([_count(classes, chosen, class_count, words) for chosen, _ in final], 0)
    error = float(np.mean([errors.mean() for _, errors in final]))
    length = float(np.mean([bits[classes, chosen].mean() for chosen, _ in final]))
    result = Codebook(book, counts, error, length, revived)
    log.info(
        "%d words of %d numbers, %d vectors: %d used, perplexity %.1f, error %.4f, %.4f bits, %d revived",
        words, every.shape[1], len(every), result.used, result.perplexity, result.squared_error, result.bits, revived,
    )  # fmt: skip
    return result


def _first_words(
    vectors: Float[np.ndarray, "vectors dimension"], words: int, generator: np.random.Generator
) -> Float[np.ndarray, "words dimension"]:
    """Return 0 and vectors that are drawn the more often the longer they are."""
    weights = np.square(vectors, dtype=np.float64).sum(1) + 1e-12
    drawn = generator.choice(len(vectors), words - 1, replace=words > len(vectors), p=weights / weights.sum())
    return np.concatenate([np.zeros((1, vectors.shape[1]), np.float32), vectors[drawn]])


def _count(
    classes: Int[np.ndarray, " vectors"], chosen: Int[np.ndarray, " vectors"], class_count: int, words: int
) -> Int[np.ndarray, "classes words"]:
    return np.bincount(classes * words + chosen, minlength=class_count * words).reshape(class_count, words)


def _means(
    vectors: Float[np.ndarray, "vectors dimension"],
    chosen: Int[np.ndarray, " vectors"],
    book: Float[np.ndarray, "words dimension"],
) -> Float[np.ndarray, "words dimension"]:
    """Return the mean of each word's vectors; words without vectors stay."""
    every = np.arange(len(vectors))
    members = csr_array((np.ones(len(vectors), np.float32), (chosen, every)), (len(book), len(vectors)))
    number = np.bincount(chosen, minlength=len(book))[:, None]
    return np.where(number > 0, (members @ vectors) / np.maximum(number, 1), book).astype(np.float32)


def _revive(
    dead: Int[np.ndarray, " dead"],
    vectors: Float[np.ndarray, "vectors dimension"],
    chosen: Int[np.ndarray, " vectors"],
    errors: Float[np.ndarray, " vectors"],
    book: Float[np.ndarray, "words dimension"],
    bits: Float[np.ndarray, "classes words"],
) -> int:
    """Put dead words on the worst vectors of the cells of largest error; each shares its cell's probability. Changes in place."""
    by_cell = np.bincount(chosen, errors, len(book))
    parents = np.argsort(-by_cell, kind="stable")[: len(dead)]
    parents = parents[by_cell[parents] > 0]
    # of vectors sorted by error the last one of each cell remains
    worst = np.zeros(len(book), np.intp)
    order = np.argsort(errors, kind="stable")
    worst[chosen[order]] = order
    new = dead[: len(parents)]
    book[new] = vectors[worst[parents]]
    bits[:, parents] += 1
    bits[:, new] = bits[:, parents]
    return len(new)
