"""Write a saved folder of each estimator, and what it predicts: once for each disk format.

python tests/samples/make.py

The folders stay in the tests for ever: every later version must open them.
"""

import json
import sys
import warnings
from pathlib import Path

from transformers import BertConfig, GPT2Config

import sktransformers
from sktransformers.persistence import FORMAT

TEXTS = ["red and blue", "a hen and a goose", "green, blue", "two ducks", "white or red", "one hen"]
KINDS = ["colour", "animal"] * 3
TAGS = [["B-X" if "e" in word else "O" for word in text.split()] for text in TEXTS]
BERT = BertConfig(
    vocab_size=80,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=32,
)
GPT = GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=32)
SAMPLES = {
    "BertClassifier": (BERT, TEXTS, KINDS, "predict_proba", {}),
    "BertRegressor": (
        BERT,
        TEXTS,
        [[1.0, 10], [2, 20], [3, 30], [4, 10], [5, 0], [6, 1]],
        "predict",
        {},
    ),
    "BertTagger": (BERT, [text.split() for text in TEXTS], TAGS, "predict", {}),
    "BertEmbedder": (BERT, TEXTS, KINDS, "transform", {"objective": "contrastive"}),
    "BertMaskedLM": (BERT, TEXTS, None, "score_samples", {}),
    "GptGenerator": (GPT, TEXTS, None, "score_samples", {}),
}


def main():
    folder = Path(__file__).with_name(f"format_{FORMAT}")
    if folder.exists():
        sys.exit(f"{folder} is there, and stays as it is")
    expected = {}
    for name, (config, rows, y, verb, params) in SAMPLES.items():
        settings = {
            "max_epochs": 10,
            "learning_rate": 1e-2,
            "random_state": 0,
            "precision": "float32",
            "device": "cpu",
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = getattr(sktransformers, name)(config, **settings, **params).fit(rows, y)
            model.save(folder / name)
            found = getattr(model, verb)(rows)
        found = [row.tolist() if hasattr(row, "tolist") else row for row in found]
        expected[name] = {"rows": rows, "verb": verb, "found": found}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
