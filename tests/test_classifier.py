import copy
import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from conftest import SMALL, make_texts
from scipy.special import softmax
from sklearn.metrics import f1_score, log_loss, make_scorer
from transformers import BertConfig

from sktransformers import BertClassifier

X, Y = make_texts(64)
NEW, NEW_Y = make_texts(60, seed=1)

REAL = ["film", "book", "song", "story", "meal", "place", "idea", "plan", "game", "trip"]


@pytest.fixture
def make(tiny_bert):
    def make(model=tiny_bert, **params):
        settings = {
            "max_epochs": 4,
            "learning_rate": 2e-3,
            "batch_size": 16,
            "precision": "float32",
            "device": "cpu",
            "random_state": 0,
        }
        return BertClassifier(model, **{**settings, **params})

    return make


def test_it_learns(make):
    fitted = make(max_epochs=20).fit(X, Y)
    assert fitted.score(NEW, NEW_Y) > 0.9
    assert fitted.classes_.tolist() == ["animals", "colours"]
    assert fitted.device_ == "cpu"


def test_the_verbs_agree(make):
    three = [(*Y[:40], *["third"] * 24)[i] for i in range(64)]
    for y in (Y, three):
        fitted = make().fit(X, y)
        probabilities = fitted.predict_proba(NEW)
        logits = fitted.decision_function(NEW)
        assert probabilities.dtype == logits.dtype == np.float64
        np.testing.assert_allclose(probabilities.sum(1), 1)
        np.testing.assert_allclose(np.exp(fitted.predict_log_proba(NEW)), probabilities)
        assert (fitted.predict(NEW) == fitted.classes_[probabilities.argmax(1)]).all()
        if len(fitted.classes_) == 2:
            assert logits.shape == (60,)
            assert ((logits > 0) == (fitted.predict(NEW) == fitted.classes_[1])).all()
        else:
            np.testing.assert_allclose(softmax(logits, axis=1), probabilities)


@pytest.mark.parametrize(
    ("negative", "positive"),
    [("no", "yes"), (3, 17), (False, True), (-1.0, 2.0), ("10", "9")],
)
def test_labels_come_back_as_they_went_in(make, negative, positive):
    y = [positive if label == "animals" else negative for label in Y]
    fitted = make(max_epochs=1).fit(X, y)
    assert fitted.classes_.tolist() == sorted([negative, positive])
    predicted = fitted.predict(NEW).tolist()
    assert {type(p) for p in predicted} == {type(positive)}
    assert set(predicted) <= {negative, positive}


@pytest.mark.parametrize(
    "kind",
    [
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pd.Series(y, dtype="string"),
        lambda y: pd.Series(y, index=range(64, 0, -1)),
        np.array,
        tuple,
        pl.Series,
        pa.array,
    ],
)
def test_containers_of_labels_change_nothing(make, kind):
    expected = make(max_epochs=1).fit(X, Y)
    fitted = make(max_epochs=1).fit(X, kind(Y))
    assert fitted.classes_.tolist() == ["animals", "colours"]
    np.testing.assert_array_equal(fitted.predict_proba(NEW), expected.predict_proba(NEW))


@pytest.mark.parametrize(
    "kind",
    [
        pd.Series,
        lambda t: pd.DataFrame({"t": t}),
        lambda t: np.array(t, dtype=object),
        lambda t: np.array(t)[:, None],
        pl.Series,
        lambda t: pl.DataFrame({"t": t}),
        pa.array,
        tuple,
    ],
)
def test_containers_of_texts_change_no_bit(make, kind):
    expected = make(max_epochs=1).fit(X, Y)
    fitted = make(max_epochs=1).fit(kind(X), Y)
    np.testing.assert_array_equal(fitted.predict_proba(kind(NEW)), expected.predict_proba(NEW))


def test_numbers_between_classes_are_no_labels(make):
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        make().fit(X, np.linspace(0, 1, 64))


def test_one_class_is_refused(make):
    with pytest.raises(ValueError, match="needs at least 2 classes in y.*only one class: 'a'"):
        make().fit(["x", "y"], ["a", "a"])
    with pytest.raises(ValueError, match="2 classes"):
        make().fit(["one row"], ["a"])


