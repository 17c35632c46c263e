"""One list of promises, kept by every estimator."""

import copy
import gc
import inspect
import logging
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
import weakref

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ANIMALS, make_texts
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback

import sktransformers
from sktransformers import (
    BertClassifier,
    BertEmbedder,
    BertMaskedLM,
    BertRegressor,
    BertTagger,
    GptGenerator,
)
from sktransformers.exceptions import TruncationWarning

TEXTS, LABELS = make_texts(48)
NEW_TEXTS, NEW_LABELS = make_texts(40, seed=1)
X, NEW = TEXTS, NEW_TEXTS  # as the estimator at hand reads them: the fixture "kind" sets them

ESTIMATORS = {
    "BertClassifier": BertClassifier,
    "BertRegressor": BertRegressor,
    "BertTagger": BertTagger,
    "BertEmbedder": BertEmbedder,
    "BertMaskedLM": BertMaskedLM,
    "GptGenerator": GptGenerator,
}
OWN_SETTINGS = {"BertEmbedder": {"objective": "contrastive"}}
SETTINGS = {
    "max_epochs": 2,
    "learning_rate": 1e-3,
    "batch_size": 16,
    "precision": "float32",
    "device": "cpu",
    "random_state": 0,
}
PROMISES = []


def promise(function):
    PROMISES.append(function)
    return function


@pytest.fixture(params=ESTIMATORS)
def kind(request, monkeypatch):
    if request.param == "BertTagger":
        for name, texts in (("X", TEXTS), ("NEW", NEW_TEXTS)):
            monkeypatch.setitem(globals(), name, [text.split() for text in texts])
    return request.param


@pytest.fixture
def model(kind, tiny_bert, tiny_bert_with_head, tiny_gpt2):
    own = {"BertMaskedLM": tiny_bert_with_head, "GptGenerator": tiny_gpt2}
    return own.get(kind, tiny_bert)


@pytest.fixture
def make(kind, model):
    """Make an estimator of each class, unfitted."""
    own = OWN_SETTINGS.get(kind, {})
    return lambda **params: ESTIMATORS[kind](model, **{**SETTINGS, **own, **params})


def targets(kind, texts, labels):
    if kind in ("BertClassifier", "BertEmbedder", "BertMaskedLM", "GptGenerator"):
        return labels
    if kind == "BertTagger":
        return [["B-ANIMAL" if word in ANIMALS else "O" for word in text.split()] for text in texts]
    return [10.0 + 3 * (label == "animals") + i % 3 for i, label in enumerate(labels)]


@pytest.fixture
def Y(kind):
    return targets(kind, TEXTS, LABELS)


@pytest.fixture
def NEW_Y(kind):
    return targets(kind, NEW_TEXTS, NEW_LABELS)


FINEST = ("predict_proba", "score_samples", "predict", "transform")


def proba(estimator, rows=None):
    """The finest outputs that an estimator, or a search or pipeline of one, has.

    Those of a tagger as one array, NaN behind the ends of short rows.
    """
    verb = next(v for v in FINEST if hasattr(estimator, v))
    found = getattr(estimator, verb)(NEW if rows is None else rows)
    if not isinstance(found, list):
        return found
    return np.array([np.pad(p, ((0, 9 - len(p)), (0, 0)), constant_values=np.nan) for p in found])


def upper(rows):
    return [[w.upper() for w in row] if isinstance(row, list) else row.upper() for row in rows]


def lower(rows):
    return [[w.lower() for w in row] if isinstance(row, list) else row.lower() for row in rows]


@promise
def test_the_first_parameter_alone_is_positional(make):
    kinds = [p.kind for p in inspect.signature(type(make()).__init__).parameters.values()]
    assert kinds[1] == inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert set(kinds[2:]) == {inspect.Parameter.KEYWORD_ONLY}


@promise
def test_one_signature_of_fit(make):
    assert str(inspect.signature(type(make()).fit)) == (
        "(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None)"
    )


