"""Where the memory does not suffice: parts of a batch, equal results, and a row that is named."""

import os
import pkgutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from conftest import make_texts

import sktransformers
from sktransformers.engine import decoding, infer, net
from sktransformers.engine.embeddings import Recycled

X, Y = make_texts(40, seed=2)
X = [f"{x} {x}" if i % 3 else x for i, x in enumerate(X)]
TOKENS = [x.split() for x in X]
TAGS = [["A" if len(word) > 4 else "B" for word in row] for row in TOKENS]
SENTENCES = [[x, y] for x, y in zip(X, X[1:] + X[:1])]

KINDS = {
    "classifier": ("BertClassifier", "tiny_bert", X, Y, "predict_proba", {}),
    "frozen": ("BertClassifier", "tiny_bert", X, Y, "predict_proba", {"freeze": 1}),
    "weighted": (
        "BertClassifier",
        "tiny_bert",
        X,
        Y,
        "predict_proba",
        {"class_weight": "balanced"},
    ),
    "regressor": ("BertRegressor", "tiny_bert", X, [*map(len, X)], "predict", {}),
    "tagger": ("BertTagger", "tiny_bert", TOKENS, TAGS, "predict_proba", {}),
    "embedder": ("BertEmbedder", "tiny_bert", X, Y, "transform", {"objective": "contrastive"}),
    "simcse": ("BertEmbedder", "tiny_bert", X, None, "transform", {"objective": "simcse"}),
    "masked": ("BertMaskedLM", "tiny_bert", X, None, "score_samples", {}),
    "sentences": (
        *("BertMaskedLM", "tiny_bert", SENTENCES, None, "score_samples"),
        {"next_sentence": True},
    ),
    "generator": ("GptGenerator", "tiny_gpt2", X, None, "score_samples", {}),
}


@pytest.fixture
def no_dropout(monkeypatch):
    """Parts draw other dropout than the whole: without any the results can be compared."""
    monkeypatch.setattr("sktransformers.engine.lean.dropout", lambda input, p: input)
    attention = sktransformers.engine.lean.attention
    monkeypatch.setattr(
        "sktransformers.engine.lean.attention",
        lambda query, key, value, mask, p, *others: attention(
            query, key, value, mask, 0.0, *others
        ),
    )


class SmallMemory:
    """A task whose forward fails as torch's allocator does, for more than some rows."""

    def __init__(self, task, most):
        self._task, self._most, self.refused = task, most, 0

    def __getattr__(self, name):
        return getattr(self._task, name)

    def forward(self, model, inputs):
        if len(inputs["input_ids"]) > self._most:
            self.refused += 1
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return self._task.forward(model, inputs)


def fit(name, request):
    kind, model, rows, y, verb, params = KINDS[name]
    settings = {"max_epochs": 2, "batch_size": 16, "random_state": 0, "learning_rate": 1e-3}
    model = getattr(sktransformers, kind)(
        request.getfixturevalue(model), precision="float32", **settings, **params
    )
    model.fit(rows, y)
    found = getattr(model, verb)(rows)
    return np.concatenate(found) if isinstance(found, list) else found


@pytest.mark.filterwarnings("ignore:.*has no weights for")
@pytest.mark.parametrize("most", [3, 1])
@pytest.mark.parametrize("name", KINDS)
def test_parts_of_a_batch_learn_what_the_whole_learns(name, most, request, monkeypatch, no_dropout):
    whole = fit(name, request)
    made = net.FineTuningNet.__init__

    def with_small_memory(self, *args, task, **kwargs):
        made(self, *args, task=SmallMemory(task, most), **kwargs)

    monkeypatch.setattr(net.FineTuningNet, "__init__", with_small_memory)
    with pytest.warns(UserWarning, match="does not suffice for") as told:
        found = fit(name, request)
    assert len([t for t in told if "does not suffice" in str(t.message)]) == 1
    np.testing.assert_allclose(found, whole, rtol=2e-3, atol=2e-4)