def test_missing_y(make):
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        make().fit(X)


def test_two_rows_and_150_classes_work(make):
    assert make().fit(["cat", "red"], ["a", "b"]).predict(["cat", "red"]).shape == (2,)
    many = [f"class {i % 150}" for i in range(300)]
    fitted = make(max_epochs=1, early_stopping=True).fit(
        [f"word{i % 150} cat" for i in range(300)], many
    )
    assert fitted.predict_proba(["word3 cat"]).shape == (1, 150)


def test_equal_weights_change_no_bit(make):
    plain = make().fit(X, Y).predict_proba(NEW)
    weighted = make().fit(X, Y, sample_weight=np.full(64, 7.5)).predict_proba(NEW)
    np.testing.assert_array_equal(plain, weighted)
    by_class = make(class_weight={"animals": 3, "colours": 3}).fit(X, Y).predict_proba(NEW)
    np.testing.assert_array_equal(plain, by_class)


def test_rows_of_weight_zero_are_as_if_not_there(make):
    weights = np.ones(64)
    weights[::3] = 0
    kept = np.flatnonzero(weights)
    some = make().fit([X[i] for i in kept], [Y[i] for i in kept])
    zeroed = make().fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(some.predict_proba(NEW), zeroed.predict_proba(NEW))


def test_weights_draw_predictions_to_their_rows(make):
    wrong = [("colours" if y == "animals" else "animals") for y in Y]
    weights = np.r_[np.full(64, 10.0), np.ones(64)]
    fitted = make(max_epochs=12).fit(X + X, Y + wrong, sample_weight=weights)
    assert fitted.score(NEW, NEW_Y) > 0.85
    fitted = make(max_epochs=12).fit(X + X, Y + wrong, sample_weight=weights[::-1])
    assert fitted.score(NEW, NEW_Y) < 0.15


def test_class_weights_are_counted_with_sample_weights(make):
    rare = [i for i, y in enumerate(Y) if y == "colours"][:4]
    rows = [i for i, y in enumerate(Y) if y == "animals"] + rare
    X_few, y_few = [X[i] for i in rows], [Y[i] for i in rows]
    n_common = len(rows) - 4
    plain = make(max_epochs=2).fit(X_few, y_few)
    balanced = make(max_epochs=2, class_weight="balanced").fit(X_few, y_few)
    by_hand = make(max_epochs=2).fit(X_few, y_few, sample_weight=[4] * n_common + [n_common] * 4)
    difference = balanced.predict_proba(NEW) - by_hand.predict_proba(NEW)
    assert np.abs(difference).max() < 1e-4
    assert balanced.predict_proba(NEW)[:, 1].mean() > plain.predict_proba(NEW)[:, 1].mean() + 0.05
    evened = make(max_epochs=2, class_weight="balanced").fit(
        X_few, y_few, sample_weight=[4] * n_common + [n_common] * 4
    )
    assert np.abs(evened.predict_proba(NEW) - by_hand.predict_proba(NEW)).max() < 1e-4


def test_validation_rows_fill_the_history(make):
    fitted = make().fit(X, Y, X_val=NEW, y_val=NEW_Y)
    history = fitted.history_
    assert history.index.tolist() == [1, 2, 3, 4]
    assert history.index.name == "epoch"
    assert list(history) == [
        *("train_loss", "valid_loss", "valid_score"),
        *("learning_rate", "seconds", "tokens_per_second"),
    ]
    assert history["valid_score"].iloc[-1] == fitted.score(NEW, NEW_Y)
    np.testing.assert_allclose(
        history["valid_loss"].iloc[-1], log_loss(NEW_Y, fitted.predict_proba(NEW)), rtol=1e-5
    )
    assert fitted.best_score_ == history["valid_score"].max()
    best = history[history["valid_score"] == fitted.best_score_]
    assert fitted.best_epoch_ == best["valid_loss"].idxmin()  # of equal scores the smaller loss
    unwatched = make().fit(X, Y)
    np.testing.assert_array_equal(unwatched.predict_proba(NEW), fitted.predict_proba(NEW))
    assert unwatched.history_["valid_loss"].isna().all()
    assert not hasattr(unwatched, "best_score_")


