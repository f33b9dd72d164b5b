"""AU graph: a transformer makes an adjacency from K AU scores; graph convolutions then give one vector per AU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.trainer.models.transformer import build_encoder
from shared.training.annotations import PAPER_UNITS
from shared.training.model_settings import ModelSettings


class GraphConv(nn.Module):
    """leaky(A X W), no bias (Kipf & Welling 2017)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        bound = width_out**-0.5
        self.weight = nn.Parameter(torch.empty(width_in, width_out).uniform_(-bound, bound))

    def forward(self, adjacency: Tensor, nodes: Tensor) -> Tensor:
        """Adjacency [B,K,K] or [K,K], nodes [B,K,width_in] -> [B,K,width_out]."""
        return functional.leaky_relu(adjacency @ (nodes @ self.weight), 0.2)


class AuGraph(nn.Module):
    """From AU logits to AU vectors: transformer layers of `settings.graph`, then convolutions of the given widths."""

    def __init__(
        self,
        settings: ModelSettings,
        layers: int = 6,
        widths: tuple[int, ...] = (40, 80, 160),
        unit_count: int = len(PAPER_UNITS),
    ) -> None:
        super().__init__()
        self.unit_count = unit_count
        self.probability = settings.au_input == "probability"
        self.normalised = settings.adjacency == "normalised"
        self.encoder = build_encoder(layers, unit_count, 40) if settings.graph else None
        self.convs = nn.ModuleList(map(GraphConv, (1, *widths[:-1]), widths))
        if settings.unused_embedding:
            self.embedding = nn.Embedding(15, 40)

    def forward(self, logits: Tensor) -> Tensor:
        """AU logits [B,K] -> AU vectors [B,K,widths[-1]]."""
        scores = logits.sigmoid() if self.probability else logits
        adjacency = self.adjacency_matrix(scores)
        nodes = scores.unsqueeze(-1)  # [B,K,1]
        for conv in self.convs:
            nodes = conv(adjacency, nodes)
        return nodes

    def adjacency_matrix(self, scores: Tensor) -> Tensor:
        """Scores [B,K] -> [B,K,K]; [K,K] for all clips if the graph is off."""
        if self.encoder is None:
            return torch.eye(self.unit_count, device=scores.device)
        raw: Tensor = self.encoder(scores.diag_embed())
        if not self.normalised:
            return raw
        return (torch.eye(self.unit_count, device=raw.device) + raw.softmax(-1)) / 2