def test_predictions_in_parts(tiny_bert, monkeypatch):
    model = sktransformers.BertClassifier(tiny_bert, max_epochs=1, random_state=0).fit(X, Y)
    whole = model.predict_proba(X)
    forward = infer.forward

    def with_small_memory(model, task, *args, **kwargs):
        return forward(model, SmallMemory(task, 3), *args, **kwargs)

    monkeypatch.setattr(infer, "forward", with_small_memory)
    with pytest.warns(UserWarning, match="memory does not suffice .* in parts of [123],"):
        found = model.predict_proba(X)
    np.testing.assert_allclose(found, whole, atol=1e-6)


@pytest.mark.parametrize("name", ["classifier", "frozen", "generator"])
def test_a_whole_fit_in_parts(name, request, monkeypatch):
    """Also the probe, the validation, the frozen layers and the last look meet small memory."""
    kind, model, rows, y, verb, params = KINDS[name]
    task = {"generator": "causal_lm.CausalLanguage"}
    place = "sktransformers.tasks." + task.get(name, "classification.Classification") + ".forward"
    forward = pkgutil.resolve_name(place)

    def with_small_memory(self, model, inputs):
        if len(inputs["input_ids"]) > 3:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, model, inputs)

    monkeypatch.setattr(place, with_small_memory)
    estimator = getattr(sktransformers, kind)(
        request.getfixturevalue(model), max_epochs=2, early_stopping=True, random_state=0, **params
    )
    with pytest.warns(UserWarning, match="does not suffice"):
        found = getattr(estimator.fit(rows, y), verb)(rows)
    assert len(found) == len(rows)


def test_a_loss_that_does_not_fit_ends(tiny_bert, monkeypatch):
    def loss(*args):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr("sktransformers.tasks.embedding.Contrast.loss", loss)
    with pytest.raises(MemoryError, match=r"The loss of \d+ rows must fit into memory"):
        sktransformers.BertEmbedder(tiny_bert, objective="simcse", max_epochs=1).fit(X)


def test_a_part_is_as_large_as_what_fits(tiny_bert):
    fits = net.FineTuningNet._fitting_step
    sizes = []

    class Net:
        fitting, device, recycled = 1600, "cpu", Recycled()
        optimizer_ = torch.optim.SGD([torch.zeros(1)])

        def _in_parts(self, batch, size):
            sizes.append(size)
            return size

    own = Net()
    for width in (100, 60, 119, 77, 50):
        fits(own, ({"input_ids": torch.zeros(32, width)}, None, None))
    assert sizes == [16, 26, 13, 20, 32]


@pytest.mark.parametrize("params", [{}, {"temperature": 0.8}, {"repetition_penalty": 1.3}])
def test_generation_goes_on_in_parts(tiny_gpt2, monkeypatch, params):
    model = sktransformers.GptGenerator(
        tiny_gpt2, max_epochs=1, max_new_tokens=12, random_state=0, precision="float32", **params
    ).fit(X)
    model.stop = "e"  # some rows are finished when the memory is full
    whole, calls = model.predict(X[:12]), []
    last_logits = decoding._last_logits

    def with_small_memory(model, ids, *args):
        calls.append(len(ids))
        if len(calls) > 3 and len(ids) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return last_logits(model, ids, *args)

    monkeypatch.setattr(decoding, "_last_logits", with_small_memory)
    with pytest.warns(UserWarning, match="memory does not suffice"):
        found = model.predict(X[:12])
    assert found.tolist() == whole.tolist()
    assert max(calls) > 3


def test_scores_of_texts_in_parts(tiny_gpt2, monkeypatch):
    model = sktransformers.GptGenerator(tiny_gpt2, max_epochs=1, random_state=0).fit(X)
    whole, task = model.score_samples(X), type(model._task)
    forward = task.forward

    def with_small_memory(self, model, inputs):
        if len(inputs["input_ids"]) > 2:
            raise RuntimeError("CUDA error: out of memory")
        return forward(self, model, inputs)

    monkeypatch.setattr(task, "forward", with_small_memory)
    with pytest.warns(UserWarning, match="memory does not suffice"):
        found = model.score_samples(X)
    np.testing.assert_allclose(found, whole, rtol=2e-2)  # in bfloat16 where the CPU has it


