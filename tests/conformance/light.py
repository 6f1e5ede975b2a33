#!/usr/bin/env python3
"""Lays out ONNX's light models as backend test cases.

    light.py SOURCE TARGET

SOURCE holds light_NAME.onnx and light_NAME_output_0.pb. ONNX's own runner
feeds them the numbers 0, 1/n, 2/n, ... and so does this.
"""

import array
import pathlib
import shutil
import sys

SHAPE = (1, 3, 224, 224)  # of every model's one input
FLOAT = 1


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def tensor():
    """A TensorProto: dims (1), data_type (2), raw_data (9)."""
    count = SHAPE[0] * SHAPE[1] * SHAPE[2] * SHAPE[3]
    numbers = array.array("f", (i / count for i in range(count)))
    if sys.byteorder == "big":
        numbers.byteswap()
    raw = numbers.tobytes()
    dims = b"".join(b"\x08" + varint(size) for size in SHAPE)
    return dims + b"\x10" + varint(FLOAT) + b"\x4a" + varint(len(raw)) + raw


def main():
    source, target = map(pathlib.Path, sys.argv[1:3])
    given = tensor()
    for model in sorted(source.glob("light_*.onnx")):
        data = target / model.stem / "test_data_set_0"
        data.mkdir(parents=True, exist_ok=True)
        (data / "input_0.pb").write_bytes(given)
        shutil.copyfile(source / f"{model.stem}_output_0.pb",
                        data / "output_0.pb")
        shutil.copyfile(model, data.parent / "model.onnx")


main()