def test_weighted_validation(make):
    weights = np.arange(60.0)
    fitted = make().fit(X, Y, X_val=NEW, y_val=NEW_Y, sample_weight_val=weights)
    expected = fitted.score(NEW, NEW_Y, sample_weight=weights)
    assert fitted.history_["valid_score"].iloc[-1] == pytest.approx(expected)


@pytest.mark.parametrize(
    "scoring", ["f1_macro", "neg_log_loss", "roc_auc", make_scorer(f1_score, pos_label="colours")]
)
def test_any_scorer_scores(make, scoring):
    from sklearn.metrics import get_scorer

    fitted = make(scoring=scoring).fit(X, Y, X_val=NEW, y_val=NEW_Y)
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    assert fitted.history_["valid_score"].iloc[-1] == pytest.approx(scorer(fitted, NEW, NEW_Y))


def test_a_function_scores_and_loss_too(make):
    fitted = make(scoring=lambda est, X, y: -len(X)).fit(X, Y, X_val=NEW, y_val=NEW_Y)
    assert fitted.history_["valid_score"].tolist() == [-60.0] * 4
    fitted = make(scoring="loss").fit(X, Y, X_val=NEW, y_val=NEW_Y)
    assert (fitted.history_["valid_score"] == -fitted.history_["valid_loss"]).all()
    with pytest.raises(ValueError, match="scoring"):
        make(scoring="no such scorer").fit(X, Y, X_val=NEW, y_val=NEW_Y)


def test_early_stopping_brings_the_best_weights_back(make):
    scores = iter([0.5, 0.9, 0.7, 0.8, 0.6])
    seen = []

    def scoring(estimator, X, y):
        seen.append([p.detach().clone() for p in estimator.model_.parameters()])
        return next(scores)

    fitted = make(max_epochs=10, early_stopping=True, scoring=scoring, n_iter_no_change=2)
    fitted.fit(X, Y, X_val=NEW, y_val=NEW_Y)
    assert fitted.n_iter_ == 4
    assert len(fitted.history_) == 4
    assert (fitted.best_epoch_, fitted.best_score_) == (2, 0.9)
    for best, kept in zip(seen[1], fitted.model_.parameters()):
        assert torch.equal(kept, best)
    assert not all(torch.equal(a, b) for a, b in zip(seen[3], fitted.model_.parameters()))


def test_what_a_scorer_does_to_its_copy_is_seen_by_it_alone(make):
    seen = []

    def scoring(estimator, X, y):
        estimator.model_ = copy.deepcopy(estimator.model_)
        for weights in estimator.model_.classifier.parameters():
            weights.data.zero_()
        seen.append(estimator.predict_proba(["a cat", "red"]))
        return 0.0

    fitted = make(scoring=scoring).fit(X, Y, X_val=NEW, y_val=NEW_Y)
    assert len(seen) == fitted.n_iter_
    assert all((found == 0.5).all() for found in seen)
    assert not (fitted.predict_proba(["a cat", "red"]) == 0.5).any()


def test_early_stopping_sets_rows_aside(make):
    sizes = []
    fitted = make(
        early_stopping=True,
        validation_fraction=0.25,
        scoring=lambda est, X, y: sizes.append((len(X), (y == "animals").sum())) or 0.0,
    ).fit(X, Y)
    n_animals = round(Y.count("animals") * 16 / 64)
    assert sizes == [(16, n_animals)] * 3
    assert fitted.n_iter_ == 3


def test_validation_needs_both_and_known_labels(make):
    with pytest.raises(ValueError, match="must come together, but only X_val came. Pass y_val"):
        make().fit(X, Y, X_val=NEW)
    with pytest.raises(ValueError, match="row 0 holds 'zebra'. It knows"):
        make().fit(X, Y, X_val=["cat"], y_val=["zebra"])
    with pytest.raises(ValueError, match="X_val must hold texts, but row 0 is None"):
        make().fit(X, Y, X_val=[None], y_val=["animals"])


