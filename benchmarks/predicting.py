"""What predict costs: one short text, many rows, beside the bare model and transformers' pipeline.

python benchmarks/predicting.py
"""

import resource
import statistics
import subprocess
import sys
import time
import warnings

from rounds import keep
from rows import reviews

REPEATS = {1000: 7, 10_000: 3}  # a few seconds tell little
warnings.simplefilter("ignore")


def fitted():
    from sktransformers import BertClassifier

    texts, labels, _, _ = reviews(64)
    return BertClassifier(max_epochs=1, random_state=0).fit(texts, labels)


def milliseconds(work, n=200):
    for _ in range(20):
        work()
    taken = []
    for _ in range(n):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return taken


def one_text():
    """Seconds of one short text, in turns with tokenizer and bare model, and with a pipeline."""
    import torch
    from transformers import pipeline

    from sktransformers.engine.device import autocast

    model, text = fitted(), "a short and lovely film"
    tokenizer, bare = model.tokenizer_, model.model_
    peer = pipeline("text-classification", model=bare.float(), tokenizer=tokenizer)

    def by_hand(precision):
        given = tokenizer([text], return_tensors="pt")
        with torch.inference_mode(), autocast(precision, model.device_):
            return bare(**given).logits.cpu().numpy()

    works = {
        "tokenizer and bare model": lambda: by_hand(model._precision),
        "the same in float32, as it is called by hand": lambda: by_hand("float32"),
        "BertClassifier.predict": lambda: model.predict([text]),
        "transformers.pipeline": lambda: peer(text),
    }
    found = {name: [] for name in works}
    for _ in range(15):
        for name, work in works.items():
            found[name].append(statistics.median(milliseconds(work, 60)))
    medians = {name: statistics.median(values) for name, values in found.items()}
    base = medians["tokenizer and bare model"]
    return ["", "| one short text | milliseconds | above the bare model |", "|---|---|---|"] + [
        f"| {name} | {value:.2f} | {value - base:+.2f} |" for name, value in medians.items()
    ]


def rows(n_rows):
    """Run by itself: seconds a token and the peak of memory while n rows are predicted."""
    model = fitted()
    texts = [f"{text} {i}" for i, text in enumerate(reviews(n_rows, seed=1)[0])]
    model.predict(texts[:500])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = []
    for _ in range(REPEATS.get(n_rows, 1)):
        start = time.perf_counter()
        found = model.predict_proba(texts)
        taken.append(time.perf_counter() - start)
    seconds = statistics.median(taken)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    tokens = sum(min(512, len(ids)) for ids in model.tokenizer_(texts).input_ids)
    print(
        f"| {n_rows:,} | {seconds:.1f} | {1e6 * seconds / tokens:.2f} | {more:.0f} | "
        f"{found.nbytes / 2**20:.1f} |"
    )


def main():
    if len(sys.argv) > 1:
        return rows(int(sys.argv[1]))
    lines = one_text()
    lines += [
        "",
        "| rows | seconds | microseconds a token | MiB above what was taken before | of them outputs |",
        "|---|---|---|---|---|",
    ]
    for n_rows in (1000, 10_000, 100_000):
        done = subprocess.run(
            [sys.executable, __file__, str(n_rows)], check=True, capture_output=True, text=True
        )
        lines.append(done.stdout.splitlines()[-1])
    print("\n".join(lines))
    keep(__file__, lines)


if __name__ == "__main__":
    main()
