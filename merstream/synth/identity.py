"""Persons: the neutral portrait reshaped, posed and dressed; a person depends on the seed and its number alone."""

from dataclasses import dataclass, fields

import numpy as np

from merstream.synth import appearance, portrait
from merstream.synth.warping import Floats, gaussian_blur, invert_backward_map, sample_image, thin_plate_spline

OVERSAMPLING = 2  # source px per frame px, so that bilinear sampling of the source costs no detail in a frame
# Landmark i of a mirrored face is landmark MIRRORED_LANDMARKS[i] of the face.
MIRRORED_LANDMARKS = np.r_[16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47, 46, 39:35:-1, 41, 40, 54:47:-1, 59:54:-1]
MIRRORED_LANDMARKS = np.r_[MIRRORED_LANDMARKS, 64:59:-1, 67:64:-1]
# Blur of lens and pixel, standard deviation in frame px. Without it, the blur of bilinear sampling would depend on the
# positions of a frame's pixels between those of the source, and motion would shimmer.
LENS_BLUR_PX = 0.5
SHAPE_SMOOTHING = 30.0  # px^2, of the shape spline: prevents folds between neighbouring landmarks


@dataclass(frozen=True)
class Identity:
    """A person facing the camera at rest.

    image: [OVERSAMPLING*H, OVERSAMPLING*W, 3] float32 RGB 0..255, the texture that clips are sampled from.
    landmarks: [68, 2] float64 (x, y) in frame px (H x W), iBUG order.
    """

    image: Floats
    landmarks: Floats


def random_generator(seed: int, *path: int) -> np.random.Generator:
    """The random generator of one subject or clip, independent of all others and of their number."""
    return np.random.default_rng(np.random.SeedSequence([seed, *path]))


def draw_identity(seed: int, subject: int, size: tuple[int, int] = (480, 640)) -> Identity:
    """Person number `subject` (from 1) of the dataset `seed`, in frames of `size` (rows, columns)."""
    shape, look, details = (random_generator(seed, subject, 0, part) for part in range(3))
    face = portrait.neutral_portrait()
    mirrored = bool(shape.integers(2))
    canvas = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
    points, outline = _reshape_face(face, shape)
    pose = _PortraitPose(points, canvas, shape)
    sources = np.vstack([face.landmarks, face.outline, _background_anchors(face)])
    targets = np.vstack([pose(points), pose(outline), pose(_background_anchors(face))])
    back = thin_plate_spline(targets, sources, *canvas, smoothing=SHAPE_SMOOTHING)
    layers = {field.name: sample_image(getattr(face, field.name), back) for field in fields(appearance.FaceMasks)}
    image, points = (
        np.clip(sample_image(face.image, back), 0, 255),
        invert_backward_map(back, face.landmarks, targets[:68]),
    )
    if mirrored:
        image, layers = image[:, ::-1], {name: layer[:, ::-1] for name, layer in layers.items()}
        points = (np.array([canvas[1] - 1, 0]) + points * [-1, 1])[MIRRORED_LANDMARKS]
    masks = appearance.FaceMasks(**{name: np.ascontiguousarray(np.clip(layer, 0, 1)) for name, layer in layers.items()})
    picture = appearance.apply_look(np.ascontiguousarray(image), masks, points, appearance.draw_look(look), details)
    return Identity(gaussian_blur(picture, LENS_BLUR_PX * OVERSAMPLING), (points + 0.5) / OVERSAMPLING - 0.5)


def draw_face_shape(seed: int, subject: int) -> Floats:
    """Landmarks [68, 2] (x, y), portrait px, of a face as different from the portrait as those of `draw_identity`.

    No picture is drawn, so this takes a millisecond.
    """
    return _reshape_face(portrait.neutral_portrait(), random_generator(seed, subject, 0, 0))[0]


def _background_anchors(face: portrait.Portrait) -> Floats:
    """Points [5, 2] around the head that keep the background in place when the face changes shape."""
    height, width = face.image.shape[:2]
    return np.array(
        [(x, y) for x in (0, width / 2, width) for y in (-40, height) if (x, y) != (width / 2, height)], float
    )


