"""The captions' SentencePiece model, with T5's settings: no begin mark, `</s>` appended, pad 0, eos 1, unknown 2."""

import functools
import io
import random
from pathlib import Path

import sentencepiece
import torch

from scenes import TRAINING, draw_scenes

PIECES = Path(__file__).resolve().parent.parent / "Models" / "tangram" / "text_encoder" / "spiece.model"


def train_pieces(count=20000, seed=7):
    """A unigram model of the grammar's captions (training scenes only).

    SentencePiece only proposes pieces seen in two different words, so every word is also given with an `s`.
    """
    PIECES.parent.mkdir(parents=True, exist_ok=True)
    rows = draw_scenes(count, torch.Generator().manual_seed(seed), TRAINING).rows(random.Random(seed))
    prompts = [row["prompt"] for row in rows]
    words = sorted({word for prompt in prompts for word in prompt.split()})
    model = io.BytesIO()  # a writer, not a file prefix, which the model would remember
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(prompts + [word + "s" for word in words]), model_writer=model, model_type="unigram",
        vocab_size=160, hard_vocab_limit=False, normalization_rule_name="nmt_nfkc", character_coverage=1.0,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>", num_threads=1, minloglevel=2)
    PIECES.write_bytes(model.getvalue())


@functools.cache
def _processor():
    return sentencepiece.SentencePieceProcessor(model_file=str(PIECES))


def vocabulary_size():
    return _processor().get_piece_size()


def encode(texts):
    """Piece ids of each text, `</s>` last."""
    return [ids + [1] for ids in _processor().encode(list(texts))]


def pad(sequences, length=0):
    """`[B, L]` ids padded with 0 (L at least `length`), and the mask of real pieces."""
    length = max(length, *map(len, sequences))
    ids = torch.tensor([s + [0] * (length - len(s)) for s in sequences])
    mask = torch.tensor([[True] * len(s) + [False] * (length - len(s)) for s in sequences])
    return ids, mask


if __name__ == "__main__":
    train_pieces()
