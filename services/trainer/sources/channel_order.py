"""Which channel of a flow map is u, which is v, and which is strain: measured on the maps of a whole table.

Three facts tell them apart. None depends on the scale or offset of a channel, so they also hold for stretched maps.

- Strain is a magnitude. Most of a face rests, so its median lies near the bottom of its range, unlike that of u and v.
- Strain follows from the other two: sqrt(ux^2 + vy^2 + (uy + vx)^2 / 2), where ux is the change of u along a row. With
  unknown scales a of u and b of v, its square is a^2 (ux^2 + uy^2/2) + b^2 (vy^2 + vx^2/2) + a b uy vx. Least squares
  fit these terms. The share of the variance that they explain is large for the right order only.
- Faces move alike on both sides. So u changes its sign between a map and its mirror image. v and strain keep theirs.
  What a head motion leaves is smooth over the map: polynomials of second degree are removed first.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PERMUTATIONS = tuple(permutations(range(3)))  # positions of u, v and strain in the file
STATED, EXCHANGED = (0, 1, 2), (1, 0, 2)
LEAST_ROWS = 3  # fewer rows prove nothing
LEAST_STANDARD_ERRORS = 4.0  # a mean counts if it is so many standard errors above zero
# Few rows may resemble each other by chance. So their spread is pooled with that of so many rows of drawn maps.
PRIOR_ROWS, STRAIN_DEVIATION, SYMMETRY_DEVIATION, FIT_DEVIATION = 4, 0.2, 0.5, 0.15
LEAST_STRAIN_CONTRAST, LEAST_SYMMETRY_CONTRAST, LEAST_FIT_CONTRAST = 0.15, 0.3, 0.08
LEAST_LENGTH_FIT = 0.98
LEAST_FIT_OF_ONE, LEAST_REST_OF_ONE = 0.25, 0.03  # of a single map, which has no spread


@dataclass(frozen=True)
class ChannelEvidence:
    """What N maps say of their three channels.

    rest: [N,3] position of the median in the channel's range, 0..1. fit: [N,6] share of the variance of squared strain
    that the other two explain, for each of PERMUTATIONS. symmetry: [N,2,3] correlation of a channel with its mirror
    image, columns reversed and rows reversed. length: [N,3] share of the variance of a squared channel that polynomials
    of the other two explain: 1 for the length of the vector (u, v), which some programs write instead of strain.
    """

    rest: Floats
    fit: Floats
    symmetry: Floats
    length: Floats

    def __len__(self) -> int:
        return len(self.rest)

    def subset(self, rows: NDArray[np.bool_]) -> "ChannelEvidence":
        """The evidence of the maps `rows` [N]."""
        return ChannelEvidence(*(values[rows] for values in vars(self).values()))

    @property
    def strain_scores(self) -> Floats:
        """[N,3] how much each channel is like strain."""
        by_channel = [self.fit[:, [p[2] == channel for p in PERMUTATIONS]].max(1) for channel in range(3)]
        return np.asarray(np.maximum(np.stack(by_channel, 1), self.length * self.is_length) - self.rest)

    @property
    def is_length(self) -> NDArray[np.bool_]:
        """[N,3] whether the channel is the length of the vector whose parts are the other two."""
        return np.asarray(self.length > LEAST_LENGTH_FIT)

    def symmetry_score(self, order: tuple[int, ...], turned: bool) -> Floats:
        """[N] how much u, v and strain in this order are like a face; `turned`: like one that lies on its side."""
        u, v, strain = self.symmetry[:, int(turned), list(order)].T
        return np.asarray(v - u + strain)


@dataclass(frozen=True)
class ChannelVerdict:
    """The order and position that the maps have, if they contradict what is stated.

    order: positions of u, v and strain in the stated order, (0, 1, 2) for equal. turned: rows and columns exchanged.
    agrees: the maps confirm the stated order. Without `agrees` and without a contradiction, nothing can be told.
    """

    order: tuple[int, ...] = STATED
    turned: bool = False
    agrees: bool = False

    @property
    def contradicts(self) -> bool:
        return self.order != STATED or self.turned


def measure_channels(maps: NDArray[np.floating]) -> ChannelEvidence:
    """The evidence of maps [N,3,28,28] in the order that was stated. Channels may have any scale and offset."""
    values = np.asarray(maps, np.float64)
    low, high = values.min((2, 3)), values.max((2, 3))
    span = np.where(high > low, high - low, 1.0)
    scaled = (values - low[..., None, None]) / span[..., None, None]
    smooth = _remove_smooth_part(scaled)
    symmetry = [_correlate(smooth, np.flip(smooth, axis)) for axis in (-1, -2)]
    fit = np.stack([_explained_strain(scaled, order) for order in PERMUTATIONS], 1)
    return ChannelEvidence(np.median(scaled, (2, 3)), fit, np.stack(symmetry, 1), _explained_length(scaled))


def judge_channels(evidence: ChannelEvidence) -> ChannelVerdict:
    """What the maps say together. One that is odd does not count against many that agree."""
    scores = evidence.strain_scores
    strain = int(scores.mean(0).argmax())
    if strain != STATED[2]:
        if not is_clear(scores[:, strain] - scores[:, STATED[2]], LEAST_STRAIN_CONTRAST, STRAIN_DEVIATION):
            return ChannelVerdict()
        return ChannelVerdict(*_most_symmetric(evidence, strain))
    known = all(is_clear(scores[:, 2] - scores[:, k], LEAST_STRAIN_CONTRAST, STRAIN_DEVIATION) for k in (0, 1))
    order, turned = _most_symmetric(evidence, strain)
    if (order, turned) == (STATED, False):
        others = [(EXCHANGED, False), (STATED, True), (EXCHANGED, True)]
        sure = all(
            is_clear(_symmetry_contrast(evidence, STATED, False, *other), 0.0, SYMMETRY_DEVIATION, 2.0)
            for other in others
        )
        return ChannelVerdict(agrees=known and sure)
    if _symmetry_refutes(evidence, order, turned):
        return ChannelVerdict(order, turned)
    return ChannelVerdict()


def find_contrary_maps(evidence: ChannelEvidence) -> NDArray[np.bool_]:
    """[N] maps that alone are enough to contradict the stated order: their strain is another channel than the third."""
    scores = evidence.strain_scores
    best = scores.argmax(1)[:, None]
    stated = evidence.length[:, STATED[2]] > LEAST_LENGTH_FIT - LEAST_FIT_OF_ONE
    fit, rest = (np.take_along_axis(values, best, 1)[:, 0] for values in (scores + evidence.rest, evidence.rest))
    fits_better = fit > (scores + evidence.rest)[:, STATED[2]] + LEAST_FIT_OF_ONE
    return np.asarray(fits_better & ~stated & (rest < evidence.rest[:, STATED[2]] - LEAST_REST_OF_ONE))


def is_clear(
    contrasts: Floats, least: float, usual_deviation: float, standard_errors: float = LEAST_STANDARD_ERRORS
) -> bool:
    """Whether contrasts [N] are above zero beyond chance: by their mean, and by their mean in standard errors."""
    count = len(contrasts)
    if count < LEAST_ROWS:
        return False
    squares = float(((contrasts - contrasts.mean()) ** 2).sum()) + PRIOR_ROWS * usual_deviation**2
    deviation = (squares / (count - 1 + PRIOR_ROWS)) ** 0.5
    mean = float(contrasts.mean())
    return mean > least and mean * count**0.5 > standard_errors * deviation


def _most_symmetric(evidence: ChannelEvidence, strain: int) -> tuple[tuple[int, ...], bool]:
    """The order with this strain, and whether the maps are turned, that is most like a face."""
    choices = [(order, turned) for order in PERMUTATIONS if order[2] == strain for turned in (False, True)]
    scores = [evidence.symmetry_score(*each).mean() + _fit_contrast(evidence, *each).mean() for each in choices]
    return choices[int(np.argmax(scores))]


def _symmetry_refutes(evidence: ChannelEvidence, order: tuple[int, ...], turned: bool) -> bool:
    """Whether u and v are exchanged or the maps are turned, beyond doubt. The fit of strain supports or forbids it."""
    contrast = _symmetry_contrast(evidence, order, turned, STATED, False)
    fit = _fit_contrast(evidence, order, turned) - _fit_contrast(evidence, STATED, False)
    if is_clear(-fit, LEAST_FIT_CONTRAST, FIT_DEVIATION):
        return False
    supported = is_clear(fit, LEAST_FIT_CONTRAST, FIT_DEVIATION)
    if supported and is_clear(contrast, LEAST_SYMMETRY_CONTRAST / 2, SYMMETRY_DEVIATION, 3.0):
        return True
    like_a_face = float(evidence.symmetry_score(order, turned).mean()) > LEAST_SYMMETRY_CONTRAST
    return like_a_face and is_clear(contrast, LEAST_SYMMETRY_CONTRAST, SYMMETRY_DEVIATION, 5.0)


def _symmetry_contrast(
    evidence: ChannelEvidence, order: tuple[int, ...], turned: bool, other: tuple[int, ...], other_turned: bool
) -> Floats:
    return evidence.symmetry_score(order, turned) - evidence.symmetry_score(other, other_turned)


def _fit_contrast(evidence: ChannelEvidence, order: tuple[int, ...], turned: bool) -> Floats:
    """[N] how much better strain fits u and v in this order than exchanged. A turned map exchanges them once more."""
    exchanged = PERMUTATIONS.index((order[1], order[0], order[2]))
    contrast = evidence.fit[:, PERMUTATIONS.index(order)] - evidence.fit[:, exchanged]
    return -contrast if turned else contrast


def _remove_smooth_part(maps: Floats) -> Floats:
    """Maps [N,3,H,W] less their least-squares polynomial of second degree in row and column."""
    rows, columns = maps.shape[-2:]
    y, x = (part.ravel() for part in np.meshgrid(*(np.linspace(-1, 1, n) for n in (rows, columns)), indexing="ij"))
    basis = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1))[0]
    flat = maps.reshape(*maps.shape[:-2], -1)
    return np.asarray((flat - (flat @ basis) @ basis.T).reshape(maps.shape))


def _correlate(first: Floats, second: Floats) -> Floats:
    """[N,3,H,W] twice, each with the mean 0 -> [N,3]; 0 for a channel that is constant."""
    product, energy = (first * second).sum((2, 3)), (first**2).sum((2, 3))
    return np.asarray(product / np.where(energy > 1e-9, energy, np.inf))


def _explained_strain(maps: Floats, order: tuple[int, ...]) -> Floats:
    """[N,3,H,W] scaled to 0..1 -> [N] share of the variance of squared strain that u and v explain in this order."""
    u, v, strain = (maps[:, position] for position in order)
    (uy, ux), (vy, vx) = (np.gradient(part, axis=(1, 2)) for part in (u, v))
    terms = np.stack([ux**2 + uy**2 / 2, vy**2 + vx**2 / 2, uy * vx, np.ones_like(u)], -1)
    return _explained_variance(terms, strain**2)


def _explained_length(maps: Floats) -> Floats:
    """[N,3,H,W] scaled to 0..1 -> [N,3] share of a squared channel's variance that the other two explain."""
    shares = []
    for channel in range(3):
        one, other = np.moveaxis(np.delete(maps, channel, 1), 1, 0)
        terms = np.stack([one, other, one**2, other**2, np.ones_like(one)], -1)
        shares.append(_explained_variance(terms, maps[:, channel] ** 2))
    return np.stack(shares, 1)


def _explained_variance(terms: Floats, target: Floats) -> Floats:
    """Least squares per map: terms [N,H,W,K] and target [N,H,W] -> [N] share of the target's variance."""
    terms, target = terms.reshape(len(terms), -1, terms.shape[-1]), target.reshape(len(target), -1)
    terms = terms / np.maximum(np.abs(terms).max(1, keepdims=True), 1e-12)
    gram = np.einsum("npi,npj->nij", terms, terms) + 1e-9 * np.eye(terms.shape[-1])
    found = np.linalg.solve(gram, np.einsum("npi,np->ni", terms, target)[..., None])
    left = target - (terms @ found)[..., 0]
    return np.asarray(1 - left.var(1) / np.maximum(target.var(1), 1e-12))
