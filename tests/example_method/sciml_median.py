"""A method of one's own for `sciml imaging`: the median over a square, which takes noise out and keeps edges."""

from sciml.imaging.tasks.catalogue import Method


def restore(solvers, y, physics, reach):
    """Return the median over the squares of 2 r + 1 pixels around each pixel, r = `reach` rounded.

    Args:
        solvers: `sciml.imaging.solvers.classical`, to build on: `noise_weight`, `tv`, `proximal_gradient` and others.
        y: measurements, (batch, channel, height, width).
        physics: the operator A with `A`, `A_adjoint` and `noise_level`; the identity for `denoise`.
        reach: value of the parameter, from the grid or tuned on validation data.
    """
    # a command line lists the methods without torch
    from torch.nn.functional import pad

    r = max(1, round(reach))
    padded = pad(y, (r, r, r, r), mode="reflect")
    windows = padded.unfold(2, 2 * r + 1, 1).unfold(3, 2 * r + 1, 1)
    return windows.flatten(-2).median(-1).values


median = Method("median", ("denoise",), restore, parameter="pixels to each side", grid=(1.0, 2.0, 3.0), citation="", highest=5.0)
