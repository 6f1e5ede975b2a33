"""Loads each model in onnxruntime and runs it once, on noise in float32."""
import sys

import numpy as np
import onnxruntime

random = np.random.default_rng(1)
for path in sys.argv[1:]:
    session = onnxruntime.InferenceSession(
        path, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    session.run(None, {
        image.name: random.standard_normal(image.shape).astype(np.float32)})
