"""Training samples: a textured picture at two times and as it would look if it moved 1 + alpha times as far.

Target: frame a shows f(x), frame b f(x + d(x)), the wanted frame f(x + (1 + alpha) d(x)) (Oh et al. 2018, equation 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Difficulty:
    """Ranges from which samples are drawn; lengths in px, colours and noise in grey levels."""

    motion: tuple[float, float] = (0.1, 3.0)  # longest displacement from a to b
    alpha: tuple[float, float] = (0.5, 10.0)
    magnified: float = 10.0  # longest displacement from a to the wanted frame
    colour: float = 32.0  # largest shift of a colour channel between a and b
    noise: float = 0.3  # largest u of the noise u * n * sqrt(v / 127.5), in levels of v - 127.5 over 1
    still: float = 0.1  # share of samples without motion
    layered: float = 0.1  # share with a patch that moves before a still background


EASY = Difficulty(motion=(0.7, 2.5), alpha=(3.0, 8.0), magnified=9.0, colour=13.0, noise=0.02, still=0.0, layered=0.0)
FULL = Difficulty()


@dataclass(frozen=True)
class Samples:
    """N samples, frames [N,3,H,W] in grey levels 0..255, alpha [N,1,1,1].

    `first` and `second` are what the network sees, `second_plain` is `second` without the colour shift. `clean` and
    `wanted` are the second and the magnified frame, with the colour shift and without noise or rounding.
    """

    first: Tensor
    second: Tensor
    second_plain: Tensor
    clean: Tensor
    wanted: Tensor
    alpha: Tensor


class SampleGenerator:
    """Draws samples of `size` x `size` px from a bank of tiles [K,3,T,T]; equal seeds draw equal samples."""

    def __init__(self, tiles: Tensor, size: int, seed: int) -> None:
        self.tiles, self.size = tiles, size
        self.random = torch.Generator(tiles.device).manual_seed(seed)

    def draw_samples(self, count: int, difficulty: Difficulty) -> Samples:
        """`count` samples of this difficulty."""
        field, alpha = self.draw_motion(count, difficulty)
        still, tiles, place = self._flags(count, difficulty.still), self._tiles(count), self._placements(count)
        field = field * ~still
        moved = [torch.zeros_like(field), field, (1 + alpha) * field]
        frames = [read_tiles(tiles, place, displacement) for displacement in moved]
        layered = self._flags(count, difficulty.layered)
        if layered.any():
            patches, patch_place = self._tiles(count), self._placements(count)
            masks = [self.patch_mask(displacement) for displacement in moved]
            over = [
                frames[0] * (1 - mask) + read_tiles(patches, patch_place, displacement) * mask
                for mask, displacement in zip(masks, moved, strict=True)
            ]
            frames = [torch.where(layered, patched, plain) for patched, plain in zip(over, frames, strict=True)]
        return self._record(frames, alpha, difficulty)

    def draw_motion(self, count: int, difficulty: Difficulty) -> tuple[Tensor, Tensor]:
        """Displacements [N,H,W,2], px, x and y, and the factors alpha [N,1,1,1]."""
        length = self._log_uniform(count, *difficulty.motion)
        alpha = self._log_uniform(count, *difficulty.alpha)
        alpha = torch.minimum(alpha, (difficulty.magnified / length - 1).clamp(min=0.5))
        steps = torch.arange(self.size, device=self.tiles.device, dtype=torch.float32)
        field = torch.zeros(count, self.size, self.size, 2, device=self.tiles.device)
        numbers = torch.randint(1, 5, (count, 1, 1, 1), generator=self.random, device=self.tiles.device)
        for bump in range(4):
            # so wide that the magnified displacement does not fold the picture
            sigma = self._uniform(count, 5, 25).maximum(1.2 * (1 + alpha) * length)
            x, y = (self._uniform(count, 0, self.size) for _ in range(2))
            distance = (steps - x) ** 2 + (steps[:, None] - y) ** 2
            angle = self._uniform(count, 0, 2 * torch.pi)
            height = torch.exp(-distance / (2 * sigma**2)).movedim(1, -1)
            field += (bump < numbers) * height * torch.cat((angle.cos(), angle.sin()), -1)
        angle, glides = self._uniform(count, 0, 2 * torch.pi), self._flags(count, 0.3)
        field += glides * torch.cat((angle.cos(), angle.sin()), -1)
        return field * length / field.norm(dim=-1, keepdim=True).amax((1, 2), keepdim=True).clamp(min=1e-6), alpha

    def patch_mask(self, displacement: Tensor) -> Tensor:
        """A soft disc [N,1,H,W] in the middle of the picture, 0..1, which moves by the displacement [N,H,W,2]."""
        steps = torch.arange(self.size, device=displacement.device) - (self.size - 1) / 2
        x, y = steps + displacement[..., 0], steps[:, None] + displacement[..., 1]
        return torch.sigmoid((self.size / 4 - torch.hypot(x, y)) / 0.7)[:, None]

    def _record(self, frames: list[Tensor], alpha: Tensor, difficulty: Difficulty) -> Samples:
        """What a camera makes of the frames: a colour shift from b on, noise, whole grey levels."""
        first, plain, wanted = frames
        count, device = len(alpha), alpha.device
        shift = (torch.rand(count, 3, 1, 1, generator=self.random, device=device) * 2 - 1) * difficulty.colour
        level = self._uniform(count, 0, 1) ** 2 * difficulty.noise  # more clips have little noise than much
        seen = [self.quantise_frame(self._add_noise(frame, level)) for frame in (first, plain + shift, plain)]
        targets = [
            (frame + shift).clamp(0, 255) for frame in (plain, wanted)
        ]  # as the camera's range cuts what is seen
        return Samples(*seen, *targets, alpha)

    def _add_noise(self, frame: Tensor, level: Tensor) -> Tensor:
        noise = torch.randn(frame.shape, generator=self.random, device=frame.device)
        return frame + 127.5 * level * noise * (frame.clamp(min=0) / 127.5 / 127.5).sqrt()

    def quantise_frame(self, frame: Tensor) -> Tensor:
        """Whole grey levels 0..255; noise as wide as a level keeps the mean of what lies between two levels."""
        dither = torch.rand(frame.shape, generator=self.random, device=frame.device) - 0.5
        return (frame + dither).round().clamp(0, 255)

    def _tiles(self, count: int) -> Tensor:
        """[N,3,T,T] tiles with their channels permuted and their contrast changed, in the middle of the grey levels."""
        device = self.tiles.device
        tiles = self.tiles[torch.randint(len(self.tiles), (count,), generator=self.random, device=device)]
        order = torch.rand(count, 3, generator=self.random, device=device).argsort(1)
        tiles = tiles.gather(1, order[:, :, None, None].expand_as(tiles))
        mean, contrast = tiles.mean((1, 2, 3), keepdim=True), self._uniform(count, 0.3, 1.1)
        return (tiles - mean) * contrast + mean + self._uniform(count, -30, 30)

    def _placements(self, count: int) -> Tensor:
        """[N,2,3]: px of the sample from its middle -> px of the tile; turned, mirrored, 0.5 to 1.4 times as fine."""
        scale = self._log_uniform(count, 0.5, 1.4).view(-1)
        angle = self._uniform(count, 0, 2 * torch.pi).view(-1)
        mirrored = 1 - 2 * self._flags(count, 0.5).float().view(-1)
        room = (self.tiles.shape[-1] - scale * self.size * 1.42).clamp(min=0) / 2
        middle = (self.tiles.shape[-1] - 1) / 2
        shift = torch.rand(count, 2, generator=self.random, device=scale.device) * 2 - 1
        x, y = (middle + shift * room[:, None]).unbind(1)
        cos, sin = scale * angle.cos(), scale * angle.sin()
        return torch.stack((cos * mirrored, -sin, x, sin * mirrored, cos, y), -1).view(-1, 2, 3)

    def _uniform(self, count: int, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=self.random, device=self.tiles.device)

    def _log_uniform(self, count: int, low: float, high: float) -> Tensor:
        return low * (high / low) ** self._uniform(count, 0, 1)

    def _flags(self, count: int, share: float) -> Tensor:
        return self._uniform(count, 0, 1) < share


def read_tiles(tiles: Tensor, placement: Tensor, displacement: Tensor) -> Tensor:
    """Tiles [N,3,T,T], placements [N,2,3], displacements [N,H,W,2] px -> the pictures [N,3,H,W], read bicubically."""
    size = displacement.shape[1]
    steps = torch.arange(size, device=tiles.device, dtype=torch.float32) - (size - 1) / 2
    middle = torch.stack((steps.expand(size, size), steps[:, None].expand(size, size)), -1)
    points = (middle + displacement) @ placement[:, None, :, :2].mT + placement[:, None, None, :, 2]
    grid = points / ((tiles.shape[-1] - 1) / 2) - 1
    return functional.grid_sample(tiles, grid, mode="bicubic", padding_mode="reflection", align_corners=True)
