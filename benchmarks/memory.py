"""What rows cost in memory: a million short texts in fit, and more and more of them in transform.

    python benchmarks/memory.py

Each line is a process of its own. The model is a tiny one, so that what is seen is the rows. Then
what a process holds that fits the default model again and again, each time on other reviews.
"""

import os
import resource
import subprocess
import sys

import numpy as np
from rounds import keep
from transformers import BertConfig

TINY = BertConfig(
    vocab_size=2000,
    hidden_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=64,
)
WORDS = [f"{a}{b}" for a in ("mo", "ta", "ri", "ku", "se") for b in ("la", "ne", "vi", "po", "zu")]


def texts(n_rows):
    rng = np.random.default_rng(0)
    return [" ".join(words) for words in rng.choice(WORDS, (n_rows, 10))]


def resident():
    """Gibibytes that the process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def fit(n_rows):
    """Read and tokenise all rows, and stop at the first batch."""
    from skorch.callbacks import Callback

    from sktransformers import BertEmbedder

    class Stop(Callback):
        def on_batch_end(self, net, **kwargs):
            raise StopIteration

    model = BertEmbedder(TINY, objective="simcse", max_epochs=1, callbacks=[Stop()])
    X = texts(n_rows)
    before = resident()
    try:
        model.fit(X)
    except (StopIteration, RuntimeError):
        print(f"| fit, to the first batch | {n_rows:,} | {before:.2f} | {resident():.2f} | |")


def transform(n_rows):
    from sktransformers import BertEmbedder

    model = BertEmbedder(TINY).fit(texts(1000))
    X = texts(n_rows)
    before = resident()
    found = model.transform(X)
    vectors = f"{found.nbytes / 2**30:.2f}"
    print(f"| transform | {n_rows:,} | {before:.2f} | {resident():.2f} | {vectors} |")


def fits(n_fits):
    """The default model on 250 other reviews each time, dropped before the next."""
    from rows import reviews

    from sktransformers import BertClassifier

    X, y, *_ = reviews(1500)
    told = {1, 2, 4, 8, 16, n_fits}
    for i in range(n_fits):
        rows = np.random.default_rng(i).permutation(len(X))[:250]
        model = BertClassifier(max_epochs=1, random_state=i)
        model.fit([X[row] for row in rows], [y[row] for row in rows])
        del model
        if i + 1 in told:
            with open("/proc/self/statm") as numbers:
                now = int(numbers.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**30
            print(f"| {i + 1} | {now:.2f} | {resident():.2f} |")


def main():
    if len(sys.argv) > 1:
        globals()[sys.argv[1]](int(sys.argv[2]))
        return
    lines = [
        "GiB of the process; texts of 10 words, a tiny model.",
        "",
        "| work | rows | before, with the texts | at most | of them vectors |",
        "|---|---|---|---|---|",
    ]
    for work, n_rows in (
        ("fit", 100_000),
        ("fit", 1_000_000),
        ("transform", 50_000),
        ("transform", 200_000),
        ("transform", 800_000),
    ):
        command = [sys.executable, __file__, work, str(n_rows)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        lines.append(done.stdout.splitlines()[-1])
    command = [sys.executable, __file__, "fits", "24"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines += ["", "GiB of one process; 250 reviews and the default model in each fit.", ""]
    lines += ["| fits | after them | at most |", "|---|---|---|"]
    lines += [line for line in done.stdout.splitlines() if line.startswith("|")]
    print("\n".join(lines))
    keep(__file__, lines)


if __name__ == "__main__":
    main()