def test_warm_start_goes_on(make):
    fitted = make(max_epochs=16, warm_start=True).fit(X, Y)
    first, model = fitted.history_["train_loss"], fitted.model_
    fitted.fit(X, Y)
    assert fitted.history_["train_loss"].iloc[0] < 0.8 * first.iloc[0]
    assert fitted.model_ is not model
    with pytest.raises(ValueError, match=r"row 2 holds 'other'. It knows \['animals', 'colours'\]"):
        fitted.fit(X, ["other" if y == "animals" else y for y in Y])
    anew = make(max_epochs=1).fit(X, Y).fit(X, Y)
    assert anew.history_["train_loss"].iloc[0] == pytest.approx(first.iloc[0], rel=0.2)


@pytest.mark.parametrize("freeze", [0, 1, "backbone"])
def test_frozen_weights_stay(make, freeze, tiny_bert):
    from transformers import AutoModel

    fitted = make(freeze=freeze).fit(X, Y)
    start = AutoModel.from_pretrained(tiny_bert).state_dict()
    after = fitted.model_.bert.state_dict()
    same = {name for name in start if torch.equal(start[name], after[name])}
    below = {n for n in start if n.startswith("embeddings.")}
    if freeze == 1:
        below |= {n for n in start if n.startswith("encoder.layer.0.")}
    if freeze == "backbone":
        below = set(start)
    assert same == below
    assert all(p.requires_grad for p in fitted.model_.parameters())


def test_a_frozen_backbone_has_no_dropout(make):
    fitted = make(freeze="backbone", max_epochs=1, batch_size=64, learning_rate=1e-12).fit(X, Y)
    # Dropout of the head alone is left: the loss is close to that of a prediction.
    loss = log_loss(Y, fitted.predict_proba(X))
    assert fitted.history_["train_loss"].iloc[0] == pytest.approx(loss, abs=0.02)


def test_the_learning_rate_rises_and_falls(make):
    from skorch.callbacks import Callback

    rates = []

    class Rates(Callback):
        def on_batch_begin(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    make(max_epochs=5, learning_rate=1e-3, warmup_ratio=0.2, callbacks=[Rates()]).fit(X, Y)
    assert len(rates) == 20
    np.testing.assert_allclose(rates[:4], [2.5e-4, 5e-4, 7.5e-4, 1e-3])
    np.testing.assert_allclose(rates[4:], 1e-3 * np.arange(16, 0, -1) / 16)


def test_few_rows_get_steps_not_epochs(make):
    from sktransformers.engine.fit import plan_for

    plan = plan_for(make(max_epochs="auto", batch_size=32))
    assert [plan.n_epochs(n, 3) for n in (1, 32, 200, 1000, 5000)] == [200, 200, 29, 7, 3]
    assert plan_for(make(max_epochs=2)).n_epochs(10, 3) == 2


def test_a_loss_that_is_not_finite_is_an_error(make):
    from skorch.callbacks import Callback

    class Spoil(Callback):
        def on_batch_begin(self, net, **kwargs):
            if len(net.history) == 2:
                with torch.no_grad():
                    net.module_.classifier.bias.fill_(math.nan)

    with pytest.raises(FloatingPointError, match="loss must stay finite.*nan in epoch 2, batch 1"):
        make(callbacks=[Spoil()]).fit(X, Y)


@pytest.mark.parametrize("precision", ["float64", "bfloat16", "float16", "auto"])
def test_every_precision_learns(make, precision):
    fitted = make(max_epochs=12, precision=precision).fit(X, Y)
    assert fitted.score(NEW, NEW_Y) > 0.85
    kept = {p.dtype for p in fitted.model_.parameters()}
    assert kept == {torch.float64 if precision == "float64" else torch.float32}


def test_float32_and_float64_agree(make):
    single, double = (make(precision=p, max_epochs=1).fit(X, Y) for p in ("float32", "float64"))
    assert np.abs(single.predict_proba(NEW) - double.predict_proba(NEW)).max() < 1e-4


def test_the_head_starts_as_a_probe_of_a_real_model():
    texts = [f"I {verb} this {thing}" for verb in ("love", "hate") for thing in REAL]
    y = np.repeat(["good", "bad"], len(REAL))
    untrained = BertClassifier(learning_rate=1e-12, max_epochs=1, random_state=0).fit(texts, y)
    unseen = ["we adore the show", "he despises it", "a boring, awful mess"]
    assert untrained.predict(unseen).tolist() == ["good", "bad", "bad"]


@pytest.mark.parametrize("kind", ["tiny_roberta"])
def test_other_encoders(make, kind, request):
    fitted = make(request.getfixturevalue(kind), max_epochs=20).fit(X, Y)
    assert fitted.score(NEW, NEW_Y) > 0.8


def test_a_decoder_is_refused(make, tiny_gpt2):
    with pytest.raises(ValueError, match="must be an encoder"):
        make(tiny_gpt2).fit(X, Y)


def test_from_nothing(make):
    config = BertConfig(vocab_size=300, **SMALL)
    fitted = make(config, max_epochs=12).fit(X, Y)
    assert fitted.score(NEW, NEW_Y) > 0.85
    assert fitted.model_.config.vocab_size == len(fitted.tokenizer_) < 300
    assert config.vocab_size == 300
    again = make(config, max_epochs=12).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(NEW), fitted.predict_proba(NEW))


