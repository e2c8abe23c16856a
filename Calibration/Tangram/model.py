"""Tangram's three networks, with the arithmetic and the state-dict key names of the official Infinity release.

Legend: B sequences, C width, H heads, D = d bits a token, K scales, n_s = h_s * w_s tokens of scale s,
T_s tokens of scales 0..s, L text rows, Ct text width.

Sources: `FoundationVision/Infinity` (transformer, BSQ-VAE, bitwise self-correction), transformers' T5 encoder.
Module names repeat the official ones (`sa`, `ca`, `mat_qkv`, ...) because they are the keys of the exported file.
"""

import math
from fractions import Fraction

import torch
import torch.nn as nn
import torch.nn.functional as F

GRIDS = (1, 2, 3, 4, 5, 6, 8, 10, 12)  # square scales, 399 tokens
BITS = 16
CODE = 1 / math.sqrt(BITS)  # a bit becomes plus or minus this
TOKENS = [g * g for g in GRIDS]
ENDS = [sum(TOKENS[: s + 1]) for s in range(len(GRIDS))]
SMALL = 6  # scales that training handles in one masked attention call
_LEVEL = torch.repeat_interleave(torch.arange(SMALL), torch.tensor(TOKENS[:SMALL]))
CAUSAL = torch.where(_LEVEL[:, None] >= _LEVEL[None, :], 0.0, -1e9)


# Bits and residuals -----------------------------------------------------------------------------------------


def bits_to_code(bits):
    """`[B, h, w, D]` bits as the `[B, D, h, w]` vector (2 bit - 1) / sqrt(d)."""
    return (bits.permute(0, 3, 1, 2).float() * 2 - 1) * CODE


def bilinear(x, size):
    return x if x.shape[-1] == size else F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


def residual_bits(features, flip=0.0, generator=None, grids=GRIDS, count=None):
    """Codes `[B, D, P, P]` features as bits, one residual scale after the other.

    The residual is averaged down to the scale's grid and its signs are the bits. With `flip` > 0 the *history* is
    corrupted: a share of each scale's bits, drawn up to `flip`, is inverted before it enters the accumulator, and later
    residuals are measured against that (Infinity's bitwise self-correction). The labels stay the true signs.

    Returns labels: per scale `[B, h, w, D]` 0/1; inputs: per scale s > 0 `[B, n_s, D]`, what the transformer reads;
    and the final accumulator `[B, D, P, P]`. With `count` it stops after that many scales.
    """
    B, final = len(features), grids[-1]
    accumulated, labels, inputs = torch.zeros_like(features), [], []
    for s, grid in enumerate(grids[:count]):
        residual = features - accumulated
        if grid != final:
            residual = F.interpolate(residual, size=(grid, grid), mode="area")
        bits = (residual > 0).permute(0, 2, 3, 1)
        labels.append(bits.to(torch.uint8))
        if flip > 0:
            share = flip * torch.rand(B, 1, 1, 1, generator=generator)
            bits = bits ^ (torch.rand(bits.shape, generator=generator) < share)
        accumulated = accumulated + bilinear(bits_to_code(bits), final)
        if s + 1 < len(grids):
            inputs.append(bilinear(accumulated, grids[s + 1]).flatten(2).transpose(1, 2))
    return labels, inputs, accumulated


# Image tokenizer (BSQ-VAE) ----------------------------------------------------------------------------------


