"""Learn how to fit, predict, look at what happened, and keep the model.

python examples/quickstart.py [rows of each library, 150 by default] [epochs]
"""

import sys
import tempfile
from pathlib import Path

from sklearn.model_selection import train_test_split

from sktransformers import BertClassifier, load
from sktransformers.datasets import load_docstrings

# Real English: docstrings of two installed libraries, with their names masked.
max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 150
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else "auto"
docs = load_docstrings(["numpy", "sklearn"], max_rows=max_rows, mask=True)
texts = docs["text"].str.split().str[:30].str.join(" ")
X, X_test, y, y_test = train_test_split(texts, docs["library"], random_state=0)

# Any labels do: strings here. The device and the number format are chosen for this machine.
clf = BertClassifier(max_epochs=max_epochs, early_stopping=True, random_state=0, verbose=1)
clf.fit(X, y)

print(clf.history_.round(3).to_string())
print(f"best epoch: {clf.best_epoch_}, device: {clf.device_}")
print(f"accuracy on unseen texts: {clf.score(X_test, y_test):.3f}")

for text, label, p in zip(X_test[:3], clf.predict(X_test[:3]), clf.predict_proba(X_test[:3])):
    print(f"{label:8} {p.max():.2f}  {text[:70]}")

# A folder of safetensors and JSON, which transformers opens as well.
with tempfile.TemporaryDirectory() as folder:
    clf.save(Path(folder) / "model")
    again = load(Path(folder) / "model")
    assert (again.predict_proba(X_test) == clf.predict_proba(X_test)).all()
    print("files:", sorted(p.name for p in (Path(folder) / "model").iterdir()))
