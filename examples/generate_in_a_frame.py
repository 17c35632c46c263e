"""Learn how to complete a column of a DataFrame: in batches, reproducibly, with the odds of each.

python examples/generate_in_a_frame.py [rows, 1500 by default] [epochs]
"""

import sys

import pandas as pd
from transformers import GPT2Config

from sktransformers import GptGenerator
from sktransformers.datasets import load_docstrings

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 10

# From the name of a function to the first word of its documentation: mostly a verb.
docs = load_docstrings(["numpy", "pandas", "sklearn"], max_rows=max_rows)
docs["function"] = docs["name"].str.rsplit(".").str[-1].str.strip("_").str.replace("_", " ")
docs["first_word"] = docs["text"].str.split().str[0].str.strip(".,:`")
docs = docs[docs["first_word"].str.fullmatch("[A-Z][a-z]+")].sample(frac=1, random_state=0)
train, test = docs[: int(len(docs) * 0.9)], docs[int(len(docs) * 0.9) :].copy()

config = GPT2Config(vocab_size=1000, n_embd=96, n_layer=2, n_head=4, n_positions=64)
gen = GptGenerator(config, learning_rate=3e-3, max_epochs=max_epochs, random_state=0, verbose=1)
gen.fit(train["function"] + " ->", " " + train["first_word"])

# Prompts of any length go through together, and come back in the frame's order.
prompts = test["function"] + " ->"
test["greedy"] = pd.Series(gen.predict(prompts), index=test.index).str.strip()
gen.set_params(temperature=1.0, top_p=0.9)  # no other fit is needed
test["drawn"] = pd.Series(gen.predict(prompts), index=test.index).str.strip()
test["log_odds"] = gen.score_samples(prompts, " " + test["first_word"])

shown = test[["function", "first_word", "greedy", "drawn", "log_odds"]]
print(shown.head(12).round(2).to_string(index=False))
usual = train["first_word"].mode()[0]
print(f"\nright, greedy: {(test['greedy'] == test['first_word']).mean():.3f}")
print(f"right, drawn:  {(test['drawn'] == test['first_word']).mean():.3f}")
print(f"always {usual!r}: {(test['first_word'] == usual).mean():.3f}")
