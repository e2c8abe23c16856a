"""Layers made of a state dict's tensors, and the transformer block of both families.

Legend: S sequences, C width, H heads, dh = C/H, n tokens of a scale, T tokens so far.
"""

import math
from fractions import Fraction

import torch
import torch.nn as nn
import torch.nn.functional as F


class Linear(nn.Module):
    """`x W^T + b`. Parameters keep requires_grad: autocast remembers only such weights' bf16 copies over a picture."""

    def __init__(self, weight, bias=None):
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), None if bias is None else nn.Parameter(bias)

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Conv(Linear):
    def forward(self, x):
        return F.conv2d(x, self.weight, self.bias, padding=self.weight.shape[-1] // 2)


class GroupNorm(Linear):
    def forward(self, x):
        return F.group_norm(x, 32, self.weight, self.bias, 1e-6)


def layer(kind, state, name):
    return kind(state[name + ".weight"], state.get(name + ".bias"))


def under(state, prefix):
    """The tensors below a prefix, under the rest of their names."""
    return {key[len(prefix):]: value for key, value in state.items() if key.startswith(prefix)}


def split_heads(x, parts, heads):
    """`[S, n, parts * C]` as `[parts, S, H, n, dh]`, a view."""
    return x.unflatten(-1, (parts, heads, -1)).permute(2, 0, 3, 1, 4)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


def fused_attention(q, k, v, scale):
    return F.scaled_dot_product_attention(q, k, v, scale=scale)


def attention_by_products(q, k, v, scale):
    """softmax(scale q k^T) v spelled out, every score in memory: in bf16 faster than the fused kernel on some CPUs."""
    return ((q if scale == 1 else q * scale) @ k.transpose(-1, -2)).softmax(-1).to(v.dtype) @ v


def modulate(x, scale, shift):
    """LN(x) * scale + shift."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), scale)


class Block(nn.Module):
    """A block of either family; the weights tell whether AdaLN is shared, whether q and k are normalised, whether there is text."""

    def __init__(self, state, heads):
        super().__init__()
        self.heads, own = heads, "sa." if "sa.mat_qkv.weight" in state else "attn."
        bias = torch.cat([state[own + "q_bias"], torch.zeros_like(state[own + "q_bias"]), state[own + "v_bias"]])
        self.qkv, self.proj = Linear(state[own + "mat_qkv.weight"], bias), layer(Linear, state, own + "proj")
        self.fc1, self.fc2 = layer(Linear, state, "ffn.fc1"), layer(Linear, state, "ffn.fc2")
        self.ada = nn.Parameter(state["ada_gss"][0]) if "ada_gss" in state else layer(Linear, state, "ada_lin.1")
        self.gain, self.softmax_scale = None, 0.25 / math.sqrt(self.proj.weight.shape[0] // heads)
        if own + "scale_mul_1H11" in state:  # [2, 1, H, 1, 1]: q is multiplied by it, k is not
            gain = state[own + "scale_mul_1H11"].clamp(max=math.log(100)).exp()
            self.gain, self.softmax_scale = torch.stack([gain, torch.ones_like(gain)]), 1.0
        if "ca.mat_q.weight" in state:
            self.ca_norm, self.ca_q, self.ca_proj = (layer(Linear, state, name) for name in ("ca_norm", "ca.mat_q", "ca.proj"))
            self.ca_kv = Linear(state["ca.mat_kv.weight"], torch.cat([torch.zeros_like(state["ca.v_bias"]), state["ca.v_bias"]]))

    def modulation(self, condition, six):
        """gamma1, gamma2, 1 + scale1, 1 + scale2, shift1, shift2, each `[S, 1, C]`."""
        all_six = self.ada(F.silu(condition)).unflatten(-1, (6, -1)) if six is None else six + self.ada
        gamma1, gamma2, scale1, scale2, shift1, shift2 = all_six[:, None].unbind(2)
        return gamma1, gamma2, 1 + scale1, 1 + scale2, shift1, shift2

    def forward(self, x, modulation, turn, past, text, attend):
        """`x [S, n, C]` through the block, and all keys and values `[S, H, T, dh]`.

        `turn` `[n, dh/2, 2]` holds cosine and sine or is None; `past` the earlier scales' (k, v); `text` k, v and mask or None;
        `attend` is one of the two functions above.
        """
        gamma1, gamma2, scale1, scale2, shift1, shift2 = modulation
        qkv = split_heads(self.qkv(modulate(x, scale1, shift1)), 3, self.heads)
        qk, v = qkv[:2], qkv[2]
        if self.gain is not None:
            norm = torch.linalg.vector_norm(qk, dim=-1, keepdim=True, dtype=torch.float32)
            qk = qk * (self.gain / norm.clamp_min(1e-12))
        if turn is not None:
            qk = rotate(qk, turn)
        q, k = qk.to(v.dtype).unbind(0)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        attended = attend(q, k, v, self.softmax_scale)
        x = torch.addcmul(x, gamma1, self.proj(merge_heads(attended)))
        if text is not None:
            z = F.layer_norm(x, x.shape[-1:], self.ca_norm.weight, self.ca_norm.bias, 1e-6)
            attended = F.scaled_dot_product_attention(split_heads(self.ca_q(z), 1, self.heads)[0], *text)
            x = x + self.ca_proj(merge_heads(attended))
        hidden = F.gelu(self.fc1(modulate(x, scale2, shift2)), approximate="tanh")
        return torch.addcmul(x, gamma2, self.fc2(hidden)), (k, v)


def rotate(x, turn):
    """Turns adjacent pairs of `x [.., n, dh]`: a complex product, spelled out where torch.compile would not know it."""
    pairs = x.unflatten(-1, (-1, 2))
    if not torch.compiler.is_compiling():
        return torch.view_as_real(torch.view_as_complex(pairs.float()) * torch.view_as_complex(turn)).flatten(-2)
    (a, b), (cos, sin) = pairs.unbind(-1), turn.unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def turns(schedule, head_width, reference):
    """Per scale `[n, dh/2, 2]`: dh/4 pairs turn with the row, the rest with the column, both rounded half to even."""
    count, tables = head_width // 4, []
    inverse = 10000.0 ** (-torch.arange(count).double() / count)
    for grid in schedule:
        at = [torch.tensor([float(round(Fraction(i * r, g))) for i in range(g)]).double() for g, r in zip(grid, reference)]
        angles = torch.cat([a.reshape(-1, 1) * inverse for a in torch.meshgrid(*at, indexing="ij")], 1)
        tables.append(torch.stack([angles.cos(), angles.sin()], -1).float())
    return tables
