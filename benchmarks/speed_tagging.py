"""What a tag costs beside the bare model on the same batches: tokenising, gathering, decoding.

    python benchmarks/speed_tagging.py [sentences, 10,000 by default]

The rows are lines of Python's own functions (``load_code_tokens``), repeated to the number asked
for with one word of each changed, so that no row is like another.
"""

import statistics
import sys
import time

import torch

from sktransformers import BertTagger
from sktransformers.data.batching import batches_of_one_shape, pad
from sktransformers.data.tokenization import tokenise_all
from sktransformers.data.words import TokenLists
from sktransformers.datasets import load_code_tokens
from sktransformers.engine.device import autocast
from sktransformers.engine.infer import _TOKENS

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
    batches = [
        pad(examples, some, pad_id)
        for some, _ in batches_of_one_shape(examples.widths, _TOKENS.get(model.device.type, 16384))
    ]

    def bare():
        for batch in batches:
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
    for name, taken in seconds.items():
        print(f"{name:20} {statistics.median(taken):7.2f} s ({min(taken):.2f}-{max(taken):.2f})")
    ratios = [ours / theirs for theirs, ours in zip(*seconds.values())]
    print(f"ratio {statistics.median(ratios):.3f} for {n_rows:,} sentences on {model.device}")


if __name__ == "__main__":
    main()