def _reshape_face(face: portrait.Portrait, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Landmarks [68, 2] and hair outline [N, 2] of another person, in portrait px.

    Fractions below are of the distance between the eyes.
    """
    points, outline = face.landmarks.copy(), face.outline.copy()
    eye = float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))
    middle = points[27:31, 0].mean()
    _shape_jaw(points, middle, eye, rng)
    _shape_eyes(points, middle, eye, rng)
    _shape_nose(points, middle, eye, rng)
    _shape_mouth(points, eye, rng)
    outline += _nearby_shift(outline, face.landmarks, points - face.landmarks, eye)
    centre = np.array([middle, points[:, 1].mean() - eye])
    outline[:17] = centre + (outline[:17] - centre) * rng.uniform([0.86, 0.84], [1.03, 1.03])
    outline[19:24, 1] += rng.uniform(-0.22, 0.05) * eye
    return points, outline


def _nearby_shift(outline: Floats, points: Floats, moved: Floats, eye: float) -> Floats:
    """[N, 2] shift of the hair's outline with the landmarks beside it: their mean shift, weighted by distance."""
    far = np.linalg.norm(outline[:, None] - points[None], axis=-1) / (0.15 * eye)
    weights = 1 / (0.1 + far**3)
    near = np.exp(-((far.min(1, keepdims=True) / 6) ** 2))
    return np.asarray(near * (weights @ moved) / weights.sum(1, keepdims=True))


def _shape_jaw(points: Floats, middle: float, eye: float, rng: np.random.Generator) -> None:
    width, jaw, chin = rng.uniform([0.95, 0.92, -0.08], [1.07, 1.08, 0.16])
    lowness = np.clip((points[:17, 1] - points[0, 1]) / (points[8, 1] - points[0, 1]), 0, 1)
    points[:17, 0] = middle + (points[:17, 0] - middle) * (width + (jaw - 1) * lowness)
    points[:17, 1] += chin * eye * lowness**2


def _shape_eyes(points: Floats, middle: float, eye: float, rng: np.random.Generator) -> None:
    apart, wide, open_, tilt = rng.uniform([-0.05, 0.9, 0.75, -0.09], [0.05, 1.12, 1.15, 0.09])
    raise_, arch, slant, frown = rng.uniform([-0.1, -0.03, -0.05, -0.06], [0.05, 0.05, 0.05, 0.06])
    for lids, brow, side in ((slice(36, 42), slice(17, 22), -1), (slice(42, 48), slice(22, 27), 1)):
        centre = points[lids].mean(0)
        points[lids] = centre + (points[lids] - centre) * [wide, open_]
        points[lids, 1] -= side * tilt * (points[lids, 0] - centre[0])
        points[lids, 0] += side * apart * eye
        outward = side * (points[brow, 0] - points[brow, 0].mean()) / (0.3 * eye)
        points[brow, 1] += eye * (raise_ - slant * outward - arch * (1 - outward**2))
        points[brow, 0] += side * (apart + frown * (1 - outward) / 2) * eye
    points[:, 0] += middle - points[27:31, 0].mean()


def _shape_nose(points: Floats, middle: float, eye: float, rng: np.random.Generator) -> None:
    wide, long = rng.uniform([0.85, -0.07], [1.35, 0.1])
    points[31:36, 0] = middle + (points[31:36, 0] - middle) * wide
    points[28:36, 1] += long * eye * np.linspace(0.25, 1, 8).clip(0, 1)


def _shape_mouth(points: Floats, eye: float, rng: np.random.Generator) -> None:
    wide, upper, lower, down, corners = rng.uniform([0.86, 0.8, 0.85, -0.05, -0.035], [1.14, 1.7, 1.6, 0.09, 0.03])
    mouth, line = points[48:68].copy(), points[60:65].copy()
    centre = line.mean(0)
    height = mouth[:, 1] - np.interp(mouth[:, 0], line[:, 0], line[:, 1])
    mouth[:, 1] += height * np.where(height < 0, upper - 1, lower - 1)
    along = (mouth[:, 0] - centre[0]) / (0.3 * eye)
    mouth[:, 0] = centre[0] + (mouth[:, 0] - centre[0]) * wide
    mouth[:, 1] += eye * (down - corners * along**2)
    points[48:68] = mouth


class _PortraitPose:
    """Portrait px to frame px: the person's size, a little roll, and the position in the frame."""

    def __init__(self, points: Floats, canvas: tuple[int, int], rng: np.random.Generator) -> None:
        size, roll, x, y = rng.uniform([0.92, -4.0, -0.02, -0.01], [1.06, 4.0, 0.02, 0.02])
        self.centre = points[27:36].mean(0)
        self.position = np.array([canvas[1] * (0.5 + x), canvas[0] * (0.6 + y)])
        angle = np.deg2rad(roll)
        scale = size * canvas[0] / 480 * 0.69
        self.turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def __call__(self, points: Floats) -> Floats:
        return np.asarray((points - self.centre) @ self.turn.T + self.position)
