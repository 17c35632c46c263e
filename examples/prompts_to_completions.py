"""Learn how to fine-tune on prompts and completions: from a table's cells to a sentence.

python examples/prompts_to_completions.py [sentences to learn from, 2000 by default] [epochs]
"""

import sys

import numpy as np
import pandas as pd
from transformers import GPT2Config

from sktransformers import GptGenerator

rng = np.random.RandomState(0)
n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 12
NAMES = [
    "The Mill",
    "Blue Spice",
    "Green Man",
    "Cocum",
    "The Vaults",
    "Zizzi",
    "Aromi",
    "Fitzbillies",
]
FOODS = ["Italian", "Chinese", "French", "Indian", "English", "Japanese"]
PLACES = ["by the river", "in the city centre", "near the station"]
PRICES = {"low": "cheap", "mid": "moderately priced", "high": "expensive"}
SAYINGS = [
    " {name} serves {price} {food} food {place}.",
    " For {food} food that is {price}, try {name} {place}.",
    " {place}, {name} is a {price} {food} restaurant.",
]

# One table: what is known of a restaurant, and a sentence that says it.
cells = {"name": NAMES, "food": FOODS, "place": PLACES, "price": list(PRICES)}
table = pd.DataFrame({name: rng.choice(values, n_rows + 200) for name, values in cells.items()})
table["prompt"] = table.apply(
    lambda r: f"name: {r['name']} | food: {r.food} | place: {r.place} | price: {r.price} ->", axis=1
)
table["sentence"] = [
    rng.choice(SAYINGS).format(**{**row, "price": PRICES[row["price"]]})
    for row in table[list(cells)].to_dict("records")
]
train, test = table[:n_rows], table[n_rows:].copy()

# The loss is that of the sentence and of its end mark: a completion ends by itself.
config = GPT2Config(vocab_size=800, n_embd=96, n_layer=2, n_head=4, n_positions=96)
gen = GptGenerator(
    config, learning_rate=3e-3, max_epochs=max_epochs, random_state=0, verbose=1
).fit(train["prompt"], train["sentence"])

test["written"] = gen.predict(test["prompt"])
said = {
    slot: np.mean([str(PRICES.get(v, v)) in w for v, w in zip(test[slot], test["written"])])
    for slot in cells
}
print(test[["prompt", "written"]].head(4).to_string(index=False, header=False))
print("\nshare of the cells that are said:", {k: round(float(v), 3) for k, v in said.items()})
