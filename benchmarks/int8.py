"""Is int8 worth having for prediction on a CPU? A finding, no feature: nothing of it is in the library.

    pip install onnx onnxscript onnxruntime openvino torchao     # none of them is needed otherwise
    SKT_DATA=folder python benchmarks/int8.py

MiniLM is fine-tuned on sst2 (or docstrings), its encoder's linear layers are made int8 by each
library's own dynamic quantisation, and all predict the same padded batches in turns.
"""

import copy
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from rounds import keep
from rows import reviews

from sktransformers import BertClassifier
from sktransformers.data.batching import batches, pad
from sktransformers.data.texts import Texts
from sktransformers.data.tokenization import tokenise_all
from sktransformers.engine.device import autocast

ROUNDS = 3
warnings.simplefilter("ignore")


def with_torch(model, precision):
    def run(batch):
        with torch.inference_mode(), autocast(precision, "cpu"):
            return model(**batch).logits.float().numpy()

    return run


def with_torch_int8(model):
    quantised = torch.ao.quantization.quantize_dynamic(
        copy.deepcopy(model), {torch.nn.Linear}, dtype=torch.qint8
    )
    return with_torch(quantised, "float32")


def with_torchao(model):
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    quantised = copy.deepcopy(model)
    only = {"filter_fn": lambda module, name: type(module) is torch.nn.Linear}
    quantize_(quantised, Int8DynamicActivationInt8WeightConfig(), **only)
    return with_torch(quantised, "float32")


def exported(model, folder):
    batch = {
        "input_ids": torch.ones(2, 16, dtype=torch.long),
        "attention_mask": torch.ones(2, 16, dtype=torch.long),
    }
    path = str(Path(folder) / "model.onnx")
    axes = {name: {0: "rows", 1: "width"} for name in batch}
    torch.onnx.export(
        model,
        (batch["input_ids"], batch["attention_mask"]),
        path,
        input_names=list(batch),
        output_names=["logits"],
        dynamic_axes=axes,
        dynamo=False,
    )
    return path


def with_onnxruntime(path, *, int8):
    import onnxruntime

    if int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        small = path.replace("model.onnx", "int8.onnx")
        quantize_dynamic(path, small, weight_type=QuantType.QInt8)
        path = small
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {name: t.numpy() for name, t in batch.items()})[0]


def with_openvino(path):
    import openvino

    compiled = openvino.compile_model(path, "CPU")  # bfloat16 by itself where the CPU has it
    return lambda batch: compiled({name: t.numpy() for name, t in batch.items()})[0]


def main():
    texts, labels, test, truth = reviews(2000)
    fitted = BertClassifier(max_epochs=1, random_state=0).fit(texts, labels)
    model, pad_id = fitted.model_, fitted.tokenizer_.pad_token_id
    rows = test + texts[:1000]
    (examples,) = tokenise_all(fitted.tokenizer_, [Texts(rows)], max_length=512)
    padded = [
        (chosen[:n_own], {k: t[:n_own] for k, t in pad(examples, chosen, pad_id).items()})
        for chosen, n_own in batches(examples, model.device)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = exported(copy.deepcopy(model).float(), folder)
        makers = {
            "torch, float32": lambda: with_torch(model, "float32"),
            "torch, bfloat16 (what precision='auto' takes here)": lambda: with_torch(
                model, "bfloat16"
            ),
            "torch, its own dynamic int8": lambda: with_torch_int8(model),
            "torchao, dynamic int8": lambda: with_torchao(model),
            "ONNX Runtime, float32": lambda: with_onnxruntime(path, int8=False),
            "ONNX Runtime, dynamic int8": lambda: with_onnxruntime(path, int8=True),
            "OpenVINO, as it comes": lambda: with_openvino(path),
        }
        works, lines = {}, []
        for name, make in makers.items():
            try:
                works[name] = make()
                works[name](padded[-1][1])
            except Exception as error:  # an optional library that is absent, or cannot
                works.pop(name, None)
                lines.append(f"{name}: not measured ({type(error).__name__}: {str(error)[:120]})")
        seconds, outputs = {name: [] for name in works}, {}
        for _ in range(ROUNDS):
            for name, work in works.items():
                found = np.empty((len(rows), len(fitted.classes_)))
                start = time.perf_counter()
                for chosen, batch in padded:
                    found[chosen] = work(batch)
                seconds[name].append(time.perf_counter() - start)
                outputs[name] = found
    base = "torch, float32"
    table = [
        "| what computes | seconds (min-max) | times faster than float32 | accuracy | labels as float32's |"
    ]
    table.append("|---|---|---|---|---|")
    for name, taken in seconds.items():
        said = outputs[name].argmax(1)
        right = np.mean(fitted.classes_[said[: len(test)]] == np.array(truth))
        same = np.mean(said == outputs[base].argmax(1))
        ratio = statistics.median(b / a for a, b in zip(taken, seconds[base]))
        median = f"{statistics.median(taken):.2f} ({min(taken):.2f}-{max(taken):.2f})"
        table.append(f"| {name} | {median} | {ratio:.2f} | {right:.4f} | {same:.1%} |")
    lines = [
        f"{len(rows):,} texts of mixed length, the same batches for all.",
        "",
        *table,
        "",
        *lines,
    ]
    print("\n".join(lines))
    keep(__file__, lines)


if __name__ == "__main__":
    sys.exit(main())
