"""Transformer encoder layer, post-norm (Vaswani et al. 2017), with an inner width independent of the token width."""

from torch import Tensor, nn

HEAD_COUNT, HEAD_WIDTH = 8, 16
ATTENTION_WIDTH = HEAD_COUNT * HEAD_WIDTH


class SelfAttention(nn.Module):
    """Self-attention over tokens: no mask, no position, no dropout on the attention weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, ATTENTION_WIDTH, bias=False)
        self.key = nn.Linear(width, ATTENTION_WIDTH, bias=False)
        self.value = nn.Linear(width, ATTENTION_WIDTH, bias=False)
        self.out = nn.Linear(ATTENTION_WIDTH, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B,n,d] -> [B,n,d]."""
        q, k, v = (self._split_heads(project(tokens)) for project in (self.query, self.key, self.value))  # [B,8,n,16]
        weights = (q @ k.transpose(-1, -2) * HEAD_WIDTH**-0.5).softmax(-1)  # [B,8,n,n], rows over keys
        return self.out((weights @ v).transpose(1, 2).flatten(2))

    @staticmethod
    def _split_heads(x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], HEAD_COUNT, HEAD_WIDTH).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Attention and a two-layer perceptron (d -> hidden -> d), each with dropout, residual and LayerNorm after it."""

    def __init__(self, width: int, hidden: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.attention = nn.Sequential(SelfAttention(width), nn.Dropout(dropout))
        self.norm_attention = nn.LayerNorm(width, eps=1e-6)
        self.perceptron = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width), nn.Dropout(dropout)
        )
        self.norm_perceptron = nn.LayerNorm(width, eps=1e-6)

    def forward(self, tokens: Tensor) -> Tensor:
        """[B,n,d] -> [B,n,d]."""
        tokens = self.norm_attention(tokens + self.attention(tokens))
        return self.norm_perceptron(tokens + self.perceptron(tokens))


def build_encoder(layers: int, width: int, hidden: int) -> nn.Sequential:
    """A stack of encoder layers for tokens of this width: [B,n,width] -> [B,n,width]."""
    return nn.Sequential(*(EncoderLayer(width, hidden) for _ in range(layers)))
