"""Learn how to predict numbers and labels from reviews: the stars, and whether it is recommended.

python examples/reviews.py [reviews, 150 by default] [epochs]

The reviews are put together from phrases, so that this runs anywhere. Read a table of your own
instead: pd.read_csv("reviews.csv") with the columns text, stars and recommended.
"""

import sys

import numpy as np
import pandas as pd
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from sktransformers import BertClassifier, BertRegressor

PHRASES = {
    2: ["I adore this dress", "the fabric is gorgeous", "best purchase of the year"],
    1: ["fits nicely", "the colour is pretty", "comfortable enough for the office"],
    0: ["it arrived on a Tuesday", "I am usually a medium", "there are two pockets"],
    -1: ["runs a little small", "the hem is not quite even", "thinner than I had hoped"],
    -2: ["it fell apart in the wash", "looks cheap and awful", "a complete waste of money"],
}


def make_reviews(n_rows, seed=0):
    """Reviews of two to four phrases; their feelings add up to the stars, with some noise."""
    rng = np.random.RandomState(seed)
    rows = []
    for _ in range(n_rows):
        mood = rng.choice([-1, 0, 1])
        feelings = np.clip(rng.randint(-1, 2, rng.randint(2, 5)) + mood, -2, 2)
        text = ", ".join(rng.choice(PHRASES[feeling]) for feeling in feelings)
        stars = np.clip(3 + feelings.mean() * 1.3 + rng.normal(0, 0.2), 1, 5)
        rows.append((text.capitalize() + ".", round(stars, 1), bool(stars > 3.2)))
    return pd.DataFrame(rows, columns=["text", "stars", "recommended"])


n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 150
max_epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 10
train, test = train_test_split(make_reviews(n_rows), random_state=0)

# The targets are standardised inside; predictions come back in stars.
stars = BertRegressor(max_epochs=max_epochs, random_state=0, verbose=1)
stars.fit(train["text"], train["stars"])
# Few are not recommended: weigh both kinds alike.
advice = BertClassifier(max_epochs=max_epochs, class_weight="balanced", random_state=0, verbose=1)
advice.fit(train["text"], train["recommended"])

shown = test.assign(predicted=stars.predict(test["text"]).round(1))
shown["p_recommended"] = advice.predict_proba(test["text"])[:, list(advice.classes_).index(True)]
print(shown.head(8).round(2).to_string(index=False, max_colwidth=58))
print(f"\nmean absolute error: {mean_absolute_error(test['stars'], shown['predicted']):.2f} stars")
print(f"R²: {stars.score(test['text'], test['stars']):.3f}")
print(f"accuracy of the recommendation: {advice.score(test['text'], test['recommended']):.3f}")
