"""T5's encoder, as transformers computes it, without padding beyond the longest text."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from layers import Linear, layer, merge_heads, split_heads, under

BUCKET_STARTS = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91])


class TextEncoder(nn.Module):
    def __init__(self, config, state):
        super().__init__()
        self.heads, self.eps = config["num_heads"], config["layer_norm_epsilon"]
        embedding = state["shared.weight"] if "shared.weight" in state else state["encoder.embed_tokens.weight"]
        self.embedding, self.final_norm = nn.Parameter(embedding), nn.Parameter(state["encoder.final_layer_norm.weight"])
        self.blocks = nn.ModuleList()
        for n in range(config["num_layers"]):
            part, block = under(state, f"encoder.block.{n}.layer."), nn.Module()
            attention = under(part, "0.SelfAttention.")
            block.qkv = Linear(torch.cat([attention[name + ".weight"] for name in "qkv"]))
            block.o, block.wo = layer(Linear, attention, "o"), layer(Linear, part, "1.DenseReluDense.wo")
            block.wi = Linear(torch.cat([part[f"1.DenseReluDense.wi_{i}.weight"] for i in (0, 1)]))
            block.norm0, block.norm1 = nn.Parameter(part["0.layer_norm.weight"]), nn.Parameter(part["1.layer_norm.weight"])
            self.blocks.append(block)
            if n == 0:
                self.bias = nn.Parameter(attention["relative_attention_bias.weight"])

    def forward(self, ids):
        """Per list of ids its `[len, Ct]` features."""
        norm = lambda x, weight: F.rms_norm(x, weight.shape, weight, self.eps)
        lengths = [len(one) for one in ids]
        padded = nn.utils.rnn.pad_sequence([torch.tensor(one) for one in ids], batch_first=True)
        at = torch.arange(padded.shape[1])
        delta = at[None, :] - at[:, None]  # key minus query
        bias = self.bias[torch.bucketize(delta.abs(), BUCKET_STARTS, right=True) - 1 + 16 * (delta > 0)].permute(2, 0, 1)[None]
        if min(lengths) < max(lengths):
            bias = bias.masked_fill((at >= torch.tensor(lengths)[:, None])[:, None, None], -math.inf)
        x = F.embedding(padded, self.embedding)
        for block in self.blocks:
            q, k, v = split_heads(block.qkv(norm(x, block.norm0)), 3, self.heads)
            x = x + block.o(merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype), scale=1.0)))
            gate, value = block.wi(norm(x, block.norm1)).chunk(2, -1)
            x = x + block.wo(F.gelu(gate, approximate="tanh") * value)
        return [rows[:length] for rows, length in zip(norm(x, self.final_norm), lengths)]
