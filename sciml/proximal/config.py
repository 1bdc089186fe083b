"""Settings of learned proximal networks, one model a stage."""

from __future__ import annotations

from pydantic import Field

from sciml.runtime.settings import StageConfig


class RegularizerConfig(StageConfig):
    """Structure of the implicit form: a weakly convex regulariser of grouped filter responses."""

    channels: int = Field(default=1, ge=1, le=16, description="channels of the images; 3 for colour")
    windows: tuple[tuple[int, ...], ...] = Field(default=((7,),), description="odd window sizes of the filters of each level")
    weak_convexity: float = Field(default=0.97, gt=0, lt=1, description="largest allowed rho; the prox is unique below 1")
    curvature: float = Field(default=20.0, gt=1, description="largest allowed curvature of R, its Lipschitz constant")
    sigma_knots: tuple[float, ...] = Field(
        default=(0.01, 0.03, 0.1, 0.3), description="noise levels between which the potentials are interpolated, ascending"
    )