def test_a_saved_folder_is_a_start_with_a_new_head(make, tmp_path):
    make().fit(X, Y).save(tmp_path / "first")
    y = ["odd" if i % 3 else "even" if i % 2 else "none" for i in range(64)]
    fitted = make(str(tmp_path / "first")).fit(X, y)
    assert fitted.classes_.tolist() == ["even", "none", "odd"]


def test_strange_texts_are_harmless(make):
    strange = [
        "",
        " ",
        "\U0001f600" * 50,
        "\u0639\u0631\u0628\u064a",
        "\u200b\x00",
        "\ud800",
        "x" * 5000,
    ]
    fitted = make().fit(X + strange, Y + ["animals"] * 7)
    assert np.isfinite(fitted.predict_proba(strange)).all()


def test_ten_megabytes_in_one_row(make):
    from sktransformers.exceptions import TruncationWarning

    fitted = make(max_epochs=1).fit(X, Y)
    with pytest.warns(TruncationWarning, match="1 of 2 texts"):
        assert fitted.predict(["cat dog red " * 900_000, "cat"]).shape == (2,)


def test_the_progress_bar_shows_what_happens(make, capsys):
    make(verbose=1, max_epochs=2).fit(X, Y, X_val=NEW, y_val=NEW_Y)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "epoch 2/2: 100%" in shown.err
    assert "valid_score=" in shown.err
    make(max_epochs=2).fit(X, Y)
    assert capsys.readouterr().err == ""


def test_balanced_weights_are_counted_on_the_training_rows(make):
    fitted = make(class_weight="balanced", max_epochs=2)
    fitted.fit(X, Y, X_val=["cat", "dog"], y_val=["animals", "animals"])
    assert np.isfinite(fitted.history_["valid_loss"]).all()
    rare = make(class_weight="balanced", early_stopping=True, max_epochs=2)
    assert rare.fit([*X, "zebra"], [*Y, "rare"]).classes_.tolist() == ["animals", "colours", "rare"]


@pytest.mark.parametrize(
    ("weights", "came"),
    [
        ({"animals": -1}, "finite weights.*-1 for 'animals'"),
        ({"animals": np.nan}, "finite weights.*nan"),
        ({"animals": 0, "colours": 0}, "zero for every class"),
    ],
)
def test_class_weights_below_zero_are_refused(make, weights, came):
    with pytest.raises(ValueError, match=f"class_weight must .*{came}"):
        make(class_weight=weights).fit(X, Y)


def test_a_class_of_weight_zero_is_never_predicted(make):
    fitted = make(class_weight={"animals": 0}, max_epochs=8).fit(X, Y)
    assert set(fitted.predict(NEW)) == {"colours"}


def test_rows_of_weight_zero_are_not_set_aside_for_validation(make):
    weights = np.r_[np.ones(20), np.zeros(44)]
    zeroed = make(early_stopping=True, max_epochs=3).fit(X, Y, sample_weight=weights)
    some = make(early_stopping=True, max_epochs=3).fit(X[:20], Y[:20])
    np.testing.assert_array_equal(zeroed.predict_proba(NEW), some.predict_proba(NEW))


