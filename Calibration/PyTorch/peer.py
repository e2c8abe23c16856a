"""VAR and Infinity in eager PyTorch, of any size: what a user would run in place of Vernier, and what it is measured against.

    peer.py --check     compares with the golden data of Tests/Golden; exits with 1 if a tolerance is exceeded

It reads a Vernier model directory (Sources/Checkpoints/Documentation.docc/ModelDirectory.md). The mathematics are those of the
official releases (FoundationVision/VAR @ 78b9539, FoundationVision/Infinity @ 4c27bbb, transformers' T5), keys and values concatenated
scale by scale as there. What those do needlessly is left out, so that the opponent is a strong one: AdaLN vectors and cross-attention
keys and values are computed once a picture, text is padded to the longest prompt only, bits are drawn in closed form.

Legend: B pictures, S sequences (B, or 2B: conditional, then unconditional), C width, H heads, dh = C/H, K scales, n tokens of a scale,
T tokens so far, L text rows, Ct text width, V logits a token, d channels of the code map `[B, d, Hf, Wf]`.
"""

import copy
import json
import math
import sys
import time
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

from image_decoder import image_decoder
from layers import (
    Block, Linear, attention_by_products, fused_attention, layer, merge_heads, modulate, split_heads, turns, under)
from sampling import bit_chances, class_chances
from text_encoder import TextEncoder


def fastest(run):
    """Seconds of the fastest of three runs, or of fewer if they take long."""
    times = []
    while len(times) < 3 and sum(times) < 1:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times)


