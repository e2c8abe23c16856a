"""The decoders of VAR's VQVAE and Infinity's BSQ-VAE, of any size."""

import re

import torch.nn as nn
import torch.nn.functional as F

from layers import Conv, GroupNorm, layer, merge_heads, split_heads, under


class ResBlock(nn.Module):
    def __init__(self, state):
        super().__init__()
        self.norm1, self.conv1 = layer(GroupNorm, state, "norm1"), layer(Conv, state, "conv1")
        self.norm2, self.conv2 = layer(GroupNorm, state, "norm2"), layer(Conv, state, "conv2")
        self.shortcut = layer(Conv, state, "nin_shortcut") if "nin_shortcut.weight" in state else nn.Identity()

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x), inplace=True))
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(h), inplace=True))


class AttentionBlock(nn.Module):
    def __init__(self, state):
        super().__init__()
        self.norm, self.qkv, self.proj_out = layer(GroupNorm, state, "norm"), layer(Conv, state, "qkv"), layer(Conv, state, "proj_out")

    def forward(self, x):
        q, k, v = split_heads(self.qkv(self.norm(x)).flatten(2).transpose(1, 2), 3, 1)
        attended = merge_heads(F.scaled_dot_product_attention(q, k, v))
        return x + self.proj_out(attended.transpose(1, 2).unflatten(2, x.shape[2:]))


class Upsample(Conv):
    def forward(self, x):
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def image_decoder(state):
    """VQVAE's or BSQ-VAE's decoder: `[B, d, Hf, Wf]` codes to `[B, 3, .., ..]` pictures in about -1...1."""
    if "decoder.conv_in.conv.weight" in state:  # Infinity's files wrap every layer once more
        state = {re.sub(r"\.(conv|norm)\.(weight|bias)$", r".\2", key): value for key, value in state.items()}
    down = under(state, "decoder.")
    chain = [layer(Conv, state, "post_quant_conv")] if "post_quant_conv.weight" in state else []
    chain.append(layer(Conv, down, "conv_in"))

    def add(block, attention):
        chain.append(ResBlock(under(down, block)))
        if attention + "norm.weight" in down:
            chain.append(AttentionBlock(under(down, attention)))

    add("mid.block_1.", "mid.attn_1.")
    add("mid.block_2.", "")
    for level in reversed(range(1 + max(int(key.split(".")[1]) for key in down if key.startswith("up.")))):
        for i in range(sum(re.fullmatch(rf"up\.{level}\.block\.\d+\.conv1\.weight", key) is not None for key in down)):
            add(f"up.{level}.block.{i}.", f"up.{level}.attn.{i}.")
        if level:
            chain.append(layer(Upsample, down, f"up.{level}.upsample.conv"))
    return nn.Sequential(*chain, layer(GroupNorm, down, "norm_out"), nn.SiLU(), layer(Conv, down, "conv_out"))
