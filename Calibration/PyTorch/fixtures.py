"""Writes the small torch files that the tests of the checkpoint readers read, with the tensors they must give.

    python Calibration/PyTorch/fixtures.py Tests/CheckpointsTests/Fixtures

Needs torch (made with 2.13.0, CPU). For every NAME.pth there is a NAME.safetensors, written here by hand from the
values that torch has in memory: the same tensors under dotted names, contiguous.
"""

import collections
import hashlib
import io
import json
import struct
import sys
import zipfile

import torch

TYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}


def tensors(value, name=""):
    """All tensors in nested dictionaries with the keys on the way joined by dots."""
    if isinstance(value, torch.Tensor):
        yield name, value.detach()
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from tensors(member, f"{name}.{key}" if name else str(key))


def write_safetensors(path, named):
    header, data = {}, b""
    for name, tensor in sorted(named):
        content = bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist()) if tensor.numel() else b""
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write(folder, name, value):
    torch.save(value, f"{folder}/{name}.pth")
    write_safetensors(f"{folder}/{name}.safetensors", tensors(value))


def main(folder):
    torch.manual_seed(5)
    # A module's state dict: an ordered dictionary with _metadata, a buffer of whole numbers, nothing nested.
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
    write(folder, "module", module.state_dict())

    # The same module's parameters as parameters, and tensors with Python attributes.
    noted = torch.randn(2, 3)
    noted.note = {"from": "fixtures.py", "numbers": [1, 2.5, None, True], "big": 2**80, "negative": -(2**40)}
    write(folder, "typed", {**dict(module[2].named_parameters()), "noted": noted})

    # Every element type, views of one storage, and dictionaries in dictionaries, as in a tokeniser's checkpoint.
    base = torch.randn(4, 6)
    write(folder, "nested", {
        "vae": collections.OrderedDict(
            base=base, transposed=base.t(), part=base[1:3, 2:5], permuted=torch.randn(2, 3, 4).permute(2, 0, 1),
            stepped=base[::2, ::3], expanded=torch.randn(3, 1).expand(3, 4), scalar=torch.tensor(3.5),
            element=base[2, 3], empty=torch.empty(0, 4), empty_view=base[4:, 3:], one=torch.randn(1, 5, 1)),
        "types": {
            "f64": torch.randn(3, dtype=torch.float64), "f16": base.half(), "bf16": base.bfloat16(),
            "bf16_transposed": base.bfloat16().t(), "i64": torch.tensor([-1, 2**40]),
            "i32": torch.tensor([[1], [-2]], dtype=torch.int32), "i16": torch.tensor([-3], dtype=torch.int16),
            "i8": torch.tensor([-128, 127], dtype=torch.int8),
            "u8": torch.arange(6, dtype=torch.uint8).reshape(2, 3).t(), "bool": torch.tensor([True, False])},
        "optimizer": {
            "state": {0: {"step": torch.tensor(7.0), "exp_avg": torch.zeros(2)}},
            "param_groups": [{"lr": 1e-4, "betas": (0.9, 0.95), "params": [0, 1], "foreach": None, "fused": True}]},
        "trainer": {"vae_local": {"w": base}, "var_wo_ddp": {"w": torch.ones(3), "none": None}},
        "epoch": 3, "big": 2**70, "negative": -70000, "text": "\u00e9\u4e2d", "list": [torch.zeros(1)], "tuple": (),
    })

    # What our writer must write byte for byte, as digests: SHA-256 of the pickles. The second has 1003 names, so that
    # there are two batches of items and long places in the memo.
    few = collections.OrderedDict(
        matrix=base.clone(), wide=torch.zeros(1, 1, 6, 300, dtype=torch.float16), none=torch.empty(2, 0, 5),
        scalar=torch.tensor(True), large=torch.zeros(300, 300, dtype=torch.uint8))
    many = collections.OrderedDict((f"block.{n}", torch.zeros(1, 1)) for n in range(1003))
    for name, value in [("few", few), ("many", many), ("few in vae", {"vae": few})]:
        file = io.BytesIO()
        torch.save(value, file)
        print(name, hashlib.sha256(zipfile.ZipFile(file).read("archive/data.pkl")).hexdigest())


if __name__ == "__main__":
    main(sys.argv[1])
