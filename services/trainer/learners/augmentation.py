"""What may be done to a training clip without changing its emotion: mirrored, moved a little in time and in place.

Image coordinates: x to the right, y down; a positive angle turns x towards y. Inputs are batches on any device:
patches [n,9,2,30,7,7] and maps [n,3,28,28] (u, v, strain) in px, clips [n,3,16,144,144] uint8. Action units carry no
side here (`L12` and `R12` are both 12), so the labels of a mirrored clip are those of the clip. Maps are one flow,
onset to apex, and have no time to be moved in.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.trainer.data.arrays import FLOW_COUNT, ROI_COUNT
from services.trainer.learners.batch_source import NetworkInputs
from services.trainer.settings import TrainSettings

MIRRORED_ROIS = np.array(  # ROI i of a mirrored face is ROI MIRRORED[i] of the face: brows, outer lip, inner lip
    [*range(9, -1, -1), *range(16, 9, -1), *range(21, 16, -1), *range(26, 21, -1), *range(29, 26, -1)]
)


@dataclass(frozen=True)
class AffineDraw:
    """Per clip an angle [n] in radians, a scale [n] and shifts in px: [n,2] of the picture, [n,30,2] of the patches,
    each its own, as landmarks scatter. float32 tensors."""

    angle: Tensor
    scale: Tensor
    shift: Tensor
    patch_shift: Tensor


@dataclass(frozen=True)
class AugmentationDraw:
    """What happens to each of n clips; None: nothing. `flip` [n] bool, always on the CPU, `times` [n,9,9] weights of
    the flows, `delay` [n] frames of the AU clip."""

    flip: Tensor
    times: Tensor | None = None
    delay: Tensor | None = None
    affine: AffineDraw | None = None

    def mirrored_indices(self, batch: Tensor) -> Tensor:
        """Which to mirror, found on the CPU: a mask on a GPU would have to be waited for."""
        return self.flip.nonzero().flatten().to(batch.device)

    def subset_on_device(self, clip_indices: Tensor, device: str) -> "AugmentationDraw":
        """Of these clips only, on the device."""
        pick = {name: value[clip_indices].to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        if self.affine is not None:
            pick["affine"] = AffineDraw(
                **{name: value[clip_indices].to(device) for name, value in vars(self.affine).items()}
            )
        return replace(self, **pick | {"flip": self.flip[clip_indices]})


def draw_augmentation(clip_count: int, settings: TrainSettings, rng: np.random.Generator) -> AugmentationDraw:
    """Fresh for every epoch. What is off draws nothing, so that it changes no other draw."""
    drawn: dict[str, Any] = {"flip": torch.from_numpy(settings.mirror & rng.integers(0, 2, clip_count).astype(bool))}
    if settings.jitter:
        drawn["times"] = time_weights(settings.jitter * rng.uniform(-0.5, 0.5, (clip_count, 2)))
        drawn["delay"] = torch.from_numpy(rng.integers(-1, 2, clip_count))
    if settings.rotate or settings.scale or settings.shift:
        angle = math.radians(settings.rotate) * rng.uniform(-1, 1, clip_count)
        scale = 1 + settings.scale * rng.uniform(-1, 1, clip_count)
        shift = settings.shift * rng.uniform(-1, 1, (clip_count, 2))
        patch_shift = settings.shift * rng.uniform(-1, 1, (clip_count, ROI_COUNT, 2))
        drawn["affine"] = AffineDraw(*map(_float_tensor, (angle, scale, shift, patch_shift)))
    return AugmentationDraw(**drawn)


def augment_batch(inputs: NetworkInputs, drawn: AugmentationDraw) -> NetworkInputs:
    """The batch with what was drawn for it; may write into its tensors."""
    ways = {"patches": _augment_patches, "clip": _augment_clips, "maps": _augment_maps}
    return {what: ways[what](batch, drawn) for what, batch in inputs.items()}


def mirror_batch(inputs: NetworkInputs) -> NetworkInputs:
    """All clips of a batch mirrored left to right."""
    ways = {"patches": mirror_patches, "clip": lambda clips: clips.flip(-1), "maps": mirror_maps}
    return {what: ways[what](batch) for what, batch in inputs.items()}


def _augment_patches(patches: Tensor, drawn: AugmentationDraw) -> Tensor:
    if drawn.times is not None:
        patches = retime_flows(patches, drawn.times)
    if drawn.affine is not None:
        patches = warp_patches(patches, drawn.affine)
    return _mirror_drawn_clips(patches, drawn, mirror_patches)


def _augment_clips(clips: Tensor, drawn: AugmentationDraw) -> Tensor:
    if drawn.delay is not None:
        clips = delay_clips(clips, drawn.delay)
    if drawn.affine is not None:
        clips = warp_clips(clips, drawn.affine)
    rows = clips.permute(0, 2, 3, 4, 1).contiguous()  # as features hold them: no copy of what has just been picked
    which = drawn.mirrored_indices(rows)
    turned = rows.index_select(0, which).flip(3)
    _view_as_words(rows).index_copy_(0, which, _view_as_words(turned))
    return rows.permute(0, 4, 1, 2, 3)


def _view_as_words(rows: Tensor) -> Tensor:
    """Bytes by eights, since torch copies element by element."""
    return rows.flatten(1).view(torch.int64)


def _augment_maps(maps: Tensor, drawn: AugmentationDraw) -> Tensor:
    if drawn.affine is not None:
        maps = warp_maps(maps, drawn.affine)
    return _mirror_drawn_clips(maps, drawn, mirror_maps)


def _mirror_drawn_clips(batch: Tensor, drawn: AugmentationDraw, mirror: Callable[[Tensor], Tensor]) -> Tensor:
    which = drawn.mirrored_indices(batch)
    return batch.index_copy_(0, which, mirror(batch.index_select(0, which)))


def mirror_patches(patches: Tensor) -> Tensor:
    """Patches [...,2,30,7,7] of the mirrored face: ROIs change sides, columns run backwards, u changes sign."""
    turned = patches.flip(-1)[..., torch.from_numpy(MIRRORED_ROIS).to(patches.device), :, :]
    turned[..., 0, :, :, :] *= -1
    return turned


def mirror_maps(maps: Tensor) -> Tensor:
    """Maps [...,3,28,28] of the mirrored face: columns run backwards, u changes sign, strain is what it was."""
    turned = maps.flip(-1)
    turned[..., 0, :, :] *= -1
    return turned


def time_weights(amplitudes: NDArray[np.float64]) -> Tensor:
    """[n,9,9] weights from amplitudes [n,2] (flow fields) of a half and a whole sine by which the ten time points are
    moved; the first and the last stay. Motion is even within a flow field, so a new field takes of each old one the
    share of time that it covers: columns sum to 1 and the sum of the flows stays what it was."""
    points = np.arange(FLOW_COUNT + 1)
    waves = np.sin(math.pi * np.array([[1], [2]]) * points / FLOW_COUNT)
    waves[:, [0, -1]] = 0  # sin(pi) is not quite 0
    moved = points + amplitudes @ waves  # [n,10]
    start, end = moved[:, :-1, None], moved[:, 1:, None]
    return _float_tensor(np.clip(np.minimum(end, points[1:]) - np.maximum(start, points[:-1]), 0, None))


def retime_flows(patches: Tensor, times: Tensor) -> Tensor:
    """Flow fields of a warped time axis: patches [n,9,...] by weights [n,9,9]."""
    return (times @ patches.flatten(2)).view_as(patches)


def delay_clips(clips: Tensor, delay: Tensor) -> Tensor:
    """Frames `delay` [n] later (or earlier); the first or the last frame is held."""
    frames = clips.shape[2]
    index = (torch.arange(frames, device=clips.device) + delay[:, None]).clamp(0, frames - 1)
    return clips[torch.arange(len(clips), device=clips.device)[:, None], :, index].transpose(1, 2)


def warp_patches(patches: Tensor, affine: AffineDraw) -> Tensor:
    """Each patch turned and scaled about its centre and moved, its vectors turned and scaled with it."""
    each = patches.permute(0, 3, 1, 2, 4, 5)  # [n,30,9,2,7,7]
    angle, scale = (value.repeat_interleave(ROI_COUNT) for value in (affine.angle, affine.scale))
    warped = warp_images(
        each.flatten(0, 1).flatten(1, 2), angle, scale, affine.patch_shift.flatten(0, 1)
    )  # [n*30,18,7,7]
    return _transform_vectors(warped.view(each.shape).permute(0, 2, 3, 1, 4, 5), affine, 2)


def warp_maps(maps: Tensor, affine: AffineDraw) -> Tensor:
    """The map turned and scaled about its centre and moved, its vectors with it. Strain, an invariant of the flow's
    gradient under turning and scaling, only moves."""
    warped = warp_images(maps, affine.angle, affine.scale, affine.shift)
    return torch.cat([_transform_vectors(warped[:, :2], affine, 1), warped[:, 2:]], 1)


def warp_clips(clips: Tensor, affine: AffineDraw) -> Tensor:
    """Frames turned, scaled and moved, all of a clip alike."""
    warped = warp_images(clips.flatten(1, 2).float(), affine.angle, affine.scale, affine.shift)
    return warped.round().to(torch.uint8).view(clips.shape)


def warp_images(images: Tensor, angle: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Square images [n,c,s,s] turned by angle [n] and scaled by [n] about their centre, then moved by [n,2] px (x, y);
    bilinear, and what comes in over the edge is the edge."""
    reach = (images.shape[-1] - 1) / 2  # px that torch's grid calls 1
    cos, sin = angle.cos() / scale, angle.sin() / scale
    back = torch.stack([cos, sin, -sin, cos], 1).view(-1, 2, 2)  # from where a place of the result comes
    offset = -back @ (shift / reach).unsqueeze(-1)
    grid = functional.affine_grid(torch.cat([back, offset], 2), list(images.shape), align_corners=True)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=True)


def _transform_vectors(flow: Tensor, affine: AffineDraw, axis: int) -> Tensor:
    """Flow with (u, v) along `axis`, its vectors turned and scaled."""
    shape = (-1, *[1] * (flow.ndim - 2))
    cos, sin = ((affine.scale * wave).view(shape) for wave in (affine.angle.cos(), affine.angle.sin()))
    u, v = flow.unbind(axis)
    return torch.stack([cos * u - sin * v, sin * u + cos * v], axis)


def _float_tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
