"""F1 of entities and accuracy of parts of speech with the defaults: a section of quality.md.

    SKT_DATA=folder python benchmarks/quality_tagging.py                  # everything
    SKT_DATA=folder python benchmarks/quality_tagging.py --only wnut17    # one set, printed

The folder holds one folder a set with train.tsv and test.tsv (or all.tsv: then 20 % are split
off): ``token<TAB>tag``, a blank line after each sentence.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from sections import machine, put_section
from sklearn.model_selection import train_test_split

TITLE = "Tags"
# What the set must reach, and what the standard recipe by hand (AdamW, 3 epochs, batch 32) gave at
# learning rates of 5e-5 and 2e-4.
SETS = {
    "wnut17": (0.42, 0.340, 0.427),
    "wikigold": (0.63, 0.253, 0.643),
    "ud_english_ewt": (0.963, 0.963, 0.968),
}


def read_file(path):
    X, y = [], []
    for block in path.read_text(encoding="utf-8").strip("\n").split("\n\n"):
        lines = [line.split("\t") for line in block.split("\n")]
        X.append([token for token, _ in lines])
        y.append([tag for _, tag in lines])
    return X, y


def read(name):
    folder = Path(os.environ["SKT_DATA"]) / name
    if (folder / "all.tsv").exists():
        X, y = read_file(folder / "all.tsv")
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
        return (X, y), (X_test, y_test)
    return read_file(folder / "train.tsv"), read_file(folder / "test.tsv")


def measure(name, params):
    from sktransformers import BertTagger

    train, test = read(name)
    start = time.perf_counter()
    tagger = BertTagger(random_state=0, **params).fit(*train)
    fitted = time.perf_counter()
    score = tagger.score(*test)
    return {
        "ours": score,
        "scheme": tagger.scheme_,
        "seconds": round(fitted - start, 1),
        "predict": round(time.perf_counter() - fitted, 1),
    }


def page(results):
    lines = [
        f"Made by `python benchmarks/quality_tagging.py`; the defaults, `random_state=0`. {machine()}",
        "F1 of entities (micro; of ud_english_ewt the accuracy) on the official test set, or on 20 % split off",
        "with seed 0. The recipe by hand is AdamW, 3 epochs, batch 32, 10 % warm-up, linear decay.",
        "",
        "| set | recipe 5e-5 | recipe 2e-4 | at least | BertTagger | scheme | fit, s | predict, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, (least, low, high) in SETS.items():
        r = results[name]
        lines.append(
            f"| {name} | {low:.3f} | {high:.3f} | {least:.3f} | **{r['ours']:.4f}** | {r['scheme']} "
            f"| {r['seconds']:.0f} | {r['predict']:.0f} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=SETS)
    parser.add_argument("--params", type=json.loads, default={}, help="JSON: other parameters")
    options = parser.parse_args()
    if "SKT_DATA" not in os.environ:
        sys.exit("Set SKT_DATA to the folder that holds the sets (see the top of this file).")
    if options.only:
        print(json.dumps(measure(options.only, options.params)))
        return
    results = {}
    for name in SETS:
        command = [sys.executable, __file__, "--only", name, "--params", json.dumps(options.params)]
        line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(name, line.strip(), flush=True)
        results[name] = json.loads(line)
    put_section(TITLE, page(results))


if __name__ == "__main__":
    main()