@promise
def test_parameters_are_stored_untouched(make):
    given = {name: object() for name in inspect.signature(type(make()).__init__).parameters}
    del given["self"]
    estimator = type(make())(given.pop("model"), **given)
    assert all(getattr(estimator, name) is value for name, value in given.items())


@promise
def test_every_parameter_is_documented_in_order(make):
    documented = re.findall(r"^    (\w+) : ", type(make()).__doc__.split("Attributes")[0], re.M)
    assert documented == list(inspect.signature(type(make()).__init__).parameters)[1:]


@promise
def test_fitting_changes_no_parameter(make, Y):
    estimator = make()
    before = copy.deepcopy(estimator.get_params())
    assert estimator.fit(X, Y) is estimator
    assert estimator.get_params() == before


@promise
def test_clone_is_unfitted_and_equal(make, Y):
    fitted = make().fit(X, Y)
    other = clone(fitted)
    assert other.get_params() == fitted.get_params()
    assert not hasattr(other, "model_")


@promise
def test_the_same_seed_gives_the_same_bits(make, Y):
    one, other = make().fit(X, Y), make().fit(X, Y)
    np.testing.assert_array_equal(proba(one), proba(other))
    different = make(random_state=1).fit(X, Y)
    assert not np.array_equal(proba(one), proba(different))


@promise
def test_a_model_that_is_dropped_is_freed_at_once(make, Y, tmp_path):
    """Python looks for cycles of references so seldom that a search would fill the memory."""

    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise ValueError("in a callback")

    def use(**params):
        estimator = make(**params).fit(X, Y)
        proba(estimator)
        return weakref.ref(estimator.model_)

    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        assert use()() is None
        assert use(early_stopping=True, freeze=1, max_epochs=3, n_iter_no_change=1)() is None
        assert use(checkpoint_dir=tmp_path / "fits")() is None
        if "memory" in make().get_params():
            assert use(freeze=1, memory=tmp_path / "states")() is None
        with pytest.raises(ValueError, match="in a callback"):
            use(callbacks=[Stop()])
        gc.collect()
        large = (torch.Tensor, torch.nn.Module, torch.optim.Optimizer)
        assert [type(found) for found in gc.garbage if isinstance(found, large)] == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@promise
def test_without_a_seed_one_is_drawn_from_numpys(make, Y):
    results = []
    for _ in range(2):
        np.random.seed(5)
        results.append(proba(make(random_state=None).fit(X, Y)))
    np.testing.assert_array_equal(*results)


