"""Rows of an embedding that no text has are left out of training, and end as if they were not."""

import copy

import numpy as np
import pytest
import torch
import transformers
from conftest import SMALL, make_texts
from skorch.callbacks import Callback
from torch import nn
from transformers import AutoModelForSequenceClassification

from sktransformers import BertEmbedder
from sktransformers.engine import fit as module
from sktransformers.engine.word_rows import of_these_words

IDS = torch.tensor([[5, 7, 9, 5, 0, 0], [2, 40, 7, 33, 21, 5]])
FAMILIES = ["BertConfig", "RobertaConfig", "ElectraConfig", "AlbertConfig", "MPNetConfig"]
FAMILIES += ["DebertaV2Config", "ModernBertConfig", "GPT2Config"]


def model_of(family):
    settings = {**SMALL, "vocab_size": 60, "pad_token_id": 0, "embedding_size": 32}
    torch.manual_seed(0)
    config = getattr(transformers, family)(**settings)
    return AutoModelForSequenceClassification.from_config(config).eval()


def train(model, n_steps=3):
    """Steps that move every row which has a gradient by far more than rounding does."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    torch.manual_seed(1)
    for _ in range(n_steps):
        model.train()
        optimizer.zero_grad()
        loss = model(input_ids=IDS, attention_mask=(IDS > 0).long()).logits.square().sum()
        loss.backward()
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_those_of_training_the_whole_table(family):
    model = model_of(family)
    whole, before = copy.deepcopy(model), model.get_input_embeddings().weight.detach().clone()
    train(whole)
    with of_these_words(model, IDS.numpy()):
        n_rows = len(np.unique(IDS)) + 1
        table = model.get_input_embeddings().weight
        assert len(table) == n_rows
        assert train(model).state[table]["exp_avg"].shape[0] == n_rows
    after = model.state_dict()
    assert list(after) == list(whole.state_dict())
    for name, expected in whole.state_dict().items():
        torch.testing.assert_close(after[name], expected, rtol=1e-5, atol=1e-6)
    table = model.get_input_embeddings().weight
    unmet = np.setdiff1d(np.arange(60), IDS)
    torch.testing.assert_close(table[unmet], before[unmet] * (1 - 1e-3) ** 3)
    assert (table[5] - before[5]).abs().max() > 1e-3
    assert model.get_input_embeddings().padding_idx == whole.get_input_embeddings().padding_idx


def test_out_of_training_all_words_are_read():
    model = model_of("BertConfig")
    all_words = {"input_ids": torch.arange(60).view(4, 15)}
    with of_these_words(model, IDS.numpy()):
        train(model)
        model.eval()
        with torch.inference_mode():
            inside = model(**all_words).logits
    with torch.inference_mode():
        assert torch.equal(model(**all_words).logits, inside)


@pytest.mark.parametrize("n_left_out", [0, 1, 2])
def test_where_hardly_a_word_is_left_out_all_are_trained(n_left_out):
    model = model_of("BertConfig")
    embedding = model.get_input_embeddings()
    with of_these_words(model, np.arange(60 - n_left_out)):
        assert (model.get_input_embeddings() is embedding) == (n_left_out < 2)


def test_of_a_word_that_comes_though_no_text_has_it_nothing_is_learnt():
    model = model_of("BertConfig")
    before = model.get_input_embeddings().weight.detach().clone()
    with of_these_words(model, np.setdiff1d(IDS, [7])):
        train(model)
    after = model.get_input_embeddings().weight.detach()
    torch.testing.assert_close(after[7], before[7] * (1 - 1e-3) ** 3)
    assert not torch.allclose(after[5], before[5], atol=1e-3)


def test_padding_is_of_the_words():
    model = model_of("BertConfig")
    before = model.get_input_embeddings().weight.detach().clone()
    with of_these_words(model, np.setdiff1d(IDS, [0])):  # a model may fill up its inputs
        assert model.get_input_embeddings().padding_idx == 0
        train(model)
    torch.testing.assert_close(model.get_input_embeddings().weight[0], before[0] * (1 - 1e-3) ** 3)


def tied(model):
    model.classifier = nn.Linear(32, 60)
    model.classifier.weight = model.get_input_embeddings().weight


def normed(model):
    model.get_input_embeddings().max_norm = 1.0


def by_frequency(model):
    model.get_input_embeddings().scale_grad_by_freq = True


def sparse(model):
    model.get_input_embeddings().sparse = True


def hooked(model):
    model.get_input_embeddings().register_full_backward_hook(lambda *given: None)


def patched(model):
    model.get_input_embeddings().forward = model.get_input_embeddings().forward


def in_two_places(model):
    model.also = model.get_input_embeddings()


def frozen(model):
    model.get_input_embeddings().requires_grad_(False)


class Scaled(nn.Embedding):
    pass


def of_another_kind(model):
    model.set_input_embeddings(Scaled(60, 32))


@pytest.mark.parametrize(
    "change",
    [tied, normed, by_frequency, sparse, hooked, patched, in_two_places, frozen, of_another_kind],
)
def test_what_is_no_plain_table_of_its_own_stays_whole(change):
    model = model_of("BertConfig")
    change(model)
    embedding = model.get_input_embeddings()
    with of_these_words(model, IDS.numpy()):
        assert model.get_input_embeddings() is embedding


def test_after_an_error_the_model_is_whole():
    model = model_of("BertConfig")
    embedding = model.get_input_embeddings()
    weight = embedding.weight
    with pytest.raises(KeyboardInterrupt), of_these_words(model, IDS.numpy()):
        raise KeyboardInterrupt
    assert embedding.weight is weight
    assert model.get_input_embeddings() is embedding


@pytest.fixture
def sizes(monkeypatch):
    """How many rows of words each fit trains."""
    found, original = [], module.FineTuningNet.train_step

    def train_step(self, *args, **kwargs):
        step = original(self, *args, **kwargs)
        found.append(len(self.module_.get_input_embeddings().weight))
        return step

    monkeypatch.setattr(module.FineTuningNet, "train_step", train_step)
    return found


def test_a_fit_trains_the_words_of_its_texts(make_classifier, sizes):
    X, y = make_texts(16, seed=0)
    classifier = make_classifier(max_epochs=1).fit(X, y)
    encoded = classifier.tokenizer_(X)["input_ids"]
    words = {0, *(i for ids in encoded for i in ids)}
    assert set(sizes) == {len(words) + 1}
    assert classifier.model_.get_input_embeddings().weight.shape[0] > len(words) + 1


@pytest.mark.parametrize(
    "settings",
    [
        {"callbacks": [Callback()]},
        {"early_stopping": True, "scoring": lambda estimator, X, y: 0.0},
        {"net_params": {"optimizer": torch.optim.SGD}},
    ],
    ids=["callbacks", "scoring", "optimizer"],
)
def test_where_others_may_look_all_words_are_there(make_classifier, sizes, settings):
    X, y = make_texts(16, seed=0)
    classifier = make_classifier(max_epochs=1, **settings).fit(X, y)
    assert set(sizes) == {len(classifier.tokenizer_)}


def test_moments_of_partial_fit_are_of_all_words(make_classifier, sizes):
    X, y = make_texts(16, seed=0)
    classifier = make_classifier().partial_fit(X[:8], y[:8], classes=np.unique(y))
    classifier.partial_fit(X[8:], y[8:])
    assert set(sizes) == {len(classifier.tokenizer_)}


def test_fits_are_those_of_the_whole_table(make_classifier, monkeypatch):
    X, y = make_texts(32, seed=0)
    settings = {"max_epochs": 2, "precision": "float32", "weight_decay": 0.1}

    def fit():
        return make_classifier(**settings).fit(X, y).model_.state_dict()

    few = fit()
    monkeypatch.setattr(module, "of_these_words", lambda *given: module.nullcontext())
    for name, expected in fit().items():
        torch.testing.assert_close(few[name], expected, rtol=1e-4, atol=1e-5)


def test_the_best_weights_are_those_that_were_scored(make_classifier):
    X, y = make_texts(32, seed=0)
    X_val, y_val = make_texts(16, seed=1)
    X_val = [f"{text} zebra whistle" for text in X_val]  # words that no text for training has
    classifier = make_classifier(
        max_epochs=4, early_stopping=True, n_iter_no_change=4, scoring="neg_log_loss"
    ).fit(X, y, X_val=X_val, y_val=y_val)
    columns = np.searchsorted(classifier.classes_, y_val)
    found = np.log(classifier.predict_proba(X_val)[np.arange(16), columns])
    assert found.mean() == pytest.approx(classifier.best_score_, abs=1e-6)


def test_vectors_learn_so_too(tiny_bert, sizes):
    X, y = make_texts(16, seed=0)
    embedder = BertEmbedder(tiny_bert, objective="contrastive", max_epochs=1).fit(X, y)
    assert max(sizes) < len(embedder.tokenizer_)
