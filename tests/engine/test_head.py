import numpy as np
import pytest
import torch
from conftest import make_texts
from transformers import AutoModelForSequenceClassification

from sktransformers import BertClassifier
from sktransformers.data.batching import TrainingData
from sktransformers.data.texts import Texts
from sktransformers.data.tokenization import tokenise
from sktransformers.engine.fit import plan_for
from sktransformers.engine.head import _distinct, start_head
from sktransformers.pretrained import load_tokenizer
from sktransformers.tasks.classification import Classification

PLAN = plan_for(BertClassifier(precision="float32", device="cpu", random_state=0))
TASK = Classification(np.array(["a", "b"], dtype=object))


def training_data(folder, texts, targets, weights=None):
    examples, _ = tokenise(load_tokenizer(folder), Texts(texts), 66)
    return TrainingData(examples, np.array(targets), weights, 0, TASK.collate)


def test_repeats_are_merged_wherever_they_stand(tiny_bert):
    once = training_data(tiny_bert, ["cat", "dog", "cat"], [0, 0, 1], np.array([2.0, 1.0, 1.0]))
    twice = training_data(tiny_bert, ["cat", "cat", "cat", "dog"], [1, 0, 0, 0])
    orders = []
    for data in (once, twice):
        rows, weights = _distinct(data)
        found = [(len(data.examples[r]), int(data.targets[r]), w) for r, w in zip(rows, weights)]
        assert sorted(found) == [(3, 0, 1.0), (3, 0, 2.0), (3, 1, 1.0)]
        orders.append([data.examples[r].tolist() for r in rows])
    assert orders[0] == orders[1]


@pytest.mark.parametrize("n_rows", [4, 60])
def test_a_head_that_came_with_the_model_is_drawn_anew(tiny_bert, n_rows):
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=2).eval()
    with torch.no_grad():
        model.classifier.weight.fill_(7)
        model.classifier.bias.fill_(7)
    texts, labels = make_texts(n_rows)
    data = training_data(tiny_bert, texts, [int(label == "animals") for label in labels])
    state = torch.random.get_rng_state()
    plan = start_head(model, TASK, data, PLAN)
    assert plan.head_faster == (PLAN.head_faster if n_rows == 4 else 1.0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (model.classifier.weight != 7).all()
    assert (model.classifier.bias != 7).all()
    drawn = model.classifier.weight.std().item()
    if n_rows == 4:  # too few rows for a probe
        assert drawn == pytest.approx(model.config.initializer_range, rel=0.3)
        assert (model.classifier.bias == 0).all()


def test_a_head_that_saw_some_rows_only_goes_on_learning_fast(tiny_bert, monkeypatch):
    monkeypatch.setattr("sktransformers.engine.head._ROWS", 30)
    monkeypatch.setattr("sktransformers.engine.head._ROWS_PER_CLASS", 1)
    texts, labels = make_texts(60)
    data = training_data(tiny_bert, texts, [int(label == "animals") for label in labels])
    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert, num_labels=2).eval()
    assert start_head(model, TASK, data, PLAN).head_faster == PLAN.head_faster > 1
