"""Learn how to train a GPT from nothing on your own texts, and to see what it writes.

python examples/docstrings_from_nothing.py [texts of each library, 1500 by default] [epochs]

A model of 1.5 million parameters learns in minutes how docstrings sound: spelling, phrases, the
rhythm of sentences. It knows nothing, and its sentences mean nothing. That takes a thousand times
the parameters and texts.
"""

import sys

from sklearn.model_selection import train_test_split
from transformers import GPT2Config

from sktransformers import GptGenerator
from sktransformers.datasets import load_docstrings

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 8
docs = load_docstrings(max_rows=max_rows)
train, test = train_test_split(docs["text"], test_size=0.1, random_state=0)

# The vocabulary (byte-level BPE) is learnt on the texts. Short texts share blocks without seeing
# each other; long ones become consecutive blocks.
config = GPT2Config(vocab_size=4000, n_embd=160, n_layer=4, n_head=4, n_positions=256)
gen = GptGenerator(
    config,
    learning_rate=2e-3,
    max_epochs=max_epochs,
    batch_size=16,
    max_new_tokens=40,
    random_state=0,
    verbose=1,
).fit(train)
print(gen.history_[["train_loss", "tokens_per_second"]].round(2).to_string())

# Only perplexity per character compares models with other vocabularies.
for name, texts in (("docstrings it has seen", train[:100]), ("unseen docstrings", test[:100])):
    print(f"{name}: perplexity per character {gen.perplexity(texts, per='character'):.2f}")
odd = [text[::-1] for text in test[:100]]
print(f"the same backwards: {gen.perplexity(odd, per='character'):.2f}")

print("\nthe most probable ends:")
for start in ("Return the", "Raises an error if", "A class that"):
    print(f"  {start}|{gen.predict([start])[0]}")
print("\ndrawn from nothing:")
gen.set_params(temperature=0.7, top_p=0.9)
for text in gen.sample(3, random_state=0):
    print(f"  {text}")