class Conv(nn.Module):
    """A convolution under the wrapper name `.conv`."""

    def __init__(self, inward, outward, kernel=3, stride=1, padding=None):
        super().__init__()
        self.conv = nn.Conv2d(inward, outward, kernel, stride, kernel // 2 if padding is None else padding)

    def forward(self, x):
        return self.conv(x)


class Norm(nn.Module):
    """Group norm of 32 groups under the wrapper name `.norm`."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)

    def forward(self, x):
        return self.norm(x)


class ResBlock(nn.Module):
    def __init__(self, inward, outward):
        super().__init__()
        self.norm1, self.conv1 = Norm(inward), Conv(inward, outward)
        self.norm2, self.conv2 = Norm(outward), Conv(outward, outward)
        if inward != outward:
            self.nin_shortcut = Conv(inward, outward, kernel=1)

    def forward(self, x):
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x) + h


class Resample(nn.Module):
    """Stride-2 convolution after padding right and bottom by one, or nearest x2 then a convolution."""

    def __init__(self, channels, down):
        super().__init__()
        self.down = down
        self.conv = Conv(channels, channels, 3, 2 if down else 1, 0 if down else 1)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)) if self.down else F.interpolate(x, scale_factor=2.0, mode="nearest"))


def mid_blocks(channels):
    mid = nn.Module()
    mid.block_1, mid.block_2 = ResBlock(channels, channels), ResBlock(channels, channels)
    return mid


class Encoder(nn.Module):
    def __init__(self, base, multipliers, bits, blocks=2):
        super().__init__()
        self.conv_in, self.down, width = Conv(3, base), nn.ModuleList(), base
        for level, multiplier in enumerate(multipliers):
            stage = nn.Module()
            stage.block = nn.ModuleList(ResBlock(width if i == 0 else base * multiplier, base * multiplier) for i in range(blocks))
            width = base * multiplier
            if level + 1 < len(multipliers):
                stage.downsample = Resample(width, down=True)
            self.down.append(stage)
        self.mid, self.norm_out, self.conv_out = mid_blocks(width), Norm(width), Conv(width, bits)

    def forward(self, x):
        x = self.conv_in(x)
        for stage in self.down:
            for block in stage.block:
                x = block(x)
            if hasattr(stage, "downsample"):
                x = stage.downsample(x)
        x = self.mid.block_2(self.mid.block_1(x))
        return self.conv_out(F.silu(self.norm_out(x)))


class Decoder(nn.Module):
    def __init__(self, base, multipliers, bits, blocks=3):
        super().__init__()
        width = base * multipliers[-1]
        self.conv_in, self.mid = Conv(bits, width), mid_blocks(width)
        stages = []
        for level in reversed(range(len(multipliers))):
            stage, outward = nn.Module(), base * multipliers[level]
            stage.block = nn.ModuleList(ResBlock(width if i == 0 else outward, outward) for i in range(blocks))
            width = outward
            if level > 0:
                stage.upsample = Resample(width, down=False)
            stages.insert(0, stage)
        self.up = nn.ModuleList(stages)
        self.norm_out, self.conv_out = Norm(width), Conv(width, 3)

    def forward(self, x):
        x = self.mid.block_2(self.mid.block_1(self.conv_in(x)))
        for stage in reversed(self.up):
            for block in stage.block:
                x = block(x)
            if hasattr(stage, "upsample"):
                x = stage.upsample(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class ImageTokenizer(nn.Module):
    BASE, MULTIPLIERS = 32, (1, 2, 2)

    def __init__(self):
        super().__init__()
        self.encoder = Encoder(self.BASE, self.MULTIPLIERS, BITS)
        self.decoder = Decoder(self.BASE, self.MULTIPLIERS, BITS)

    def encode(self, images, flip=0.0, generator=None):
        return residual_bits(self.encoder(images).float(), flip, generator)

    def forward(self, images):
        """Training pass: unclamped reconstruction with straight-through gradients, and the commitment loss.

        Pictures smaller than 48 pixels use the schedule's prefix that ends at their own grid.
        """
        features = self.encoder(images).float()
        grids = tuple(g for g in GRIDS if g <= features.shape[-1])
        accumulated = residual_bits(features.detach(), grids=grids)[2]
        return self.decoder(features + (accumulated - features).detach()).float(), F.mse_loss(features, accumulated)

    def decode(self, accumulated):
        return self.decoder(accumulated).clamp(-1, 1)


# Text encoder (T5) ------------------------------------------------------------------------------------------

T5_CONFIG = {
    "architectures": ["T5EncoderModel"], "model_type": "t5", "d_model": 128, "d_kv": 32, "d_ff": 256, "num_layers": 3, "num_heads": 4,
    "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6, "dropout_rate": 0.0,
    "feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new", "is_gated_act": True, "is_encoder_decoder": False, "use_cache": False,
    "pad_token_id": 0, "eos_token_id": 1, "tie_word_embeddings": False,
}
BUCKET_STARTS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91)


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x.float() * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


def linear(inward, outward, bias=True):
    return nn.Linear(inward, outward, bias=bias)


def named(**modules):
    """A module that only holds others, to spell a nested key."""
    holder = nn.Module()
    for name, module in modules.items():
        setattr(holder, name, module)
    return holder


class TextEncoder(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        c = T5_CONFIG
        width, inner = c["d_model"], c["num_heads"] * c["d_kv"]
        self.shared = nn.Embedding(vocabulary, width)
        blocks = nn.ModuleList()
        for n in range(c["num_layers"]):
            attention = named(**{k: linear(width, inner, False) for k in "qkv"}, o=linear(inner, width, False))
            if n == 0:
                attention.relative_attention_bias = nn.Embedding(c["relative_attention_num_buckets"], c["num_heads"])
                nn.init.normal_(attention.relative_attention_bias.weight, std=0.1)
            nn.init.normal_(attention.q.weight, std=(width * c["d_kv"]) ** -0.5)  # no 1/sqrt(d) later on
            gated = named(wi_0=linear(width, c["d_ff"], False), wi_1=linear(width, c["d_ff"], False), wo=linear(c["d_ff"], width, False))
            blocks.append(named(layer=nn.ModuleList([
                named(layer_norm=RMSNorm(width), SelfAttention=attention), named(layer_norm=RMSNorm(width), DenseReluDense=gated)])))
        self.encoder = named(block=blocks, final_layer_norm=RMSNorm(width))

    def position_bias(self, n):
        delta = torch.arange(n)[None, :] - torch.arange(n)[:, None]  # key minus query
        bucket = torch.bucketize(delta.abs(), torch.tensor(BUCKET_STARTS), right=True) - 1 + 16 * (delta > 0)
        return self.encoder.block[0].layer[0].SelfAttention.relative_attention_bias(bucket).permute(2, 0, 1)

    def forward(self, ids, mask):
        """`[B, L, Ct]` features of `[B, L]` ids; `mask` is true at real pieces."""
        heads = T5_CONFIG["num_heads"]
        x = self.shared(ids)
        bias = self.position_bias(ids.shape[1]) + torch.where(mask, 0.0, -1e9)[:, None, None, :]
        for block in self.encoder.block:
            y, attention = block.layer[0].layer_norm(x), block.layer[0].SelfAttention
            q, k, v = (getattr(attention, n)(y).unflatten(-1, (heads, -1)).transpose(1, 2) for n in "qkv")
            weights = ((q @ k.transpose(-1, -2)).float() + bias).softmax(-1)
            x = x + attention.o((weights.to(v.dtype) @ v).transpose(1, 2).flatten(2))
            y, gated = block.layer[1].layer_norm(x), block.layer[1].DenseReluDense
            x = x + gated.wo(F.gelu(gated.wi_0(y), approximate="tanh") * gated.wi_1(y))
        return self.encoder.final_layer_norm(x)


# Transformer ------------------------------------------------------------------------------------------------


def rotary_table(head_width, reference=GRIDS[-1]):
    """cos and sin `[2, T, dh/2]`: pairs 0..<dh/4 turn with the row, the rest with the column, both rounded half to even."""
    count = head_width // 4
    inverse = 10000.0 ** (-torch.arange(count).double() / count)
    angles = []
    for grid in GRIDS:
        at = torch.tensor([float(round(Fraction(i * reference, grid))) for i in range(grid)]).double()
        y, x = torch.meshgrid(at, at, indexing="ij")
        angles.append(torch.cat([y.reshape(-1, 1) * inverse, x.reshape(-1, 1) * inverse], 1))
    angles = torch.cat(angles)
    return torch.stack([angles.cos(), angles.sin()]).float()


def rotate(x, turn):
    """Turns adjacent pairs of `[.., n, dh]` by the angles of `turn`, `[2, n, dh/2]`."""
    (a, b), (cos, sin) = x.unflatten(-1, (-1, 2)).unbind(-1), turn
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def attend(q, k, v, factor=1.0, bias=None):
    """softmax(factor q k^T + bias) v, spelled out: on a CPU its backward pass is faster than torch's fused kernel at these sizes."""
    scores = (q * factor) @ k.transpose(-1, -2)
    return (scores if bias is None else scores + bias.to(scores.dtype)).softmax(-1).to(v.dtype) @ v


def modulate(x, scale, shift):
    return torch.addcmul(shift, F.layer_norm(x.float(), x.shape[-1:], eps=1e-6), 1 + scale)


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.scale_mul_1H11 = nn.Parameter(torch.full((1, heads, 1, 1), math.log(4.0)))
        self.mat_qkv = linear(width, 3 * width, False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("zero_k_bias", torch.zeros(width))
        self.proj = linear(width, width)

    def forward(self, x, turn, cache):
        """Attends each token to its own and earlier scales: the next scale's tokens over `cache`, or without one all scales at once."""
        qkv = F.linear(x, self.mat_qkv.weight, torch.cat([self.q_bias, self.zero_k_bias, self.v_bias]))
        qkv = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        v, (q, k) = qkv[2], rotate(F.normalize(qkv[:2].float(), dim=-1, eps=1e-12), turn)
        q, k = (q * self.scale_mul_1H11.clamp(max=math.log(100)).exp()).to(v.dtype), k.to(v.dtype)
        if cache is not None:
            cache.append((k, v))
            k, v = (torch.cat(parts, 2) for parts in zip(*cache))
            out = attend(q, k, v)
        else:  # block-causal over scales: the small scales in one masked call, then one dense call a scale
            first = min(x.shape[1], ENDS[SMALL - 1])
            ends = [e for e in ENDS if first <= e <= x.shape[1]]
            out = torch.cat([attend(q[:, :, :first], k[:, :, :first], v[:, :, :first], bias=CAUSAL[:first, :first])] + [
                attend(q[:, :, b:e], k[:, :, :e], v[:, :, :e])
                for b, e in zip(ends, ends[1:])], 2)
        return self.proj(out.transpose(1, 2).flatten(2))


class CrossAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.mat_q, self.mat_kv = linear(width, width), linear(width, 2 * width, False)
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("zero_k_bias", torch.zeros(width))
        self.proj = linear(width, width)

    def forward(self, x, text, bias):
        q = self.mat_q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        kv = F.linear(text, self.mat_kv.weight, torch.cat([self.zero_k_bias, self.v_bias]))
        k, v = kv.unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        out = attend(q, k, v, q.shape[-1] ** -0.5, bias)
        return self.proj(out.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.ada_gss = nn.Parameter(torch.randn(1, 1, 6, width) / width**0.5)
        self.sa, self.ca = SelfAttention(width, heads), CrossAttention(width, heads)
        self.ca_norm = nn.LayerNorm(width, eps=1e-6)
        self.ffn = named(fc1=linear(width, hidden), fc2=linear(hidden, width))

    def forward(self, x, six, text, bias, turn, cache):
        gamma1, gamma2, scale1, scale2, shift1, shift2 = (six + self.ada_gss).unbind(2)
        x = torch.addcmul(x, gamma1, self.sa(modulate(x, scale1, shift1), turn, cache).float())
        x = x + self.ca(self.ca_norm(x), text, bias)
        y = self.ffn.fc2(F.gelu(self.ffn.fc1(modulate(x, scale2, shift2)), approximate="tanh"))
        return torch.addcmul(x, gamma2, y.float())


class TextPool(nn.Module):
    """Attention of one learned query over the text rows."""

    def __init__(self, width, text_width, heads):
        super().__init__()
        self.ca = named(mat_kv=linear(text_width, 2 * width, False), proj=linear(width, width))
        self.ca.mat_q = nn.Parameter(torch.randn(1, heads, width // heads) * 0.02)
        self.ca.v_bias = nn.Parameter(torch.zeros(width))
        self.ca.register_buffer("zero_k_bias", torch.zeros(width))

    def forward(self, text, bias):
        ca = self.ca
        kv = F.linear(text, ca.mat_kv.weight, torch.cat([ca.zero_k_bias, ca.v_bias]))
        k, v = kv.unflatten(-1, (2, ca.mat_q.shape[1], -1)).permute(2, 0, 3, 1, 4)
        q = ca.mat_q[:, :, None].expand(len(text), -1, -1, -1).to(k.dtype)
        return ca.proj(attend(q, k, v, q.shape[-1] ** -0.5, bias).flatten(1))


class Transformer(nn.Module):
    DEPTH, CHUNKS, WIDTH, HEADS, HIDDEN, POOL_HEADS = 8, 4, 128, 4, 512, 1

    def __init__(self):
        super().__init__()
        C, Ct = self.WIDTH, T5_CONFIG["d_model"]
        self.cfg_uncond = nn.Parameter(torch.randn(512, Ct) / Ct**0.5)
        self.text_norm = RMSNorm(Ct)
        self.text_proj_for_sos = TextPool(C, Ct, self.POOL_HEADS)
        self.text_proj_for_ca = nn.Sequential(linear(Ct, C), nn.GELU(approximate="tanh"), linear(C, C))
        self.pos_start = nn.Parameter(torch.randn(1, 1, C) * 0.02)
        self.lvl_embed = nn.Embedding(15, C)
        nn.init.normal_(self.lvl_embed.weight, std=0.2)
        self.word_embed = linear(BITS, C)
        self.shared_ada_lin = nn.Sequential(nn.SiLU(), linear(C, 6 * C))
        self.block_chunks = nn.ModuleList(
            named(module=nn.ModuleList(Block(C, self.HEADS, self.HIDDEN) for _ in range(self.DEPTH // self.CHUNKS)))
            for _ in range(self.CHUNKS))
        self.head_nm = named(ada_lin=nn.Sequential(nn.SiLU(), linear(C, 2 * C)))
        self.head = linear(C, 2 * BITS)
        self.turn = rotary_table(C // self.HEADS)
        self._initialise()

    def _initialise(self):
        for name, p in self.named_parameters():
            if name.endswith("weight") and p.dim() == 2 and "embed." not in name:
                nn.init.trunc_normal_(p, std=1 / math.sqrt(p.shape[1]))
            if name.endswith(("sa.proj.weight", "ca.proj.weight", "fc2.weight")) and "sos" not in name:
                p.data.div_(math.sqrt(2 * self.DEPTH))
        self.shared_ada_lin[1].weight.data.mul_(0.1)
        self.head_nm.ada_lin[1].weight.data.mul_(0.1)
        self.head.weight.data.mul_(0.1)
        for chunk in self.block_chunks:
            for block in chunk.module:
                block.ada_gss.data[:, :, :2] = 1  # gates start open, scales and shifts small
                block.ada_gss.data[:, :, 2:].mul_(0.1)

    def blocks(self):
        return [block for chunk in self.block_chunks for block in chunk.module]

    def condition(self, features, mask):
        """Everything that depends on the text alone: pooled vector, AdaLN vectors, context rows, attention bias."""
        text = self.text_norm(features)
        bias = torch.where(mask, 0.0, -1e9)[:, None, None, :]
        pooled = self.text_proj_for_sos(text, bias).float()
        six = self.shared_ada_lin(pooled).float().view(len(text), 1, 6, -1)
        return pooled, six, self.text_proj_for_ca(text), bias

    def logits(self, x, pooled):
        scale, shift = self.head_nm.ada_lin(pooled).float()[:, None].chunk(2, -1)
        return self.head(modulate(x, scale, shift)).float()

    def embed(self, scale, pooled, tokens):
        """Input rows of a scale: the start token, or the embedded accumulator `[B, n_s, D]`."""
        x = (pooled[:, None] + self.pos_start) if scale == 0 else self.word_embed(tokens)
        return x.float() + self.lvl_embed.weight[scale]

    def forward(self, features, mask, inputs):
        """Training pass over scales 0..`len(inputs)`: logits `[B, T, 2 D]`, channel 2c for bit c = 0, 2c + 1 for bit c = 1."""
        pooled, six, text, bias = self.condition(features, mask)
        x = torch.cat([self.embed(s, pooled, inputs[s - 1] if s else None) for s in range(len(inputs) + 1)], 1)
        turn = self.turn[:, : x.shape[1]]
        for block in self.blocks():
            x = block(x, six, text, bias, turn, None)
        return self.logits(x, pooled)


# Generation -------------------------------------------------------------------------------------------------


def sample_bits(logits, temperature, top_p, generator):
    """Draws each bit by itself from `[B, n, 2 D]` guided logits; a value of probability <= 1 - top_p is never drawn."""
    pair = logits.unflatten(-1, (BITS, 2)) / temperature
    p = (pair[..., 1] - pair[..., 0]).sigmoid()
    p = torch.where(p <= 1 - top_p, 0.0, torch.where(p >= top_p, 1.0, p))
    return torch.rand(p.shape, generator=generator) < p


@torch.no_grad()
def generate(transformer, features, mask, guidance=3.0, temperature=1.0, top_p=0.97, generator=None, forced=None, observe=None):
    """Final accumulators `[B, D, P, P]` for text features `[B, L, Ct]`; `forced` bits per scale replace the draws, `observe(s, logits)` sees guided logits."""
    B = len(features)
    blank = transformer.cfg_uncond[: features.shape[1]].expand_as(features)
    pooled, six, text, bias = transformer.condition(torch.cat([features, blank]), torch.cat([mask, mask]))
    caches = [[] for _ in transformer.blocks()]
    accumulated = torch.zeros(B, BITS, GRIDS[-1], GRIDS[-1])
    begin, tokens = 0, None
    for s, grid in enumerate(GRIDS):
        x = transformer.embed(s, pooled, None if tokens is None else torch.cat([tokens, tokens]))
        turn = transformer.turn[:, begin : begin + grid * grid]
        for block, cache in zip(transformer.blocks(), caches):
            x = block(x, six, text, bias, turn, cache)
        conditional, blank_logits = transformer.logits(x, pooled).chunk(2)
        logits = guidance * conditional + (1 - guidance) * blank_logits
        if observe:
            observe(s, logits)
        bits = sample_bits(logits, temperature, top_p, generator).view(B, grid, grid, BITS) if forced is None else forced[s]
        accumulated = accumulated + bilinear(bits_to_code(bits), GRIDS[-1])
        if s + 1 < len(GRIDS):
            tokens = bilinear(accumulated, GRIDS[s + 1]).flatten(2).transpose(1, 2)
        begin += grid * grid
    return accumulated
