"""The look of a person without a change of shape: skin tone, hair, brows, beard, marks, texture, light."""

from dataclasses import dataclass

import cv2
import numpy as np

from merstream.synth.warping import Floats, gaussian_blur, pixel_grid

RGB = tuple[float, float, float]
SKIN_COLOURS: tuple[RGB, ...] = (
    (210, 172, 150),
    (222, 182, 152),
    (210, 166, 134),
    (198, 152, 116),
    (176, 128, 94),
    (146, 102, 74),
    (112, 76, 56),
    (216, 176, 156),
    (214, 172, 138),
)
HAIR_COLOURS: tuple[RGB, ...] = (
    (28, 25, 26),
    (44, 34, 28),
    (66, 46, 32),
    (92, 66, 42),
    (126, 96, 60),
    (142, 118, 84),
    (96, 48, 26),
    (112, 108, 104),
)
CLOTHES_COLOURS: tuple[RGB, ...] = (
    (40, 44, 60),
    (90, 30, 34),
    (44, 66, 52),
    (120, 116, 110),
    (30, 30, 32),
    (70, 84, 120),
)

HIGHLIGHT_KNEE = 185.0  # grey level above which highlights are compressed instead of clipped, as in a camera


@dataclass(frozen=True)
class FaceMasks:
    """Regions of the identity's picture, float32 [H, W] in 0..1 each."""

    hair: Floats
    skin: Floats
    suit: Floats
    eyes: Floats
    lips: Floats


@dataclass(frozen=True)
class PersonLook:
    """One person's colours and light; colours are mean RGB 0..255, strengths 0..1."""

    skin: RGB
    hair: RGB
    clothes: RGB
    backdrop: RGB
    brow: float
    brow_width: float
    beard: float
    freckles: int
    texture: float
    light: tuple[float, float]
    warmth: float


def draw_look(rng: np.random.Generator) -> PersonLook:
    """A person's look, from that person's own random generator."""
    skin, hair = (palette[rng.integers(len(palette))] for palette in (SKIN_COLOURS, HAIR_COLOURS))
    if sum(skin) < 360:  # dark skin with fair hair would look dyed
        hair = HAIR_COLOURS[rng.integers(2)]
    return PersonLook(
        skin=_jitter_colour(rng, skin, 8),
        hair=_jitter_colour(rng, hair, 6),
        clothes=_jitter_colour(rng, CLOTHES_COLOURS[rng.integers(len(CLOTHES_COLOURS))], 10),
        backdrop=_jitter_colour(rng, (168, 168, 170), 26),
        brow=float(rng.uniform(0.25, 0.85)),
        brow_width=float(rng.uniform(0.6, 1.5)),
        beard=float(rng.choice([0, 0, 0.25, 0.45])),
        freckles=int(rng.choice([0, 2, 4, 25])),
        texture=float(rng.uniform(2.0, 4.0)),
        light=(float(rng.uniform(-0.22, 0.22)), float(rng.uniform(-0.08, 0.12))),
        warmth=float(rng.uniform(-0.03, 0.03)),
    )


def apply_look(image: Floats, masks: FaceMasks, points: Floats, look: PersonLook, rng: np.random.Generator) -> Floats:
    """Give the reshaped portrait `image` float32 [H, W, 3] in 0..255 with landmarks `points` [68, 2] the `look`."""
    eye = float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))  # px between the eyes: the face's scale
    image = _recolour_regions(image, masks, look)
    image = _draw_beard(image, masks, points, look, eye)
    image = _draw_brows(image, points, look, eye, rng)
    image = _draw_skin_marks(image, masks, points, look, eye, rng)
    image = _add_skin_texture(image, masks, look, eye, rng)
    return _apply_lighting(image, points, look, eye)


def _jitter_colour(rng: np.random.Generator, colour: RGB, spread: float) -> RGB:
    common = rng.uniform(-spread, spread)
    r, g, b = (float(c + common + rng.uniform(-spread, spread) / 3) for c in colour)
    return r, g, b


def _recolour_regions(image: Floats, masks: FaceMasks, look: PersonLook) -> Floats:
    backdrop = np.clip(1 - masks.hair - masks.skin - masks.suit, 0, 1)
    skin = masks.skin * (1 - 0.9 * masks.eyes)
    image = _tone_region(image, backdrop, look.backdrop, 0.8)
    image = _tone_region(image, masks.suit, look.clothes, 0.6)
    image = _tone_region(image, masks.hair, look.hair, 0.9, own_shading=0.25)
    return _tone_region(image, skin, look.skin, 0.85)


def _tone_region(image: Floats, mask: Floats, colour: RGB, contrast: float, own_shading: float = 1.0) -> Floats:
    """Give the region under `mask` [H, W] the mean `colour`, and keep its shading as ratios to its own mean.

    own_shading: 1: each channel keeps its own shading; 0: all have that of the brightness (no coloured highlights).
    """
    mean = np.maximum((image * mask[..., None]).sum((0, 1)) / max(float(mask.sum()), 1.0), 8.0)
    ratio = np.maximum(image, 1.0) / mean.astype(np.float32)
    ratio = own_shading * ratio + (1 - own_shading) * ratio.mean(-1, keepdims=True)
    shaded = np.asarray(colour, np.float32) * np.asarray(cv2.pow(ratio, contrast))
    return np.asarray(image + mask[..., None] * (np.clip(shaded, 0, 255) - image), np.float32)


