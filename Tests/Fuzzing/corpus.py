"""The fuzzer's inputs, many files or one: a safetensors file of U8 tensors named READER/NUMBER.

corpus.py unpack FILE FOLDER     FOLDER/READER/NUMBER, a file each
corpus.py pack FILE FOLDER       the other way round; the same files give the same bytes
"""

import json
import pathlib
import struct
import sys


def unpack(file: pathlib.Path, folder: pathlib.Path) -> None:
    content = file.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    for name, entry in json.loads(content[8 : 8 + length]).items():
        begin, end = entry["data_offsets"]
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content[8 + length + begin : 8 + length + end])


def pack(file: pathlib.Path, folder: pathlib.Path) -> None:
    header: dict[str, dict] = {}
    data = bytearray()
    for reader in sorted(folder.iterdir()):
        inputs = sorted({path.read_bytes() for path in reader.iterdir()}, key=lambda each: (len(each), each))
        for number, content in enumerate(inputs):
            offsets = [len(data), len(data) + len(content)]
            header[f"{reader.name}/{number:04}"] = {"dtype": "U8", "shape": [len(content)], "data_offsets": offsets}
            data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


if len(sys.argv) != 4 or sys.argv[1] not in ("pack", "unpack"):
    sys.exit(__doc__)
{"pack": pack, "unpack": unpack}[sys.argv[1]](pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
