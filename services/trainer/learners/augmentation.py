"""Changes to a training clip that keep its emotion: mirroring, and small moves in time and in the image.

Image coordinates: x to the right, y down. A positive angle turns x towards y. Inputs are batches of n clips on any
device: patches [n,9,2,30,7,7], maps [n,3,28,28] (u, v, strain) and flow_maps [n,9,2,28,28], prepared as
`map_input.prepare_maps` does, clips [n,3,16,144,144] uint8. Action units have no side here (`L12` and `R12` are both
12), so a mirrored clip keeps its labels. Maps hold one flow, from onset to apex, so they can not move in time.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.trainer.data.arrays import FLOW_COUNT, ROI_COUNT
from services.trainer.learners.batch_source import NetworkInputs, copy_to_device
from shared.training.settings import TrainSettings

MIRRORED_ROIS = np.array(  # ROI i of a mirrored face is ROI MIRRORED_ROIS[i] of the face: brows, outer lip, inner lip
    [*range(9, -1, -1), *range(16, 9, -1), *range(21, 16, -1), *range(26, 21, -1), *range(29, 26, -1)]
)


@dataclass(frozen=True)
class AffineDraw:
    """float32 draws of n clips: angle [n] in radians, scale [n], and shifts in px: shift [n,2], patch_shift [n,30,2].

    Each patch has its own shift, because landmarks scatter.
    """

    angle: Tensor
    scale: Tensor
    shift: Tensor
    patch_shift: Tensor


@dataclass(frozen=True)
class AugmentationDraw:
    """The drawn changes of n clips; None: no change.

    flip: [n] bool. times: [n,9,9] weights of the flow fields. delay: [n] frames of the AU clip.
    """

    flip: Tensor
    times: Tensor | None = None
    delay: Tensor | None = None
    affine: AffineDraw | None = None

    def subset_on_device(self, clip_indices: Tensor, device: str) -> "AugmentationDraw":
        """The draws of the clips `clip_indices` [b], on the device."""
        return self._change_tensors(lambda values: copy_to_device(values[clip_indices], device))

    def split(self, size: int) -> Iterator["AugmentationDraw"]:
        """The draws of `size` clips at a time, the last of the rest."""
        for start in range(0, len(self.flip), size):
            yield self._change_tensors(lambda values, start=start: values[start : start + size])

    def _change_tensors(self, change: Callable[[Tensor], Tensor]) -> "AugmentationDraw":
        def change_all(draws: Any) -> dict[str, Any]:
            tensors = {name: value for name, value in vars(draws).items() if isinstance(value, Tensor)}
            return {name: change(value) for name, value in tensors.items()}

        affine = None if self.affine is None else AffineDraw(**change_all(self.affine))
        return replace(self, **change_all(self), affine=affine)


def draw_augmentation(clip_count: int, settings: TrainSettings, rng: np.random.Generator) -> AugmentationDraw:
    """Draw the changes of an epoch's clips. A change that is off draws nothing, so it does not alter other draws."""
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
    """Apply the draws to the batch; may write into its tensors. Shapes stay."""
    ways = {"patches": _augment_patches, "clip": _augment_clips, "maps": _augment_maps, "flow_maps": _augment_flow_maps}
    return {name: ways[name](batch, drawn) for name, batch in inputs.items()}


def mirror_batch(inputs: NetworkInputs) -> NetworkInputs:
    """Mirror all clips of a batch left to right. Shapes stay."""
    ways = {
        "patches": mirror_patches,
        "clip": lambda clips: clips.flip(-1),
        "maps": mirror_maps,
        "flow_maps": mirror_maps,
    }
    return {name: ways[name](batch) for name, batch in inputs.items()}


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
    if clips.is_cuda:
        return choose_mirrored(clips, drawn.flip, clips.flip(-1))
    rows = clips.permute(0, 2, 3, 4, 1).contiguous()  # the layout of the features: no copy of a fresh batch
    chosen = drawn.flip.nonzero().flatten()
    mirrored = rows.index_select(0, chosen).flip(3)
    _view_as_words(rows).index_copy_(0, chosen, _view_as_words(mirrored))
    return rows.permute(0, 4, 1, 2, 3)


def _view_as_words(rows: Tensor) -> Tensor:
    """Eight bytes per element, because torch copies by element: [n,...] uint8 -> [n,bytes/8] int64."""
    return rows.flatten(1).view(torch.int64)


def _augment_maps(maps: Tensor, drawn: AugmentationDraw) -> Tensor:
    if drawn.affine is not None:
        maps = warp_maps(maps, drawn.affine)
    return _mirror_drawn_clips(maps, drawn, mirror_maps)


def _augment_flow_maps(flow_maps: Tensor, drawn: AugmentationDraw) -> Tensor:
    flow_maps = flow_maps.float()  # stored in half precision
    if drawn.times is not None:
        flow_maps = retime_flows(flow_maps, drawn.times)
    if drawn.affine is not None:
        affine = drawn.affine
        warped = warp_images(flow_maps.flatten(1, 2), affine.angle, affine.scale, affine.shift).view_as(flow_maps)
        flow_maps = _transform_vectors(warped, affine, 2)
    return _mirror_drawn_clips(flow_maps, drawn, mirror_maps)


def _mirror_drawn_clips(batch: Tensor, drawn: AugmentationDraw, mirror: Callable[[Tensor], Tensor]) -> Tensor:
    if batch.is_cuda:
        return choose_mirrored(batch, drawn.flip, mirror(batch))
    chosen = drawn.flip.nonzero().flatten()
    return batch.index_copy_(0, chosen, mirror(batch.index_select(0, chosen)))


