"""Learn how to classify pairs of texts: do two questions ask the same?

python examples/duplicate_questions.py [pairs to learn from, 400 by default] [epochs]
"""

import sys
from itertools import combinations

import pandas as pd
from sklearn.metrics import classification_report

from sktransformers import BertClassifier

ASKED = """
How do I reset my password? | I forgot my password, what now? | Can I get a new password?
Where is my parcel? | When will my order arrive? | How can I track my delivery?
How do I cancel my order? | Can I call off what I ordered? | I no longer want it, what do I do?
Do you ship abroad? | Can you deliver to other countries? | Is there international delivery?
How can I pay? | Which cards do you take? | What are the ways of payment?
Can I send it back? | How do returns work? | What if I want to return an item?
When do you open? | What are your opening hours? | Until when is the shop open today?
How do I change my address? | I moved, where do I tell you? | Can I update where I live?
Do students pay less? | Is there a student discount? | Are there reduced prices for students?
How do I delete my account? | Can I close my profile? | I want my account removed, how?
Why was my card declined? | My payment failed, why? | Why did the payment not go through?
How long is the warranty? | For how many years is it guaranteed? | When does the guarantee end?
Can I speak to a person? | How do I reach your staff? | Is there a number for help?
Where is my invoice? | How do I get a receipt? | Can you send me the bill again?
"""
rows = [
    (meaning, question.strip())
    for meaning, line in enumerate(ASKED.strip().splitlines())
    for question in line.split("|")
]


def pairs_of(questions):
    """All pairs of questions, and whether they ask the same."""
    pairs = [
        (one, other, "same" if meaning == another else "other")
        for (meaning, one), (another, other) in combinations(questions, 2)
    ]
    return pd.DataFrame(pairs, columns=["question", "other", "label"])


n_pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 8
# Test on questions whose meaning was never seen. Few pairs ask the same: keep all of those.
train, test = pairs_of(rows[:27]), pairs_of(rows[27:])
train = train.sort_values("label", ascending=False, kind="stable")[:n_pairs]

# A frame with two columns, an array of shape (n, 2) or a list of tuples: all are pairs.
clf = BertClassifier(max_epochs=max_epochs, class_weight="balanced", random_state=0, verbose=1)
clf.fit(train[["question", "other"]], train["label"])

found = clf.predict(test[["question", "other"]])
print(classification_report(test["label"], found, zero_division=0))
p = clf.predict_proba(test[["question", "other"]])[:, list(clf.classes_).index("same")]
print(test.assign(p=p.round(2)).nlargest(8, "p").to_string(index=False))
