"""Learn how to tag sequences: what is each token of a Python function for?

python examples/tag_code.py [functions, 400 by default] [epochs]
"""

import sys
from collections import Counter, defaultdict

from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from sktransformers import BertTagger
from sktransformers.datasets import load_code_tokens
from sktransformers.metrics import tag_report

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 400
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else "auto"

# Functions of the standard library; the gold tags come from Python's own parser.
X, y = load_code_tokens(max_rows=max_rows, max_tokens=60)
X, X_test, y, y_test = train_test_split(X, y, random_state=0)
print(" ".join(f"{token}/{tag}" for token, tag in zip(X[0][:12], y[0])), "...")

tagger = BertTagger(max_epochs=max_epochs, random_state=0, verbose=1).fit(X, y)

# A row has as many tags as tokens: always, also where a token is longer than the model reads.
predicted = tagger.predict(X_test)
print(tag_report(y_test, predicted).round(3).to_string())

# The baseline: the tag that a token had most often.
seen = defaultdict(Counter)
for tokens, tags in zip(X, y):
    for token, tag in zip(tokens, tags):
        seen[token][tag] += 1
flat = [token for tokens in X_test for token in tokens]
guess = [seen[token].most_common(1)[0][0] if token in seen else "variable" for token in flat]
truth = [tag for tags in y_test for tag in tags]
print(f"\naccuracy of each token's usual tag: {accuracy_score(truth, guess):.3f}")
print(f"accuracy of BertTagger:             {tagger.score(X_test, y_test):.3f}")