@promise
def test_global_state_is_left_alone(make, Y):
    def state():
        return (
            torch.random.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[1].tolist(),
            dict(os.environ),
            logging.root.level,
            warnings.filters[:],
            torch.is_grad_enabled(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
        )

    before = state()
    proba(make().fit(X, Y))
    assert state() == before


@promise
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_prediction_depends_on_its_row_alone(make, precision, Y):
    fitted = make(precision=precision).fit(X, Y)
    together = proba(fitted)
    order = np.random.RandomState(0).permutation(len(NEW))
    np.testing.assert_array_equal(proba(fitted, [NEW[i] for i in order]), together[order])
    alone = np.concatenate([proba(fitted, [text]) for text in NEW])
    np.testing.assert_array_equal(alone, together)
    fitted.set_params(batch_size=3)
    np.testing.assert_array_equal(proba(fitted), together)


@promise
def test_parameters_set_after_fit_change_no_prediction(make, Y):
    fitted = make().fit(X, Y)
    before = proba(fitted)
    fitted.set_params(max_length=4, precision="float64", learning_rate=1.0, freeze=1)
    np.testing.assert_array_equal(proba(fitted), before)


@promise
@pytest.mark.parametrize("module", [pickle, joblib, cloudpickle])
def test_pickles_give_equal_predictions(make, module, tmp_path, Y):
    fitted = make().fit(X, Y)
    with open(tmp_path / "file", "wb") as file:
        module.dump(fitted, file)
    with open(tmp_path / "file", "rb") as file:
        back = module.load(file)
    np.testing.assert_array_equal(proba(back), proba(fitted))
    pd.testing.assert_frame_equal(back.history_, fitted.history_, check_index_type=False)
    assert back.get_params() == fitted.get_params()
    weights = sum(p.numel() * 4 for p in fitted.model_.parameters())
    rest = len(fitted.tokenizer_.backend_tokenizer.to_str()) + 12_000
    assert (tmp_path / "file").stat().st_size < 1.05 * (weights + rest)


@promise
def test_deepcopy_and_unfitted_pickles(make, Y, NEW_Y):
    fitted = make().fit(X, Y)
    other = copy.deepcopy(fitted)
    other.fit(NEW, NEW_Y)
    assert not np.array_equal(proba(other), proba(fitted))
    assert pickle.loads(pickle.dumps(make())).get_params() == make().get_params()


@promise
def test_skops_trusts_all_but_the_class(make, Y):
    import skops.io

    fitted = make().fit(X, Y)
    data = skops.io.dumps(fitted)
    name = f"{type(fitted).__module__}.{type(fitted).__name__}"
    assert skops.io.get_untrusted_types(data=data) == [name]
    np.testing.assert_array_equal(proba(skops.io.loads(data, trusted=[name])), proba(fitted))


@promise
@pytest.mark.slow
def test_saved_and_loaded_in_a_fresh_process(make, tmp_path, Y):
    fitted = make().fit(X, Y)
    fitted.save(tmp_path / "model")
    code = (
        "import sys, numpy as np, sktransformers; "
        f"est = sktransformers.load({str(tmp_path / 'model')!r}); "
        f"f = next(getattr(est, v) for v in {FINEST!r} if hasattr(est, v)); "
        f"np.save({str(tmp_path / 'out.npy')!r}, np.concatenate([*f({NEW!r})], axis=None))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    expected = proba(fitted)
    expected = expected[~np.isnan(expected)]  # in one row
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


PIPELINES = {
    "BertClassifier": ("text-classification", "a cat"),
    "BertRegressor": ("text-classification", "a cat"),
    "BertTagger": ("token-classification", "a cat"),
    "BertEmbedder": ("feature-extraction", "a cat"),
    "BertMaskedLM": ("fill-mask", "a [MASK]"),
    "GptGenerator": ("text-generation", "a cat"),
}


@promise
@pytest.mark.filterwarnings("ignore")
def test_pipelines_of_transformers_open_the_folder(make, kind, tmp_path, Y):
    from transformers import pipeline

    fitted = make().fit(X, Y)
    fitted.save(tmp_path / "model")
    name, text = PIPELINES[kind]
    few = {"max_new_tokens": 3} if kind == "GptGenerator" else {}
    found = pipeline(name, model=str(tmp_path / "model"), device="cpu")(text, **few)
    assert found
    if kind == "BertClassifier":
        assert found[0]["label"] == fitted.predict([text])[0]
        assert found[0]["score"] == pytest.approx(fitted.predict_proba([text]).max(), abs=1e-5)
    if kind == "BertMaskedLM":
        best = fitted.fill_mask([text], top_k=1)
        assert found[0]["score"] == pytest.approx(best["score"].iloc[0], abs=1e-5)


@promise
@pytest.mark.parametrize("moment", ["fit", "labels", "callback"])
def test_a_failed_fit_leaves_the_estimator_as_it_was(make, kind, moment, Y):
    if (kind, moment) == ("BertMaskedLM", "labels"):
        return  # it ignores them
    from skorch.callbacks import Callback

    class Stumble(Callback):
        def on_batch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise OSError("stumbled")

    fitted = make().fit(X, Y)
    before, weights = dict(vars(fitted)), copy.deepcopy(fitted.model_.state_dict())
    if moment == "callback":
        fitted.set_params(callbacks=[Stumble()], warm_start=True)
        with pytest.raises(OSError, match="stumbled"):
            fitted.fit(X, Y)
        fitted.set_params(callbacks=None, warm_start=False)
    else:
        bad = ([X[0], None], Y[:2]) if moment == "fit" else (X, [Y[0], np.nan, *Y[2:]])
        with pytest.raises(ValueError, match="row 1 is"):
            fitted.fit(*bad)
    assert all(vars(fitted)[name] is value for name, value in before.items())
    assert set(vars(fitted)) == set(before)
    assert all(torch.equal(v, weights[k]) for k, v in fitted.model_.state_dict().items())
    unfitted = make()
    with pytest.raises(ValueError, match="row 1 is"):
        unfitted.fit([X[0], None], Y[:2])
    assert not hasattr(unfitted, "model_")


@promise
@pytest.mark.slow
def test_an_interrupt_reaches_the_caller(make, kind, model, Y):
    own = {"max_epochs": 5, **OWN_SETTINGS.get(kind, {})}
    code = f"""
        import os, signal, threading, time
        from skorch.callbacks import Callback
        from sktransformers import {type(make()).__name__} as Estimator

        class Interrupt(Callback):
            def on_batch_end(self, net, **kwargs):
                if len(net.history) == 2:
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(5)

        estimator = Estimator({model!r}, **{own!r}, device="cpu", callbacks=[Interrupt()])
        before = threading.active_count()
        try:
            estimator.fit({X!r}, {Y!r})
        except KeyboardInterrupt:
            print("interrupted", hasattr(estimator, "model_"), threading.active_count() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "interrupted False 0", done.stderr


@promise
def test_threads_predict_as_one(make, Y):
    fitted = make().fit(X, Y)
    together, wrong = proba(fitted), []

    def work(seed):
        rows = np.random.RandomState(seed).permutation(len(NEW))[: 5 + seed]
        for _ in range(5):
            if not np.array_equal(
                proba(fitted, [NEW[i] for i in rows]), together[rows], equal_nan=True
            ):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@promise
def test_seeded_fits_in_threads_give_their_own_results(make, Y):
    alone = [proba(make(random_state=seed).fit(X, Y)) for seed in range(4)]
    found = {}

    def work(seed):
        found[seed] = proba(make(random_state=seed).fit(X, Y))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        np.testing.assert_array_equal(found[seed], alone[seed])


@promise
@pytest.mark.slow
def test_a_grid_search_finds_the_same_in_other_processes(make, Y):
    if not hasattr(make(), "score"):
        return  # a transformer is searched within a pipeline
    grid = {"learning_rate": [1e-3, 1e-5]}
    searches = [GridSearchCV(make(), grid, cv=2, n_jobs=jobs).fit(X, Y) for jobs in (1, 2)]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_allclose(*scores, atol=1e-5)
    probabilities = [proba(search) for search in searches]
    np.testing.assert_allclose(*probabilities, atol=1e-5)


@promise
def test_pipelines_and_column_transformers(make, Y):
    lowered = FunctionTransformer(lower)
    pipe = Pipeline([("lower", lowered), ("model", make())]).fit(upper(X), Y)
    np.testing.assert_array_equal(proba(pipe, upper(NEW)), proba(make().fit(X, Y)))
    pipe.set_params(model__max_epochs=1).fit(X, Y)
    assert pipe[-1].n_iter_ == 1
    frame = pd.DataFrame({"number": range(len(X)), "text": X})
    for column in ("text", ["text"]):
        chosen = make_pipeline(ColumnTransformer([("t", "passthrough", ["text"])]), make())
        chosen.fit(frame, Y)
        direct = make().fit(frame[column], Y)
        np.testing.assert_array_equal(proba(chosen, frame), proba(direct, frame[column]))


@promise
def test_metadata_routing(make, Y):
    weights = np.r_[np.ones(24), np.full(24, 3.0)]
    with config_context(enable_metadata_routing=True):
        model = make().set_fit_request(sample_weight=True)
        pipe = make_pipeline(model).fit(X, Y, sample_weight=weights)
        np.testing.assert_array_equal(proba(pipe), proba(make().fit(X, Y, sample_weight=weights)))
        if not hasattr(model, "score"):
            return
        model.set_score_request(sample_weight=True)
        scores = cross_validate(make_pipeline(model), X, Y, cv=2, params={"sample_weight": weights})
        assert len(scores["test_score"]) == 2


@promise
def test_cross_val_predict(make, Y):
    if not hasattr(make(), "predict") or hasattr(make(), "score_samples"):
        return  # without predictions, or with those of a language model
    predictions = cross_val_predict(make(), X, Y, cv=2)
    assert predictions.shape == (len(X),)
    if isinstance(Y[0], list):
        assert [len(tags) for tags in predictions] == [len(tags) for tags in Y]
    else:
        assert isinstance(Y[0], float) or set(predictions) <= set(Y)


@promise
def test_frames_set_names_and_others_are_refused(make, Y):
    frame = pd.DataFrame({"review": X})
    fitted = make().fit(frame, Y)
    assert fitted.feature_names_in_.tolist() == ["review"]
    assert fitted.n_features_in_ == 1
    with pytest.raises(ValueError, match=r"(?s)feature names should match.*- other"):
        proba(fitted, frame.rename(columns={"review": "other"}))
    np.testing.assert_array_equal(proba(fitted, X), proba(fitted, frame))  # no names to compare
    again = fitted.fit(X, Y)
    assert not hasattr(again, "feature_names_in_")


@promise
def test_cut_texts_are_told_once_a_call(make, kind, Y, NEW_Y):
    estimator = make(max_length=6)
    if kind == "GptGenerator":
        estimator.fit(X, X_val=NEW).score_samples(X)
        return
    if kind in ("BertTagger", "BertMaskedLM"):  # these read all
        proba(estimator.fit(X, Y, X_val=NEW, y_val=NEW_Y))
        return
    with pytest.warns(TruncationWarning) as told:
        estimator.fit(X, Y, X_val=NEW, y_val=NEW_Y)
    longer = sum(len(t.split()) > 4 for t in X + NEW)
    share = longer / len(X + NEW)
    assert len(told) == 1
    assert f"{longer} of 88 texts ({share:.1%}) are longer than max_length=6" in str(
        told[0].message
    )
    assert told[0].filename == __file__
    with pytest.warns(TruncationWarning) as told:
        proba(estimator)
    assert len(told) == 1
    assert told[0].filename == __file__


@promise
def test_unknown_hyperparameters_are_refused_before_any_work(make, Y):
    for name, value in [
        ("max_epochs", -1),
        ("learning_rate", -1.0),
        ("batch_size", 0),
        ("precision", "int8"),
        ("freeze", "head"),
        ("warmup_ratio", 2),
        ("model", 3),
    ]:
        with pytest.raises(ValueError, match=f"The '{name}' parameter of"):
            make(**{name: value} if name != "model" else {}).set_params(**{name: value}).fit(X, Y)


@promise
def test_callbacks_and_net_params_that_work_against_the_library(make, Y):
    from skorch.callbacks import Checkpoint, EpochScoring, LRScheduler

    for callback in (Checkpoint(), EpochScoring("accuracy"), ("named", LRScheduler)):
        with pytest.raises(ValueError, match="callbacks must not hold skorch's"):
            make(callbacks=[callback]).fit(X, Y)
    for name in ("module", "lr", "iterator_train__shuffle", "batch_size", "device", "criterion__x"):
        with pytest.raises(
            ValueError, match=f"net_params must not hold '{name}', which is decided by"
        ):
            make(net_params={name: 1}).fit(X, Y)
    with pytest.raises(ValueError, match="unexpected argument"):
        make(net_params={"nonsense": 1}).fit(X, Y)


@promise
def test_net_params_and_callbacks_are_used(make, Y):
    from skorch.callbacks import EarlyStopping

    sgd = make(net_params={"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}).fit(X, Y)
    assert not np.array_equal(proba(sgd), proba(make().fit(X, Y)))
    stopped = make(
        callbacks=[EarlyStopping(monitor="train_loss", patience=1, threshold=10.0)], max_epochs=6
    ).fit(X, Y)
    assert stopped.n_iter_ == 2


PREDICTS = ("predict", "score", "set_score_request")
VERBS = {
    "BertClassifier": {
        *PREDICTS,
        *("partial_fit", "predict_proba", "predict_log_proba", "decision_function"),
        "set_partial_fit_request",
    },
    "BertRegressor": {*PREDICTS, "partial_fit", "set_partial_fit_request"},
    "BertTagger": {*PREDICTS, "predict_proba", "predict_spans"},
    "BertEmbedder": {"transform", "token_embeddings", "get_feature_names_out"},
    "BertMaskedLM": {*PREDICTS, "fill_mask", "score_samples", "next_sentence_proba"},
    "GptGenerator": {*PREDICTS, "sample", "stream", "score_samples", "perplexity"},
}
ATTRIBUTES = {
    "BertClassifier": {"classes_"},
    "BertRegressor": {"target_mean_", "target_scale_"},
    "BertTagger": {"classes_", "scheme_"},
    "BertEmbedder": set(),
    "BertMaskedLM": set(),
    "GptGenerator": set(),
}


@promise
def test_no_public_name_beyond_the_contract(make, kind, Y):
    from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

    fitted = make().fit(X, Y)
    inherited = {*dir(BaseEstimator), *dir(ClassifierMixin), *dir(TransformerMixin)} - {"score"}
    public = (
        {n for n in dir(fitted) if not n.startswith("_")} - inherited - set(fitted.get_params())
    )
    assert public == {
        *("fit", "save", "load", "push_to_hub", "set_fit_request"),
        *("model_", "tokenizer_", "device_", "n_iter_", "history_"),
        *VERBS[kind],
        *ATTRIBUTES[kind],
    }


def test_shared_parameters_have_one_order_default_and_wording():
    def documented(cls):
        text = cls.__doc__.split("Attributes\n")[0].split("----------\n", 1)[1]
        entries = re.split(r"^    (?=\w+ : )", text, flags=re.MULTILINE)[1:]
        return {e.split(" : ")[0]: re.sub(r"\s+", " ", e).strip() for e in entries}

    def defaults(cls):
        parameters = inspect.signature(cls.__init__).parameters
        return {n: p.default for n, p in parameters.items() if n != "self"}

    first = ESTIMATORS["BertClassifier"]
    own_words = {
        "stride",
        "validation_fraction",
        "scoring",
        "warm_start",
        "class_weight",
        "verbose",
    }
    own_words |= {
        "max_length",
        "learning_rate",
        "max_epochs",
        "random_state",
        "freeze",
        "model",
    }  # the embedder's
    for cls in ESTIMATORS.values():
        shared = [n for n in defaults(first) if n in defaults(cls)]
        assert shared == [n for n in defaults(cls) if n in defaults(first)]
        assert len(shared) >= 18
        for name in shared:
            if (cls, name) not in {(BertEmbedder, "learning_rate"), (GptGenerator, "model")}:
                assert defaults(cls)[name] == defaults(first)[name]
            if name not in own_words:
                assert documented(cls)[name] == documented(first)[name]


def test_the_list_is_not_empty():
    assert len(PROMISES) == 31
    assert set(ESTIMATORS) == {n for n in sktransformers.__all__ if n[:3] in ("Ber", "Gpt")}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