class Peer(nn.Module):
    """What the families share: the loop over scales. `config` is a model directory's; sampling may be given per scale."""

    def __init__(self, config, state, tokenizer):
        super().__init__()
        self.config, self.sampling, self.schedule = config, config["sampling"], [tuple(grid) for grid in config["schedule"]]
        self.tokens, heads = [h * w for h, w in self.schedule], config["transformer"]["heads"]
        self.blocks = nn.ModuleList(Block(under(state, prefix), heads) for prefix in self.prefixes(config["transformer"]))
        self.start, self.level = nn.Parameter(state["pos_start"]), nn.Parameter(state["lvl_embed.weight"])
        self.word_embed, self.head, self.head_ada = (layer(Linear, state, name) for name in ("word_embed", "head", "head_nm.ada_lin.1"))
        self.shared_ada = layer(Linear, state, "shared_ada_lin.1") if "shared_ada_lin.1.weight" in state else None
        self.decoder, self.autocast, self.turns = image_decoder(tokenizer), False, [None] * len(self.schedule)
        self.layout, self.decodes_together, self.attend = torch.contiguous_format, True, fused_attention

    @torch.inference_mode()
    def generate(self, inputs, forced=None, observe=None):
        """Pictures `[B, .., .., 3]` of bytes, and the seconds of each stage. `inputs` are ids of texts, or classes.

        `forced` choices per scale replace the draws; `observe(name, tensor)` sees guided logits, the codes and the image in -1...1.
        """
        with self.precision():
            clock = [time.perf_counter()]

            def lap():
                clock.append(time.perf_counter())
                return clock[-1] - clock[-2]

            condition, text = self.condition(inputs)
            six = None if self.shared_ada is None else self.shared_ada(F.silu(condition)).unflatten(-1, (6, -1))
            modulations = [block.modulation(condition, six) for block in self.blocks]
            head_scale, head_shift = self.head_ada(F.silu(condition))[:, None].chunk(2, -1)
            seconds = {"text": lap(), "transformer_by_scale": [], "sampling": 0.0}
            count, caches, following = len(condition) // self.branches, [None] * len(self.blocks), None
            code = torch.zeros(count, *self.code_shape())
            for s in range(len(self.schedule)):
                if s == 0:
                    x = condition[:, None] + self.start
                else:
                    x = self.word_embed(following.to(self.word_embed.weight.dtype)).repeat(self.branches, 1, 1)
                x = self.position(s, x)
                for n, block in enumerate(self.blocks):
                    x, caches[n] = block(x, modulations[n], self.turns[s], caches[n], text[n], self.attend)
                logits = self.head(modulate(x, 1 + head_scale, head_shift))
                seconds["transformer_by_scale"].append(lap())
                logits = self.guide(s, logits.float())
                if observe:
                    observe(f"logits.{s}", logits)
                code, following = self.accumulate(s, code, self.draw(logits) if forced is None else forced[s])
                seconds["sampling"] += lap()
            if observe:
                observe("code", code)
            pictures = self.decode(code, observe)
            seconds["decode"] = lap()
            seconds["total"] = clock[-1] - clock[0]
            return pictures, seconds

    def decode(self, code, observe=None):
        parts = [code] if self.decodes_together else code.split(1)
        dtype = self.word_embed.weight.dtype
        image = torch.cat([self.decoder(part.to(dtype, memory_format=self.layout)) for part in parts]).float().clamp(-1, 1)
        if observe:
            observe("image", image)
        return ((image + 1) * 127.5).to(torch.uint8).permute(0, 2, 3, 1)

    def setting(self, name, s):
        value = self.sampling[name]
        return value[s] if isinstance(value, (list, tuple)) else value

    @torch.inference_mode()
    def settle(self, count):
        """Chooses what is faster here and now for batches of `count`: the decoder's memory layout, whether it decodes pictures
        together, and how the last scale's attention is computed (fused, if its scores would take more than a gigabyte)."""
        code, timed = torch.randn(min(count, 2), *self.code_shape()), []
        with self.precision():
            for layout in (torch.contiguous_format, torch.channels_last):
                self.decoder.to(memory_format=layout)
                for self.decodes_together in (True, False)[: min(count, 2)]:
                    self.layout = layout
                    timed.append((fastest(lambda: self.decode(code)), layout, self.decodes_together))
        _, self.layout, self.decodes_together = min(timed, key=lambda one: one[0])
        self.decoder.to(memory_format=self.layout)
        c, n, total = self.config["transformer"], self.tokens[-1], sum(self.tokens)
        dtype = torch.bfloat16 if self.autocast else self.start.dtype
        q, k = (torch.randn(count * self.branches, c["heads"], length, c["width"] // c["heads"], dtype=dtype) for length in (n, total))
        choices = [fused_attention, attention_by_products][: 1 + (q[..., 0].numel() * total * q.element_size() < 2**30)]
        self.attend = min(choices, key=lambda attend: fastest(lambda: attend(q, k, k, 1.0)))

    def precision(self):
        return torch.autocast("cpu", torch.bfloat16) if self.autocast else nullcontext()

    def autocasting(self):
        """The same model, its fp32 weights cast to bf16 picture by picture; with a decoder of its own, for its layout."""
        return self.with_parts(autocast=True, decoder=copy.deepcopy(self.decoder))

    def compiled(self):
        """The same model, blocks and decoder under torch.compile; every scale has its own shapes, hence its own code."""
        torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = 4096
        blocks = nn.ModuleList(torch.compile(block, dynamic=False) for block in self.blocks)
        return self.with_parts(blocks=blocks, decoder=torch.compile(self.decoder, dynamic=False))

    def with_parts(self, **parts):
        other = copy.copy(self)
        other._modules = dict(self._modules)
        for name, part in parts.items():
            setattr(other, name, part)
        return other


class Infinity(Peer):
    def __init__(self, config, state, tokenizer, text_encoder=None):
        super().__init__(config, state, tokenizer)
        c, self.text_encoder = config["transformer"], text_encoder
        self.turns = turns(self.schedule, c["width"] // c["heads"], c["rope_grid"])
        self.branches = 2 if any(self.setting("guidance", s) != 1 for s in range(len(self.schedule))) else 1
        self.patch, self.bits = 2 if config["tokenizer"]["spatial_patchify"] else 1, config["tokenizer"]["bits"]
        self.unconditional, self.text_norm = nn.Parameter(state["cfg_uncond"]), nn.Parameter(state["text_norm.weight"])
        pool = under(state, "text_proj_for_sos.ca.")
        self.pool_query, self.pool_proj = nn.Parameter(pool["mat_q"][0][None, :, None]), layer(Linear, pool, "proj")
        self.pool_kv = Linear(pool["mat_kv.weight"], torch.cat([torch.zeros_like(pool["v_bias"]), pool["v_bias"]]))
        self.project0, self.project2 = layer(Linear, state, "text_proj_for_ca.0"), layer(Linear, state, "text_proj_for_ca.2")

    def prefixes(self, c):
        each = c["depth"] // c["block_chunks"]
        return [f"block_chunks.{n // each}.module.{n % each}." for n in range(c["depth"])]

    def code_shape(self):
        return self.bits, *(self.patch * side for side in self.schedule[-1])

    def condition(self, ids):
        """Pooled text `[S, C]`, and every block's cross-attention keys, values and mask.

        In place of ids there may be text rows `[len, Ct]`, of all S sequences.
        """
        if isinstance(ids[0], torch.Tensor):
            rows = ids
        else:
            rows = self.text_encoder(ids)
            if self.branches == 2:
                rows += [self.unconditional[: len(one)].to(one.dtype) for one in rows]
        lengths = [len(one) for one in rows]
        t = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
        mask = None
        if min(lengths) < max(lengths):
            mask = (torch.arange(t.shape[1]) < torch.tensor(lengths)[:, None])[:, None, None]
        t = F.rms_norm(t, self.text_norm.shape, self.text_norm, 1e-6)
        k, v = split_heads(self.pool_kv(t), 2, self.pool_query.shape[1])
        pooled = F.scaled_dot_product_attention(self.pool_query.to(k.dtype).expand(len(rows), -1, -1, -1), k, v, attn_mask=mask)
        context = self.project2(F.gelu(self.project0(t), approximate="tanh"))
        text = [(*split_heads(block.ca_kv(context), 2, block.heads), mask) for block in self.blocks]
        return self.pool_proj(merge_heads(pooled)[:, 0]), text

    def position(self, s, x):
        return x + self.level[s]

    def guide(self, s, logits):
        guidance, temperature = self.setting("guidance", s), self.setting("temperature", s)
        conditional, *unconditional = logits.chunk(self.branches)
        if guidance != 1:
            conditional = torch.lerp(unconditional[0], conditional, guidance)
        return conditional / temperature

    def draw(self, logits):
        """Bits `[B, n, D]`."""
        chances = bit_chances(logits, self.sampling["top_k"], self.sampling["top_p"])
        return torch.rand_like(chances) < chances

    def accumulate(self, s, code, bits):
        """The codes with this scale's bits, and the next scale's input `[B, n, D]`."""
        now = (bits.float() * 2 - 1).div(math.sqrt(self.bits)).unflatten(1, self.schedule[s]).permute(0, 3, 1, 2)
        if self.patch == 2:
            now = F.pixel_shuffle(now, 2)
        if s + 1 == len(self.schedule):
            return code + now, None
        code = code + F.interpolate(now, self.code_shape()[1:], mode="bilinear", align_corners=False)
        following = F.interpolate(code, [self.patch * side for side in self.schedule[s + 1]], mode="bilinear", align_corners=False)
        return code, (F.pixel_unshuffle(following, 2) if self.patch == 2 else following).flatten(2).transpose(1, 2)


class VAR(Peer):
    def __init__(self, config, state, tokenizer):
        super().__init__(config, state, tokenizer)
        self.branches, self.classes = 2, nn.Parameter(state["class_emb.weight"])
        level = torch.repeat_interleave(torch.arange(len(self.tokens)), torch.tensor(self.tokens))
        self.positions = nn.Parameter(state["pos_1LC"][0] + state["lvl_embed.weight"][level])
        # The residual codes stay in fp32, as the small sums they are.
        self.codebook = tokenizer["quantize.embedding.weight"].float()
        residual, ticks = under(tokenizer, "quantize.quant_resi.qresi_ls."), 4
        nearest = lambda x: min(range(ticks), key=lambda i: (abs(Fraction(1, 12) + Fraction(10 * i, 36) - x), -i))
        at = [nearest(Fraction(s, max(len(self.tokens) - 1, 1))) for s in range(len(self.tokens))]
        self.residual = [(residual[f"{j}.weight"].float(), residual[f"{j}.bias"].float()) for j in at]

    def prefixes(self, c):
        return [f"blocks.{n}." for n in range(c["depth"])]

    def code_shape(self):
        return self.codebook.shape[1], *self.schedule[-1]

    def condition(self, classes):
        none = len(self.classes) - 1
        return self.classes[torch.tensor([*classes, *[none] * len(classes)])], [None] * len(self.blocks)

    def position(self, s, x):
        first = sum(self.tokens[:s])
        return x + self.positions[first : first + self.tokens[s]]

    def guide(self, s, logits):
        """The weight of guidance grows over the scales."""
        extra = self.setting("guidance", s) * s / max(len(self.schedule) - 1, 1)
        conditional, unconditional = logits.chunk(2)
        logits = torch.lerp(conditional, unconditional, -extra) if extra else conditional
        temperature = self.setting("temperature", s)
        return logits if temperature == 1 else logits / temperature

    def draw(self, logits):
        """Codebook entries `[B, n]`."""
        chances, which = class_chances(logits, self.sampling["top_k"], self.sampling["top_p"])
        drawn = torch.multinomial(chances.flatten(0, 1), 1).view(*chances.shape[:2], 1)
        return which.gather(-1, drawn)[..., 0]

    def accumulate(self, s, code, ids):
        """The codes with this scale's entries, and the next scale's input `[B, n, 32]`."""
        now = F.embedding(ids, self.codebook).unflatten(1, self.schedule[s]).permute(0, 3, 1, 2)
        if s + 1 < len(self.schedule):
            now = F.interpolate(now, self.schedule[-1], mode="bicubic", align_corners=False)
        code = code + torch.lerp(now, F.conv2d(now, *self.residual[s], padding=1).float(), 0.5)
        if s + 1 == len(self.schedule):
            return code, None
        return code, F.interpolate(code, self.schedule[s + 1], mode="area").flatten(2).transpose(1, 2)


def load_state(path, dtype, unwanted=()):
    return {
        key: value.to(dtype) for key, value in load_file(path).items() if value.is_floating_point() and not key.startswith(unwanted)}


def load(folder, dtype=torch.float32):
    """A model directory as a model whose weights are stored and used as `dtype`."""
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text())
    state = load_state(folder / "transformer.safetensors", torch.float32, ("attn_bias_for_masking",))
    tokenizer = load_state(folder / "tokenizer.safetensors", torch.float32, ("encoder.", "quant_conv."))
    if config["family"] == "var":
        return VAR(config, state, tokenizer).to(dtype).eval()
    text = folder / "text_encoder"
    words = load_state(text / "model.safetensors", dtype, ("decoder.", "lm_head."))
    encoder = TextEncoder(json.loads((text / "config.json").read_text()), words)
    return Infinity(config, state, tokenizer, encoder).to(dtype).eval()


def tokenize(folder, config, texts):
    """Piece ids of each text, `</s>` last."""
    try:
        import sentencepiece
    except ImportError:
        sys.exit("peer.py: sentencepiece is missing. Run: pip install -r Calibration/Tangram/requirements.txt")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(Path(folder) / "text_encoder" / "spiece.model"))
    most = config["text_encoder"]["max_tokens"] - 1
    return [ids[:most] + [1] for ids in processor.encode(list(texts))]


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        sys.exit(__doc__)
    import check

    sys.exit(check.main())
