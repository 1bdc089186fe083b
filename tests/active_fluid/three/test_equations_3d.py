"""The equations in three dimensions: against the distribution itself, linear theory, balances and symmetries."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sciml.active_fluid import Parameters, growth_rates_3d, nematic_order_3d, random_state_3d
from sciml.active_fluid.fields.precision import working
from sciml.active_fluid.solvers.evolution import advance, begin
from sciml.active_fluid.three.bingham_fit import moments_of
from sciml.active_fluid.three.equations import components, inverse, orientation, transform
from sciml.active_fluid.three.running import Case
from sciml.active_fluid.three.states import uniaxial_order
from sciml.active_fluid.three.tensors import full, symmetric

POINTS = 8
EYE = np.eye(3)


def case_of(parameters: Parameters, points: int = POINTS, sweeps: int = 3) -> Case:
    return Case(jax.tree.map(jnp.asarray, parameters), points, sweeps)


def waves_of(d) -> jax.Array:
    return transform(components(symmetric(jnp.asarray(d))))


def tensor(d) -> np.ndarray:
    return np.asarray(full(jnp.stack(d)))


def after(parameters: Parameters, d: np.ndarray, dt: float, count: int) -> np.ndarray:
    """Return D after some steps."""
    with working():
        case, step = case_of(parameters), jnp.asarray(dt)
        carry = advance(case, begin(case, waves_of(d), step), step, jnp.asarray(count - 1))
        return tensor(orientation(inverse(carry.state)))


@eqx.filter_jit
def tendency(case: Case, waves):
    """Return all that changes the waves, and the flow, which is converged."""
    model = case.model()
    slopes, flow = model.tendency(waves, None, 16)
    return slopes + model.linear(len(waves)) * waves, flow


@eqx.filter_jit
def pushed(case: Case, waves, way):
    return jax.jvp(lambda held: tendency(case, held)[0], (waves,), (way,))[1]


def slope(x, errors) -> float:
    return float(np.polyfit(np.log(x), np.log(errors), 1)[0])


@pytest.fixture
def parameters() -> Parameters:
    return Parameters(alpha=-2.0, zeta=0.5, length=6.0)


@pytest.fixture
def d() -> np.ndarray:
    return random_state_3d(POINTS, seed=0, amplitude=0.4, most=1)


class Sphere:
    """Bingham distributions with the same eigenvalues and turned axes at every place, by a sum over the sphere."""

    def __init__(self, points: int, b2: float = 1.5, b3: float = 4.0) -> None:
        x = 2 * np.pi * np.arange(points) / points
        x, y, z = np.meshgrid(x, x, x, indexing="ij")
        angles = 0.02 * np.stack([np.sin(x + y), np.cos(y - z) + 0.5 * np.sin(x), np.sin(z + x)], -1)
        self.turns = Rotation.from_rotvec(angles.reshape(-1, 3)).as_matrix()
        nodes, weight = np.polynomial.legendre.leggauss(24)
        phi = np.repeat(2 * np.pi * np.arange(48)[None] / 48, 24, 0)
        root = np.sqrt(1 - nodes**2)[:, None]
        self.p = np.stack([root * np.cos(phi), root * np.sin(phi), np.repeat(nodes[:, None], 48, 1)]).reshape(3, -1)
        density = np.repeat(weight[:, None], 48, 1).ravel() * np.exp(-b2 * self.p[1] ** 2 - b3 * self.p[2] ** 2)
        self.weights = density / density.sum()
        own = (self.weights * self.p) @ self.p.T
        self.d = np.einsum("nai,nbi,i->abn", self.turns, self.turns, np.diag(own)).reshape(3, 3, points, points, points)
        np.testing.assert_allclose(np.diag(own), moments_of(np.array([b2]), np.array([b3])).second[0], atol=1e-13)

    def at(self, place: int) -> np.ndarray:
        """Return the directions (3, samples) at a place, to go with `weights`."""
        return self.turns[place] @ self.p

    def stress(self, parameters: Parameters, strain: np.ndarray) -> np.ndarray:
        """Return Sigma (3, 3, x, y, z) from the directions themselves."""
        own = np.einsum("n,in,jn,kn,ln->ijkl", self.weights, self.p, self.p, self.p, self.p, optimize=True)
        s = np.einsum("nai,nbj,nck,ndl,ijkl->abcdn", *[self.turns] * 4, own, optimize=True).reshape(*[3] * 4, *self.d.shape[2:])
        d, p = self.d, parameters
        square = np.einsum("ik...,kj...->ij...", d, d)
        of_strain, of_d = (np.einsum("ijkl...,kl...->ij...", s, t) for t in (strain, d))
        return p.alpha * d + p.beta * of_strain - 2 * p.zeta * p.beta * (square - of_d)


def test_what_changes_the_tensor_is_what_the_rods_do(parameters):
    # D' of the distribution itself, place by place: a sum over directions of p' p + p p' and of diffusion on the sphere
    points = 16
    sphere = Sphere(points)
    with working():
        waves = waves_of(sphere.d)
        slopes, flow = tendency(case_of(parameters, points), waves)
        rate = tensor(orientation(inverse(slopes)))
        u, g = np.asarray(flow.velocity), np.asarray(flow.gradient)
    k = 2 * np.pi / parameters.length * np.fft.fftfreq(points, 1 / points)
    ks = [k[:, None, None], k[None, :, None], k[None, None, :]]
    wave = np.fft.fftn(sphere.d, axes=(-3, -2, -1))
    *slopes, bend = (
        np.fft.ifftn(factor * wave, axes=(-3, -2, -1)).real for factor in (*(1j * one for one in ks), -sum(one**2 for one in ks))
    )
    carried = sum(u[i] * slopes[i] for i in range(3)) - parameters.d_t * bend
    assert np.abs(u).max() > 1e-3
    for place in (0, 77, 1234, 4000):
        at = (slice(None), slice(None), *np.unravel_index(place, (points,) * 3))
        p = sphere.at(place)
        turning = (g[at] + 2 * parameters.zeta * sphere.d[at]) @ p
        turning -= p * (p * turning).sum(0)
        spun = (sphere.weights * turning) @ p.T
        spread = parameters.d_r * (2 * EYE - 6 * (sphere.weights * p) @ p.T)
        np.testing.assert_allclose(rate[at], spun + spun.T + spread - carried[at], atol=2e-6)


def test_the_flow_balances_the_stress_of_the_rods(parameters):
    points = 16
    sphere = Sphere(points)
    with working():
        flow = tendency(case_of(parameters, points), waves_of(sphere.d))[1]
        u, g = np.asarray(flow.velocity), np.asarray(flow.gradient)
    strain = (g + g.swapaxes(0, 1)) / 2
    assert np.abs(np.trace(g)).max() < 1e-13 and np.abs(u.mean((1, 2, 3))).max() < 1e-14
    sigma = sphere.stress(parameters, strain)
    # what the flow dissipates is what the rods put in: 2 <E:E> = -<E:Sigma>
    power = -(strain * sigma).sum((0, 1)).mean()
    np.testing.assert_allclose(2 * (strain**2).sum((0, 1)).mean(), power, rtol=1e-5)
    # k^2 u = (I - k k / k^2) i k . Sigma, on the waves that are kept, by complex transforms
    counts = np.fft.fftfreq(points, 1 / points)
    k = 2 * np.pi / parameters.length * np.stack(np.meshgrid(counts, counts, counts, indexing="ij"))
    square = np.maximum((k**2).sum(0), 1e-30)
    force = 1j * np.einsum("ij...,j...->i...", np.fft.fftn(sigma, axes=(-3, -2, -1)), k)
    force -= k * (k * force).sum(0) / square
    keep = (np.abs(counts[:, None, None]) < 16 / 3) & (np.abs(counts[:, None]) < 16 / 3) & (np.abs(counts) < 16 / 3)
    expected = np.fft.ifftn(np.where(keep & (square > 1e-20), force / square, 0), axes=(-3, -2, -1)).real
    np.testing.assert_allclose(u, expected, atol=1e-6 * np.abs(u).max())


@pytest.mark.parametrize(("alpha", "friction"), [(-2.0, 0.0), (1.5, 0.7)])
def test_the_programmed_equations_grow_as_the_formula_says(alpha, friction):
    parameters = Parameters(alpha, 0.7, beta=1.3, d_t=0.03, d_r=0.04, length=5.0, friction=friction)
    random = np.random.default_rng(0)
    with working():
        case = case_of(parameters)
        still = waves_of(np.broadcast_to(EYE[..., None, None, None] / 3, (3, 3, *[POINTS] * 3)))
        for whole in ((1, 0, 0), (0, 1, 1), (1, -2, 2), (0, 0, 2)):
            # any tensor wave is a sum of one with k as an axis and a transverse one, which stirs, and of others, which do not
            k = 2 * np.pi / parameters.length * np.array(whole)
            n = k / np.linalg.norm(k)
            q = random.standard_normal((3, 3))
            q = (q + q.T) / 2 - np.trace(q) / 3 * EYE
            across = (EYE - np.outer(n, n)) @ q @ n
            stirring = np.outer(n, across) + np.outer(across, n)
            rates = growth_rates_3d(parameters, float(np.linalg.norm(k)))
            expected = rates["cross"] * stirring + rates["parallel"] * (q - stirring)
            x = parameters.length * np.stack(np.meshgrid(*[np.arange(POINTS) / POINTS] * 3, indexing="ij"))
            wave = np.cos(np.einsum("i,i...->...", k, x) + 0.3)
            density = 0.2
            given = (q + density * EYE / 3)[..., None, None, None] * wave
            found = tensor(orientation(inverse(pushed(case, still, waves_of(given)))))
            total = (expected + rates["density"] * density * EYE / 3)[..., None, None, None] * wave
            np.testing.assert_allclose(found, total, atol=1e-13)


def test_small_waves_grow_so_in_time(parameters):
    # Q_xy, which stirs, and Q_xx - Q_yy, which does not, of one wave along x
    wave = 1e-6 * np.cos(2 * np.pi * np.arange(POINTS) / POINTS)[:, None, None] * np.ones((POINTS,) * 3)
    q = np.zeros((3, 3, *wave.shape))
    q[0, 1], q[1, 0], q[0, 0], q[1, 1] = wave, wave, wave, -wave
    rates = growth_rates_3d(parameters, 2 * np.pi / parameters.length)
    late, later = (after(parameters, EYE[..., None, None, None] / 3 + q, 0.01, count) for count in (50, 150))
    for (i, j), name in (((0, 1), "cross"), ((0, 0), "parallel")):
        grown = (later - late)[i, j, 0, 0, 0] / (late - EYE[i, j] / 3)[i, j, 0, 0, 0] + 1
        assert np.log(grown) == pytest.approx(rates[name], abs=1e-4)


def test_rods_at_rest_come_to_the_order_of_their_own_field():
    # first order with a jump: at zeta between 6.731 and 7.5 d_r both no order and a strong one are stable
    def later(zeta: float, s: float) -> np.ndarray:
        axis = np.array([2.0, -1.0, 2.0]) / 3
        d = (1 - s) / 3 * EYE + s * np.outer(axis, axis)
        end = after(Parameters(0.0, zeta, d_r=1.0), np.broadcast_to(d[..., None, None, None], (3, 3, *[POINTS] * 3)), 0.05, 500)
        assert np.abs(end - end[..., :1, :1, :1]).max() < 1e-13
        along = axis @ end[..., 0, 0, 0] @ axis
        np.testing.assert_allclose(end[..., 0, 0, 0] @ axis, along * axis, atol=1e-9)
        return 1.5 * along - 0.5

    def of(zeta: float) -> float:
        return nematic_order_3d(Parameters(0.0, zeta, d_r=1.0))

    assert of(6.73) == 0 and of(6.74) > 0.35
    for zeta, s in ((8.0, 0.05), (6.9, 0.9), (6.9, 0.4)):
        assert later(zeta, s) == pytest.approx(of(zeta), abs=1e-5)
    assert abs(later(6.9, 0.1)) < 1e-3 and abs(later(6.5, 0.9)) < 1e-3
    # the order solves s = <P2> of exp(s zeta / d_r p_z^2), by Maier and Saupe's tables .4290 where both weigh the same
    assert of(6.8122) == pytest.approx(0.4290, abs=2e-4)
    z, weight = np.polynomial.legendre.leggauss(100)
    psi = weight * np.exp(5.0 * z**2)
    assert uniaxial_order(5.0) == pytest.approx((psi * (3 * z**2 - 1)).sum() / psi.sum() / 2, rel=1e-12)


def test_steps_are_of_second_order_and_the_first_one_too(parameters, d):
    exact = after(parameters, d, 0.8 / 512, 512)
    counts = np.array([8, 16, 32])
    errors = [np.abs(after(parameters, d, 0.8 / count, count) - exact).max() for count in counts]
    assert abs(slope(0.8 / counts, errors) - 2) < 0.15
    first = [np.abs(after(parameters, d, dt, 1) - after(parameters, d, dt / 64, 64)).max() for dt in (0.04, 0.02, 0.01)]
    assert abs(slope((0.04, 0.02, 0.01), first) - 3) < 0.2


def test_turning_the_cube_or_mirroring_it_turns_what_follows(parameters, d):
    def turned(field: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Return D of rods carried by a signed permutation: D'(M x) = M D(x) M^T."""
        places = np.stack(np.meshgrid(*[np.arange(POINTS)] * 3, indexing="ij"))
        from_ = np.einsum("ji,j...->i...", matrix, places) % POINTS
        return np.einsum("ai,bj,ij...->ab...", matrix, matrix, field[:, :, *from_])

    end = after(parameters, d, 0.05, 10)
    assert np.abs(end - d).max() > 0.01
    quarter = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    for matrix in (quarter, np.roll(np.eye(3, dtype=int), 1, 0), np.diag([1, 1, -1]), np.diag([-1, 1, 1])):
        np.testing.assert_allclose(after(parameters, turned(d, matrix), 0.05, 10), turned(end, matrix), atol=1e-13)


def test_the_trace_is_the_density_that_the_flow_carries(parameters, d):
    x = 2 * np.pi * np.arange(POINTS) / POINTS
    density = 1 + 0.3 * np.cos(x)[:, None, None] * np.cos(x)
    end = np.trace(after(parameters, d * density, 0.05, 40))
    assert abs(end.mean() - density.mean()) < 1e-14 and np.ptp(end) > 0.05
    assert np.abs(np.trace(after(parameters, d, 0.05, 40)) - 1).max() < 1e-13
