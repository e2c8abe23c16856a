"""What top-k and top-p leave of a distribution. Of values tied at the k-th place only one stays, where the official code keeps all."""

import torch


def class_chances(logits, top_k, top_p):
    """Chances, not normalised, of the k likeliest of V values, likeliest first, and which they are, both `[.., k]`.

    A limit of 0 is none.
    """
    values, which = logits.topk(min(top_k or logits.shape[-1], logits.shape[-1]), dim=-1)
    chances = values.softmax(-1)
    if top_p > 0:
        before = chances.cumsum(-1) - chances  # the likeliest has nothing before it, so it stays
        chances = chances.masked_fill(before >= top_p, 0)
    return chances, which


def bit_chances(logits, top_k, top_p):
    """Chances `[.., D]` that a bit is 1, of logits `[.., 2D]` for 0 and 1: top-p drops the rarer value if its chance is at most 1 - p."""
    chances = torch.sigmoid(logits[..., 1::2] - logits[..., ::2])
    if top_k == 1:
        return (chances > 0.5).to(chances.dtype)
    if top_p > 0:
        chances = chances.masked_fill(chances <= 1 - top_p, 0).masked_fill(chances >= top_p, 1)
    return chances
