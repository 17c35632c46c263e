"""Learn how to find entities in a column of raw text: which words of a documentation are code?

python examples/entities_in_a_frame.py [texts, 600 by default] [epochs]
"""

import re
import sys
import tempfile
from pathlib import Path

from sktransformers import BertTagger
from sktransformers.datasets import load_docstrings
from sktransformers.display import spans_html
from sktransformers.metrics import entity_report

max_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 600
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else "auto"

# Authors put code between backticks. Take the backticks away, and let the model find the code.
docs = load_docstrings(["numpy", "pandas", "sklearn"])
docs = docs[docs["text"].str.count("``?") >= 4]
docs = docs[docs["text"].str.split().str.len() < 60].sample(max_rows, random_state=0)


def tokens_and_tags(text):
    """Words and punctuation, and IOB2 tags of what stood between backticks."""
    tokens, tags, inside = [], [], False
    for part in re.split(r"(`+)", text):
        if part.startswith("`"):
            inside = not inside
            continue
        words = re.findall(r"\w+|[^\w\s]", part)
        tokens += words
        tags += [f"{'I' if i else 'B'}-CODE" if inside else "O" for i in range(len(words))]
    return tokens, tags


rows = docs["text"].map(tokens_and_tags)
docs["tokens"], docs["tags"] = rows.str[0], rows.str[1]
train, test = docs[: -max_rows // 4], docs[-max_rows // 4 :]

tagger = BertTagger(max_epochs=max_epochs, random_state=0, verbose=1)
tagger.fit(train["tokens"], train["tags"])
print(entity_report(test["tags"], tagger.predict(test["tokens"])).round(3).to_string())

# Raw strings: spans come with characters, so that they can be cut from the column.
texts = test["text"].str.replace("`", "").head(20)
spans = tagger.predict_spans(texts)
first = spans.iloc[0]
assert texts.iloc[first["row"]][first["start"] : first["end"]] == first["text"]
print(spans.head(8).round(3).to_string())

# Back in the table: a list of what was found in each row.
found = spans.groupby("row")["text"].agg(list).reindex(range(len(texts)), fill_value=[])
print(test.head(3).assign(found=found[:3].to_numpy())[["name", "found"]].to_string(index=False))

page = Path(tempfile.gettempdir()) / "spans.html"
page.write_text(f"<meta charset='utf-8'>{spans_html(texts, spans)}", encoding="utf-8")
print(f"In colour: {page} (in a notebook, spans_html shows them in place)")