def _draw_beard(image: Floats, masks: FaceMasks, points: Floats, look: PersonLook, eye: float) -> Floats:
    """The bluish shadow of a shaved beard over jaw and upper lip, not on the lips."""
    height, width = image.shape[:2]
    jaw = np.vstack([points[3:14], points[[54, 35, 33, 31, 48]]])
    area = np.zeros((height, width), np.float32)
    cv2.fillPoly(area, [np.round(jaw).astype(np.int32)], 1.0)
    mask = look.beard * gaussian_blur(area, 0.09 * eye) * masks.skin * (1 - masks.lips)
    return np.asarray(image * (1 - mask[..., None] * np.array([0.55, 0.5, 0.42], np.float32)))


def _draw_brows(image: Floats, points: Floats, look: PersonLook, eye: float, rng: np.random.Generator) -> Floats:
    """Fine hairs along the brow landmarks, upright at the inner end and nearly level at the outer one."""
    strokes = np.zeros(image.shape[:2], np.float32)
    for brow in (points[17:22][::-1], points[22:27]):  # from the inner end to the outer
        outward = np.sign(brow[4, 0] - brow[0, 0])
        for along in 4 * rng.beta(1.1, 1.3, int(170 * look.brow_width)):
            root = np.array([np.interp(along, range(5), brow[:, axis]) for axis in (0, 1)])
            root[1] += (0.022 + rng.normal(0, 0.015 * look.brow_width * (1.15 - along / 5))) * eye
            lean = np.array([outward * (0.3 + 0.35 * along), -0.7 + 0.25 * along])
            _draw_brow_hair(
                strokes,
                root,
                root + lean / np.linalg.norm(lean) * eye * rng.uniform(0.03, 0.05),
                max(1, round(eye / 140)),
            )
    mask = look.brow * np.clip(gaussian_blur(strokes, eye / 150) * 0.9, 0, 1)[..., None]
    colour = np.asarray(look.hair, np.float32) * 0.5 + np.asarray(look.skin, np.float32) * 0.12
    return np.asarray(image * (1 - mask) + colour * mask)


def _draw_brow_hair(strokes: Floats, root: Floats, tip: Floats, width: int) -> None:
    """Add one hair, so that crossing hairs are denser."""
    corner = np.floor(np.minimum(root, tip)).astype(int) - 2
    patch = np.zeros(np.ceil(np.abs(tip - root)).astype(int)[::-1] + 6, np.float32)
    ends = [tuple(int(v) for v in np.round((end - corner) * 16)) for end in (root, tip)]
    cv2.line(patch, ends[0], ends[1], 0.6, width, cv2.LINE_8, 4)
    window = strokes[corner[1] : corner[1] + patch.shape[0], corner[0] : corner[0] + patch.shape[1]]
    window += patch[: window.shape[0], : window.shape[1]]


def _draw_skin_marks(
    image: Floats, masks: FaceMasks, points: Floats, look: PersonLook, eye: float, rng: np.random.Generator
) -> Floats:
    """Freckles and moles on cheeks, nose and chin."""
    low, high = points.min(0), points.max(0)
    spots = np.zeros(image.shape[:2], np.float32)
    for _ in range(look.freckles):
        x, y = rng.uniform(low, high)
        radius = eye * (rng.uniform(0.006, 0.011) if look.freckles > 10 else rng.uniform(0.012, 0.022))
        cv2.circle(
            spots, (round(x * 16), round(y * 16)), round(radius * 16), float(rng.uniform(0.2, 0.5)), -1, cv2.LINE_AA, 4
        )
    mask = (gaussian_blur(spots, eye / 150) * masks.skin * (1 - masks.eyes))[..., None]
    return np.asarray(image * (1 - mask * np.array([0.6, 0.8, 0.9], np.float32)))


def _add_skin_texture(
    image: Floats, masks: FaceMasks, look: PersonLook, eye: float, rng: np.random.Generator
) -> Floats:
    """Pores: the detail that the enlarged photograph lacks and that flow needs, in three octaves, grey levels rms."""
    grain = np.zeros(image.shape[:2], np.float32)
    for sigma, share in ((0.006, 0.9), (0.014, 0.7), (0.035, 0.5)):
        octave = gaussian_blur(rng.standard_normal(image.shape[:2], np.float32), max(sigma * eye, 0.8))
        grain += share * octave / float(octave.std())
    weight = look.texture * masks.skin * (1 - masks.eyes) * (1 - 0.6 * masks.lips) + 0.35 * look.texture * masks.hair
    return np.asarray(image * (1 + (weight * grain / 170)[..., None]))


def _apply_lighting(image: Floats, points: Floats, look: PersonLook, eye: float) -> Floats:
    """Light from one side and above, falling off over the face's width, and its colour temperature."""
    x, y = pixel_grid(*image.shape[:2])
    centre = points[27:36].mean(0)
    side = (
        np.tanh((x - centre[0]) / (0.9 * eye)) * look.light[0] + np.tanh((centre[1] - y) / (1.5 * eye)) * look.light[1]
    )
    warm = np.array([1 + look.warmth, 1, 1 - look.warmth], np.float32)
    lit = image * (1 + side)[..., None] * warm
    return np.asarray(
        np.where(
            lit > HIGHLIGHT_KNEE,
            255 - (255 - HIGHLIGHT_KNEE) * np.exp((HIGHLIGHT_KNEE - lit) / (255 - HIGHLIGHT_KNEE)),
            lit,
        ),
        np.float32,
    )
