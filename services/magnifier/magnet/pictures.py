"""Pictures that the training moves: photographs of scikit-image that anyone may use, and drawn discs and noise.

Each photograph is in the public domain or CC0 by its documentation in `skimage.data`. The astronaut stays out: faces
for tests, and the faces that `mer synth` draws, are made of that photograph.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

PHOTOGRAPHS = {
    "brick": "CC0 (CC0Textures)",
    "camera": "CC0 (Lav Varshney)",
    "chelsea": "CC0 (Stefan van der Walt)",
    "clock": "public domain (Stefan van der Walt)",
    "coffee": "CC0 (Rachel Michetti)",
    "grass": "CC0 (CC0Textures)",
    "gravel": "CC0 (CC0Textures)",
    "rocket": "public domain (SpaceX)",
    "text": "public domain (Wikipedia)",
}
TILE = 192  # px, side of a tile
NOISE, LEAVES = 4, 24  # drawn tiles
CONTRAST = 12.0  # grey levels, least standard deviation of a tile: a flat one shows no motion
BLUR = 0.8  # px, standard deviation: leaves little above half of Nyquist, so that sampling teaches no false motion


def load_tiles() -> Tensor:
    """The bank float32 [K,3,TILE,TILE], grey levels 0..255: each photograph in tiles, at full size, half, ..."""
    import skimage.data  # only the training needs it

    tiles = []
    for name in PHOTOGRAPHS:
        picture = np.asarray(getattr(skimage.data, name)())
        rgb = np.broadcast_to(picture[..., None] if picture.ndim == 2 else picture[..., :3], (*picture.shape[:2], 3))
        tiles += [*cut_tiles(torch.tensor(rgb.copy(), dtype=torch.float32).permute(2, 0, 1))]
    random = torch.Generator().manual_seed(1)
    tiles += [*draw_noise(random, NOISE), *draw_leaves(random, LEAVES)]
    return blur_pictures(torch.stack(tiles))


def cut_tiles(picture: Tensor) -> Tensor:
    """Picture [3,H,W] -> tiles [K,3,TILE,TILE], half a tile apart, of the picture at full size, half, quarter ...

    Flat tiles are left out. A picture in which no tile fits is enlarged.
    """
    tiles = []
    while min(picture.shape[1:]) >= TILE:
        tops, lefts = (range(0, side - TILE + 1, TILE // 2) for side in picture.shape[1:])
        tiles += [picture[:, top : top + TILE, left : left + TILE] for top in tops for left in lefts]
        picture = shrink_to_half(picture)
    if not tiles:
        tiles = [fit_tile(picture)]
    return torch.stack([tile for tile in tiles if tile.mean(0).std() >= CONTRAST])


def fit_tile(picture: Tensor) -> Tensor:
    """The picture [3,H,W], whose shorter side is under TILE, enlarged and cut in its middle to [3,TILE,TILE]."""
    scale = TILE / min(picture.shape[1:])
    size = [max(TILE, round(side * scale)) for side in picture.shape[1:]]
    large = functional.interpolate(picture[None], size, mode="bicubic", align_corners=False)[0].clamp(0, 255)
    top, left = ((side - TILE) // 2 for side in size)
    return large[:, top : top + TILE, left : left + TILE]


def shrink_to_half(picture: Tensor) -> Tensor:
    """[3,H,W] -> [3,H/2,W/2], means of 2 x 2."""
    return functional.avg_pool2d(picture[None], 2)[0]


def draw_noise(generator: torch.Generator, count: int) -> Tensor:
    """Coloured noise [count,3,TILE,TILE] with amplitude 1/f, as in photographs, mean 128, grey levels."""
    waves = torch.fft.rfft2(torch.randn(count, 3, TILE, TILE, generator=generator))
    frequency = torch.hypot(torch.fft.fftfreq(TILE)[:, None], torch.fft.rfftfreq(TILE))
    noise = torch.fft.irfft2(waves / frequency.clamp(min=2 / TILE), s=(TILE, TILE))
    grey = noise.mean(1, keepdim=True)  # most of a photograph's contrast is that of its light
    mixed = grey + 0.4 * (noise - grey)
    return (128 + 45 * mixed / mixed.std((1, 2, 3), keepdim=True)).clamp(0, 255)


def draw_leaves(generator: torch.Generator, count: int, discs: int = 500) -> Tensor:
    """Discs that cover each other, [count,3,TILE,TILE], grey levels: edges and sizes as in photographs.

    The model "dead leaves" (Lee, Mumford and Huang 2001): the number of discs falls with the cube of their radius.
    """
    pictures = torch.full((count, 3, TILE, TILE), 128.0)
    texture = draw_noise(generator, count) - 128
    steps = torch.arange(TILE, dtype=torch.float32)
    for _ in range(discs):
        place, chance, light, soft = (torch.rand(count, n, 1, 1, generator=generator) for n in (2, 1, 1, 1))
        radius = 3 / (1 - chance * (1 - (3 / 90) ** 2)).sqrt()  # 3 to 90 px
        distance = torch.hypot(steps - TILE * place[:, :1], steps[:, None] - TILE * place[:, 1:])
        cover = torch.sigmoid((radius - distance) / (0.4 + 2 * soft**2))
        tint = 30 * torch.randn(count, 3, 1, 1, generator=generator)
        pictures = pictures * (1 - cover) + (20 + 215 * light + tint + 0.15 * texture) * cover
    return pictures.clamp(0, 255)


def blur_pictures(pictures: Tensor, sigma: float = BLUR) -> Tensor:
    """[K,C,H,W] -> the same, after a Gaussian of this standard deviation in px."""
    steps = torch.arange(-3, 4, dtype=torch.float32, device=pictures.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    channels = pictures.shape[1]
    padded = functional.pad(pictures, (3, 3, 3, 3), mode="reflect")
    rows = functional.conv2d(padded, kernel.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)
    return functional.conv2d(rows, kernel.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)