def test_divergence_in_the_last_step_is_an_error(make):
    with pytest.raises(FloatingPointError, match="finite"):
        make(learning_rate=1e30, max_epochs=1, batch_size=64, warmup_ratio=0).fit(X, Y)


def test_a_score_that_is_nan_is_never_the_best(make):
    scores = iter([math.nan, 0.1, 0.9, 0.8])
    fitted = make(scoring=lambda *_: next(scores)).fit(X, Y, X_val=NEW, y_val=NEW_Y)
    assert (fitted.best_epoch_, fitted.best_score_) == (3, 0.9)


def test_a_scorer_may_predict_other_texts(make):
    seen = []

    def scoring(estimator, X, y):
        seen.append(estimator.predict(["cat", "red", "dog"]).shape)
        return 0.0

    make(scoring=scoring, max_epochs=1).fit(X, Y, X_val=NEW, y_val=NEW_Y)
    assert seen == [(3,)]


def test_a_warm_start_keeps_nothing_of_the_fit_before_but_the_model(make):
    fitted = make(warm_start=True, max_epochs=1)
    fitted.fit(pd.DataFrame({"t": X}), Y, X_val=NEW, y_val=NEW_Y)
    fitted.set_params(max_length=8)
    with pytest.warns(match="max_length=8"):
        fitted.fit(X, Y)
    assert not hasattr(fitted, "best_score_")
    assert not hasattr(fitted, "feature_names_in_")
    with pytest.warns(match="max_length=8"):
        fitted.predict(["cat " * 20])


def test_object_columns_of_numbers_are_labels_in_fit_and_score(make):
    y = pd.Series([int(label == "animals") for label in Y], dtype=object)
    fitted = make(max_epochs=1).fit(X, y)
    assert fitted.classes_.dtype.kind == "i"
    assert 0 <= fitted.score(X, y) <= 1


@pytest.mark.parametrize(
    "y", [np.array(["2020", "2021"] * 32, dtype="M8[D]"), [{1}, {2}] * 32, [1, "a"] * 32]
)
def test_other_kinds_of_labels_are_refused(make, y):
    with pytest.raises((ValueError, TypeError), match="label"):
        make().fit(X, y)


def test_fitting_inside_no_grad_and_inference_mode(make):
    expected = make(max_epochs=1).fit(X, Y).predict_proba(NEW)
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            fitted = make(max_epochs=1).fit(X, Y)
        np.testing.assert_array_equal(fitted.predict_proba(NEW), expected)


def test_a_name_for_no_scorer_is_refused_before_any_work(make):
    with pytest.raises(ValueError, match="nonsense"):
        make("no/such-model", scoring="nonsense").fit(X, Y)


def test_fitting_inside_autocast(make):
    plain = make(precision="bfloat16").fit(X, Y)
    for dtype in (torch.bfloat16, torch.float16):
        with torch.autocast("cpu", dtype):
            found = make(precision="bfloat16").fit(X, Y)
            precise = make().fit(X, Y)
        assert np.array_equal(found.predict_proba(X), plain.predict_proba(X))
        assert np.array_equal(precise.predict_proba(X), make().fit(X, Y).predict_proba(X))


def test_a_callback_that_stops_in_the_middle_of_an_epoch(make):
    from skorch.callbacks import Callback

    class Stop(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    fitted = make(callbacks=[Stop()]).fit(X, Y, X_val=NEW, y_val=NEW_Y)
    assert fitted.n_iter_ == 0
    assert list(fitted.history_)[:2] == ["train_loss", "valid_loss"]
    assert not hasattr(fitted, "best_epoch_")


@pytest.mark.parametrize(
    "name", ["DebertaConfig", "DebertaV2Config", "ElectraConfig", "MPNetConfig"]
)
def test_other_families_fit_in_the_precision_that_they_can(make, name):
    import transformers

    config = getattr(transformers, name)(vocab_size=300, **SMALL)
    fitted = make(config, max_epochs=1, precision="auto").fit(X, Y)
    expected = fitted.predict_proba(NEW)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(copy.deepcopy(fitted).predict_proba(NEW), expected)