VERBS = {
    "partial_fit": ("classifier", lambda model: model.partial_fit(X, Y)),
    "predict": ("classifier", lambda model: model.predict(X)),
    "token_embeddings": ("embedder", lambda model: model.token_embeddings(TOKENS)),
    "fill_mask": ("masked", lambda model: model.fill_mask([f"{x} [MASK]" for x in X])),
    "masked score": ("masked", lambda model: model.score_samples(X)),
    "next_sentence": ("sentences", lambda model: model.next_sentence_proba(SENTENCES)),
    "generate": ("generator", lambda model: model.predict(X)),
    "generator score": ("generator", lambda model: model.score_samples(X)),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.filterwarnings("ignore:The memory does not suffice")
@pytest.mark.filterwarnings("ignore:.*has no weights for")
def test_every_verb_names_the_text_that_does_not_fit(verb, request):
    name, call = VERBS[verb]
    kind, checkpoint, rows, y, _, params = KINDS[name]
    model = getattr(sktransformers, kind)(
        request.getfixturevalue(checkpoint), max_epochs=1, random_state=0, **params
    ).fit(rows, y)

    def refuse(module, inputs):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    model.model_.get_input_embeddings().register_forward_pre_hook(refuse)
    with pytest.raises(MemoryError, match="must fit into memory by itself.*which begins with '"):
        call(model)


def test_other_errors_are_not_taken_for_a_full_memory(tiny_bert, monkeypatch):
    def forward(self, model, inputs):
        raise RuntimeError("something else")

    monkeypatch.setattr(SmallMemory, "forward", forward)
    made = net.FineTuningNet.__init__
    monkeypatch.setattr(
        net.FineTuningNet,
        "__init__",
        lambda self, *args, task, **kw: made(self, *args, task=SmallMemory(task, 1), **kw),
    )
    with pytest.raises(RuntimeError, match="something else"):
        sktransformers.BertClassifier(tiny_bert, max_epochs=1).fit(X, Y)


LIMITED = textwrap.dedent(
    """
    import resource, sys, warnings
    import numpy as np, torch
    from transformers import BertConfig
    from sktransformers import BertClassifier
    torch.set_num_threads(1)
    size = dict(hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512)
    config = BertConfig(vocab_size=300, max_position_embeddings=4000, hidden_dropout_prob=0.0,
                        attention_probs_dropout_prob=0.0, **size)
    rng = np.random.default_rng(0)
    words = [[f"{'ab'[i % 2]}{rng.integers(9)}" for _ in range(120)] for i in range(64)]
    X, y = [" ".join(row) for row in words], [i % 2 for i in range(64)]
    alone = sys.argv[1] == "alone"
    if alone:
        X[5] = "This one is long " + X[5] * 40

    def fit(rows):
        model = BertClassifier(config, batch_size=64, max_epochs=2, random_state=0, device="cpu",
                               max_length=4000, precision="float32")
        return model.fit(X[:rows], y[:rows]).predict_proba(X)

    warnings.simplefilter("always")
    fit(4)  # whatever is set up once
    now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 200 * 2**20, resource.RLIM_INFINITY))
    try:
        parts = fit(64)
    except MemoryError as error:
        print("refused", error)
    else:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        print("difference", abs(parts - fit(64)).max())
    """
)


def limited(what):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, what], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="limits are those of Linux")
def test_a_real_limit_is_met_in_parts():
    out = limited("parts")
    assert float(out.split()[1]) < 1e-4
    assert "The memory does not suffice for 64 rows side by side" in out


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="limits are those of Linux")
def test_a_row_that_does_not_fit_alone_is_named():
    out = limited("alone")
    assert "refused A row must fit into memory by itself, but one of 4,000 tokens" in out
    assert "which begins with 'this one is long" in out
