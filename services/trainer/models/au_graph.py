"""AU graph: a transformer makes an adjacency from nine AU scores; graph convolutions then give one vector per AU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.trainer.data.annotations import AU_COUNT
from services.trainer.models.settings import ModelSettings
from services.trainer.models.transformer import build_encoder


class GraphConv(nn.Module):
    """leaky(A X W), no bias (Kipf & Welling 2017)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        bound = width_out**-0.5
        self.weight = nn.Parameter(torch.empty(width_in, width_out).uniform_(-bound, bound))

    def forward(self, adjacency: Tensor, nodes: Tensor) -> Tensor:
        """Adjacency [B,9,9] or [9,9], nodes [B,9,width_in] -> [B,9,width_out]."""
        return functional.leaky_relu(adjacency @ (nodes @ self.weight), 0.2)


class AuGraph(nn.Module):
    """From AU logits to AU vectors: transformer layers of `settings.graph`, then convolutions of the given widths."""

    def __init__(self, settings: ModelSettings, layers: int = 6, widths: tuple[int, ...] = (40, 80, 160)) -> None:
        super().__init__()
        self.probability = settings.au_input == "probability"
        self.normalised = settings.adjacency == "normalised"
        self.encoder = build_encoder(layers, AU_COUNT, 40) if settings.graph else None
        self.convs = nn.ModuleList(map(GraphConv, (1, *widths[:-1]), widths))
        if settings.unused_embedding:
            self.embedding = nn.Embedding(15, 40)

    def forward(self, logits: Tensor) -> Tensor:
        """AU logits [B,9] -> AU vectors [B,9,widths[-1]]."""
        scores = logits.sigmoid() if self.probability else logits
        adjacency = self.adjacency_matrix(scores)
        nodes = scores.unsqueeze(-1)  # [B,9,1]
        for conv in self.convs:
            nodes = conv(adjacency, nodes)
        return nodes

    def adjacency_matrix(self, scores: Tensor) -> Tensor:
        """Scores [B,9] -> [B,9,9]; [9,9] for all clips if the graph is off."""
        if self.encoder is None:
            return torch.eye(AU_COUNT, device=scores.device)
        raw: Tensor = self.encoder(scores.diag_embed())
        if not self.normalised:
            return raw
        return (torch.eye(AU_COUNT, device=raw.device) + raw.softmax(-1)) / 2
