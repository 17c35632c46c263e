"""What a tag costs beside the bare model on the same batches: tokenising, gathering, decoding.

    python benchmarks/speed_tagging.py [sentences, 10,000 by default]

The rows are lines of Python's own functions (``load_code_tokens``), repeated to the number asked
for with one word of each changed, so that no row is like another.
"""

import statistics
import sys
import time

import torch
from rounds import keep

from sktransformers import BertTagger
from sktransformers.data.batching import batches, pad
from sktransformers.data.tokenization import tokenise_all
from sktransformers.data.words import TokenLists
from sktransformers.datasets import load_code_tokens
from sktransformers.engine.device import autocast

ROUNDS = 3


def main():
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    X, y = load_code_tokens(max_rows=1000, max_tokens=40)
    y = [["O" if tag == "operator" else f"S-{tag}" for tag in tags] for tags in y]
    tagger = BertTagger(max_epochs=1, random_state=0).fit(X[:200], y[:200])
    assert tagger.scheme_ == "IOBES"  # so that decoding has rules to follow
    rows = [[*X[i % len(X)][:24], f"w{i}"] for i in range(n_rows)]

    (examples,) = tokenise_all(tagger.tokenizer_, [TokenLists(rows)], **tagger._reading)
    pad_id, model = tagger.tokenizer_.pad_token_id, tagger.model_
    padded = [pad(examples, rows, pad_id) for rows, _ in batches(examples, model.device)]

    def bare():
        for batch in padded:
            batch = {name: t.to(model.device) for name, t in batch.items()}
            with torch.inference_mode(), autocast(tagger._precision, model.device):
                model(**batch)
        if model.device.type == "cuda":
            torch.cuda.synchronize()

    seconds = {"the bare model": [], "BertTagger.predict": []}
    for work in (bare, lambda: tagger.predict(rows)):
        work()
    for _ in range(ROUNDS):
        for name, work in zip(seconds, (bare, lambda: tagger.predict(rows))):
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    lines = [f"{n_rows:,} lines of code of 25 words, {model.device}.", ""]
    lines += ["| contender | seconds (min-max) | times the bare model |", "|---|---|---|"]
    for name, taken in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(taken, seconds["the bare model"]))
        median = f"{statistics.median(taken):.2f} ({min(taken):.2f}-{max(taken):.2f})"
        lines.append(f"| {name} | {median} | {ratio:.3f} |")
    print("\n".join(lines))
    keep(__file__, lines)


if __name__ == "__main__":
    main()