def choose_mirrored(batch: Tensor, flip: Tensor, mirrored: Tensor) -> Tensor:
    """[n,...] of the clips, or of their mirror images where flip [n] is true.

    A CPU mirrors the drawn clips alone, which costs half. On a GPU their indices would have to be waited for.
    """
    return torch.where(flip.view(-1, *[1] * (batch.ndim - 1)), mirrored, batch)


def mirror_patches(patches: Tensor) -> Tensor:
    """Patches [...,2,30,7,7] of the mirrored face: ROIs change sides, columns are reversed, u changes sign."""
    mirrored = patches.flip(-1)[..., mirrored_rois(patches.device), :, :]
    mirrored[..., 0, :, :, :] *= -1
    return mirrored


@cache
def mirrored_rois(device: torch.device) -> Tensor:
    """MIRRORED_ROIS [30] on the device, copied once."""
    return copy_to_device(torch.from_numpy(MIRRORED_ROIS), device)


def mirror_maps(maps: Tensor) -> Tensor:
    """Maps [...,c,28,28] (u, v, ...) of the mirrored face: columns are reversed, u changes sign, strain stays."""
    mirrored = maps.flip(-1)
    mirrored[..., 0, :, :] *= -1
    return mirrored


def time_weights(amplitudes: NDArray[np.float64]) -> Tensor:
    """Weights [n,9,9] of the flow fields of a warped time axis.

    A half sine and a whole sine move the ten time points between the fields, with amplitudes [n,2] in flow fields. The
    first and the last point stay. Motion is taken as even within a field. So a new field gets the share of each old one
    that it covers in time: columns sum to 1, and the sum of the flows stays.
    """
    points = np.arange(FLOW_COUNT + 1)
    waves = np.sin(math.pi * np.array([[1], [2]]) * points / FLOW_COUNT)
    waves[:, [0, -1]] = 0  # sin(pi) is not quite 0
    moved = points + amplitudes @ waves  # [n,10]
    start, end = moved[:, :-1, None], moved[:, 1:, None]
    return _float_tensor(np.clip(np.minimum(end, points[1:]) - np.maximum(start, points[:-1]), 0, None))


def retime_flows(patches: Tensor, times: Tensor) -> Tensor:
    """Patches [n,9,...] and weights [n,9,9] -> patches [n,9,...] on the warped time axis."""
    return (times @ patches.flatten(2)).view_as(patches)


def delay_clips(clips: Tensor, delay: Tensor) -> Tensor:
    """Clips [n,3,16,144,144] shifted by delay [n] frames. The first or the last frame is repeated."""
    frames = clips.shape[2]
    index = (torch.arange(frames, device=clips.device) + delay[:, None]).clamp(0, frames - 1)
    return clips[torch.arange(len(clips), device=clips.device)[:, None], :, index].transpose(1, 2)


def warp_patches(patches: Tensor, affine: AffineDraw) -> Tensor:
    """Patches [n,9,2,30,7,7] rotated and scaled about their centres, then shifted. Vectors rotate and scale too."""
    each = patches.permute(0, 3, 1, 2, 4, 5)  # [n,30,9,2,7,7]
    angle, scale = (value.repeat_interleave(ROI_COUNT) for value in (affine.angle, affine.scale))
    warped = warp_images(
        each.flatten(0, 1).flatten(1, 2), angle, scale, affine.patch_shift.flatten(0, 1)
    )  # [n*30,18,7,7]
    return _transform_vectors(warped.view(each.shape).permute(0, 2, 3, 1, 4, 5), affine, 2)


def warp_maps(maps: Tensor, affine: AffineDraw) -> Tensor:
    """Maps [n,3,28,28] rotated and scaled about their centres, then shifted. Vectors (u, v) rotate and scale too.

    Strain keeps its values, because rotation and scale do not change the flow's gradient.
    """
    warped = warp_images(maps, affine.angle, affine.scale, affine.shift)
    return torch.cat([_transform_vectors(warped[:, :2], affine, 1), warped[:, 2:]], 1)


def warp_clips(clips: Tensor, affine: AffineDraw) -> Tensor:
    """Clips [n,3,16,144,144] rotated, scaled and shifted, all frames of a clip alike."""
    warped = warp_images(clips.flatten(1, 2).float(), affine.angle, affine.scale, affine.shift)
    return warped.round().to(torch.uint8).view(clips.shape)


def warp_images(images: Tensor, angle: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Square images [n,c,s,s] rotated by angle [n] and scaled by scale [n] about their centres, then shifted by
    shift [n,2] px (x, y). Sampling is bilinear, and border pixels fill the outside."""
    reach = (images.shape[-1] - 1) / 2  # px per unit of torch's grid
    cos, sin = angle.cos() / scale, angle.sin() / scale
    back = torch.stack([cos, sin, -sin, cos], 1).view(-1, 2, 2)  # inverse map, from result to source
    offset = -back @ (shift / reach).unsqueeze(-1)
    grid = functional.affine_grid(torch.cat([back, offset], 2), list(images.shape), align_corners=True)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=True)


def _transform_vectors(flow: Tensor, affine: AffineDraw, axis: int) -> Tensor:
    """Flow with (u, v) along `axis`, its vectors rotated and scaled."""
    shape = (-1, *[1] * (flow.ndim - 2))
    cos, sin = ((affine.scale * wave).view(shape) for wave in (affine.angle.cos(), affine.angle.sin()))
    u, v = flow.unbind(axis)
    return torch.stack([cos * u - sin * v, sin * u + cos * v], axis)


def _float_tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
