"""FMER (Wang, Huang, Cai, Liu; ICASSP 2024): flow graph and AU branch -> AU graph -> fusion. 26 million parameters."""

from torch import Tensor, nn

from services.trainer.models.au_graph import AuGraph
from services.trainer.models.fusion import Fusion
from services.trainer.models.input_scaling import ClipScale, PatchScale
from services.trainer.models.p3d import P3D
from services.trainer.models.roi_graph import REGION_WIDTH, RoiGraph
from shared.training.model_settings import ModelSettings


class Fmer(nn.Module):
    """The paper's network. Without an AU branch its AU logits are None."""

    def __init__(self, classes: int, settings: ModelSettings) -> None:
        super().__init__()
        self.patch_scale = PatchScale(settings)
        self.graph = RoiGraph(settings)
        if settings.au_branch:
            self.clip_scale = ClipScale(settings)
            self.p3d = P3D(settings)
            self.au_graph = AuGraph(settings)
        self.fusion = Fusion(settings, classes, REGION_WIDTH)
        self.au_branch = settings.au_branch
        self.detached = settings.emotion_to_au == "detached"

    def forward(self, patches: Tensor, clip: Tensor) -> tuple[Tensor, Tensor | None]:
        """Patches [B,9,2,30,7,7] px, clip [B,3,16,144,144] RGB 0..255 -> emotion logits [B,C], AU logits [B,9]."""
        eyebrow, mouth = self.graph(self.patch_scale(patches))
        if not self.au_branch:
            return self.fusion(eyebrow, mouth, None), None
        au_logits = self.p3d(self.clip_scale(clip))
        aus = self.au_graph(au_logits.detach() if self.detached else au_logits)  # [B,9,160]
        return self.fusion(eyebrow, mouth, aus), au_logits
