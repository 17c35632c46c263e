import numpy as np
import pytest
import torch
from conftest import make_texts
from transformers import AutoModelForSequenceClassification

from sktransformers.data.examples import Examples
from sktransformers.data.texts import Texts
from sktransformers.data.tokenization import tokenise
from sktransformers.engine.infer import features, forward, infer
from sktransformers.pretrained import load_tokenizer
from sktransformers.tasks.classification import Classification

TASK = Classification(np.array(["a", "b"], dtype=object))
TEXTS, _ = make_texts(70)


@pytest.fixture
def model(tiny_bert):
    return AutoModelForSequenceClassification.from_pretrained(tiny_bert).eval()


@pytest.fixture
def examples(tiny_bert):
    return tokenise(load_tokenizer(tiny_bert), Texts(TEXTS), 66)[0]


def test_outputs_stand_in_the_callers_order(model, examples):
    outputs = infer(model, TASK, examples, precision="float32", pad_id=0)
    for row in range(len(examples)):
        ids = torch.tensor(examples[row][None].astype(np.int64))
        with torch.no_grad():
            alone = model(input_ids=ids).logits[0].numpy()
        np.testing.assert_allclose(outputs[row], alone, atol=1e-6)


def test_features_are_what_the_last_layer_sees(model, examples):
    seen = features(model, TASK, examples, precision="float32", pad_id=0)
    outputs = infer(model, TASK, examples, precision="float32", pad_id=0)
    weight = model.classifier.weight.detach().double().numpy()
    again = seen @ weight.T + model.classifier.bias.detach().double().numpy()
    np.testing.assert_allclose(again, outputs, atol=1e-6)
    assert not model.classifier._forward_pre_hooks


def test_a_batch_holds_no_more_than_its_tokens(model, monkeypatch):
    monkeypatch.setattr("sktransformers.data.batching._TOKENS", {"cpu": 128})
    examples = Examples.from_lists([[2, 5, 3]] * 50 + [[2] * 60], longest=66)
    sizes = []
    task = Classification(TASK.classes)
    original = Classification.forward

    def spy(self, model, inputs):
        sizes.append(tuple(inputs["input_ids"].shape))
        return original(self, model, inputs)

    monkeypatch.setattr(Classification, "forward", spy)
    rows = [r for r, _ in forward(model, task, examples, precision="float32", pad_id=0)]
    assert sizes == [(2, 64)] + [(16, 8)] * 4
    assert [len(r) for r in rows] == [1, 16, 16, 16, 2]


def test_a_long_prediction_shows_a_bar(tiny_bert, capsys, monkeypatch):
    from sktransformers import BertEmbedder
    from sktransformers.engine import infer as module

    shown = []

    class Bar(module.tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **{**kwargs, "delay": 0})
            shown.append(self)

    monkeypatch.setattr(module, "tqdm", Bar)
    monkeypatch.setattr("sktransformers.data.batching._TOKENS", {"cpu": 24})
    # Of one to eleven windows each: a row in parts must not end beside the total.
    texts = ["cat red dog " * n for n in range(1, 12)] * 2
    embedder = BertEmbedder(tiny_bert, max_length=8, stride=2).fit(texts)
    embedder.transform(texts)
    assert not shown
    assert capsys.readouterr().err == ""
    embedder.set_params(verbose=1).transform(texts)
    assert shown[-1].total == len(set(texts))
    assert (shown[-1].n, type(shown[-1].n)) == (shown[-1].total, int)
    assert "text" in capsys.readouterr().err


def test_what_a_model_makes_while_it_predicts_is_of_use_to_a_later_fit(make_classifier):
    def with_table(module, given, output):
        """Of the first text make a table that the way back needs, as some models do."""
        if not hasattr(module, "table"):
            module.table = torch.ones(output.shape[-1])
        return output * module.table

    X, y = make_texts(16, seed=0)
    classifier = make_classifier(max_epochs=1, warm_start=True).fit(X, y)
    embeddings = classifier.model_.base_model.embeddings
    embeddings.register_forward_hook(with_table)
    classifier.predict(["cat"])
    assert embeddings.table.is_inference()
    assert not classifier.fit(X, y).model_.base_model.embeddings.table.is_inference()
    classifier.partial_fit(X, y)
