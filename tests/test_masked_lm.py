"""``BertMaskedLM``: learning by hidden words, and filling them."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ANIMALS, COLOURS
from scipy.special import log_softmax
from transformers import AutoModelForMaskedLM, BertConfig, RobertaConfig

from sktransformers import BertClassifier, BertEmbedder, BertMaskedLM, BertTagger, load

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
SETTINGS = {
    "learning_rate": 5e-3,
    "max_epochs": 60,
    "batch_size": 16,
    "precision": "float32",
    "device": "cpu",
    "random_state": 0,
}


def sentences(n_rows, seed=0):
    """Colours and animals come in fixed pairs: "the red cat and the green dog"."""
    rng = np.random.RandomState(seed)
    return [
        " and ".join(
            f"the {COLOURS[i]} {ANIMALS[i]}" for i in rng.randint(0, 10, rng.randint(1, 4))
        )
        for _ in range(n_rows)
    ]


TEXTS = sentences(400)


@pytest.fixture(scope="module", params=["bert", "roberta"])
def fitted(request):
    is_bert = request.param == "bert"
    config = (
        BertConfig(vocab_size=300, **SMALL) if is_bert else RobertaConfig(vocab_size=700, **SMALL)
    )
    return BertMaskedLM(config, **SETTINGS).fit(TEXTS)


def test_it_learns_from_nothing(fitted):
    mask = fitted.tokenizer_.mask_token
    filled = fitted.predict([f"the {mask} cat and the green {mask}", f"the {mask} pig"])
    assert filled.dtype == object
    assert filled.tolist() == ["the red cat and the green dog", "the purple pig"]
    history = fitted.history_["train_loss"]
    assert history.iloc[-1] < 0.5 * history.iloc[0]
    assert fitted.n_iter_ == 60


def test_fill_mask(fitted):
    mask = fitted.tokenizer_.mask_token
    texts = [f"the {mask} cat", f"{mask} red {mask}"]
    for given in (texts, pd.Series(texts), pd.DataFrame({"text": texts})):
        found = fitted.fill_mask(given, top_k=3)
        assert found["row"].tolist() == [0] * 3 + [1] * 6
        assert found["position"].tolist() == [0] * 6 + [1] * 3
        assert found["token"][0] == "red"
        by_blank = found.groupby(["row", "position"])["score"]
        assert by_blank.is_monotonic_decreasing.all()
        assert (by_blank.sum() <= 1).all()
    assert list(found.columns) == ["row", "position", "token", "score"]


def test_scores_hide_each_token_once(fitted):
    text = "the red cat and the green dog"
    ids = fitted.tokenizer_(text, return_tensors="pt")["input_ids"]
    n = ids.shape[1] - 2
    total = 0.0
    for turn in range(7):  # ceil(1 / 0.15)
        places = [1 + i for i in range(n) if i % 7 == turn]
        hidden = ids.clone()
        hidden[0, places] = fitted.tokenizer_.mask_token_id
        with torch.no_grad():
            logs = log_softmax(fitted.model_(input_ids=hidden).logits[0].double().numpy(), axis=1)
        total += sum(logs[place, ids[0, place]] for place in places)
    assert fitted.score_samples([text])[0] == pytest.approx(total / n, abs=1e-6)
    assert fitted.score_samples(["the red dog", text]).argmax() == 1
    both = fitted.score_samples([text, "", text])
    assert both[1] == 0
    assert both[0] == both[2] == fitted.score_samples([text])[0]
    assert fitted.score([text, ""]) == pytest.approx(total / n, abs=1e-6)
    assert fitted.score(TEXTS, sample_weight=np.ones(400)) == fitted.score(TEXTS)


def test_results_depend_on_their_row_alone(fitted):
    mask = fitted.tokenizer_.mask_token
    rng = np.random.RandomState(0)
    texts = [t.replace(rng.choice(t.split()), mask) for t in sentences(60, 1)]
    together = fitted.fill_mask(texts, top_k=2)
    for row in (0, 17, 59):
        alone = fitted.fill_mask([texts[row]], top_k=2)
        mine = together[together["row"] == row]
        assert alone["score"].tolist() == mine["score"].tolist()
        assert alone["token"].tolist() == mine["token"].tolist()
    scores = fitted.score_samples(TEXTS)
    np.testing.assert_array_equal(fitted.score_samples(TEXTS[::-1]), scores[::-1])
    np.testing.assert_array_equal([fitted.score_samples([t])[0] for t in TEXTS[:9]], scores[:9])


def test_long_texts_are_learnt_and_scored_to_their_ends(fitted):
    long = " and ".join(sentences(40, 3))
    right = fitted.score_samples([long])[0]
    words = long.split()
    wrong = fitted.score_samples([" ".join(words[:-60] + ["the"] * 60)])[0]
    assert np.isfinite(right)
    assert right != wrong
    again = BertMaskedLM(BertConfig(vocab_size=300, **SMALL), **{**SETTINGS, "max_epochs": 1})
    again.fit([long])
    tokens = again.history_["tokens_per_second"] * again.history_["seconds"]
    n = len(again.tokenizer_(long, verbose=False)["input_ids"]) - 2
    assert tokens.iloc[0] == pytest.approx(n + 2 * -(-n // 38))


@pytest.fixture(scope="module")
def documents():
    """In a document all sentences are of one colour; its neighbours' are of another."""
    rng = np.random.RandomState(0)
    return [
        [f"the {COLOURS[c]} {rng.choice(ANIMALS)}" for _ in range(rng.randint(1, 6))]
        for c in rng.randint(0, 10, 600)
    ]


def test_next_sentences(documents, tmp_path):
    config = BertConfig(vocab_size=300, **SMALL)
    settings = {**SETTINGS, "max_epochs": 40, "learning_rate": 3e-3}
    mlm = BertMaskedLM(config, next_sentence=True, **settings).fit(documents)
    near = mlm.next_sentence_proba(
        [("the red cat", "the red dog"), ("the pink pig", "the pink hen")]
    )
    far = mlm.next_sentence_proba(
        [("the red cat", "the pink dog"), ("the grey pig", "the red hen")]
    )
    assert near.dtype == np.float64
    assert near.min() > 0.5 > far.max()
    assert mlm.predict(["the [MASK] cat"])[0].split()[1] in COLOURS
    mlm.save(tmp_path / "mlm")
    again = load(tmp_path / "mlm")
    pairs = [("the red cat", "the red dog")]
    np.testing.assert_array_equal(again.next_sentence_proba(pairs), mlm.next_sentence_proba(pairs))
    assert type(again.model_).__name__ == "BertForPreTraining"


def test_what_next_sentence_needs(documents, tiny_roberta, fitted):
    config = BertConfig(vocab_size=300, **SMALL)
    with pytest.raises(ValueError, match="needs documents, but X holds texts"):
        BertMaskedLM(config, next_sentence=True, **SETTINGS).fit(TEXTS)
    with (
        pytest.warns(UserWarning, match="has no weights"),
        pytest.raises(ValueError, match="needs a model with a head for it"),
    ):
        BertMaskedLM(tiny_roberta, next_sentence=True, **SETTINGS).fit(documents)
    with pytest.raises(ValueError, match="fitted with next_sentence=False"):
        fitted.next_sentence_proba([("a", "b")])
    joined = BertMaskedLM(config, **{**SETTINGS, "max_epochs": 1}).fit(documents)
    assert np.isfinite(joined.score(documents))


def test_a_head_that_is_lacking_is_told(tiny_bert):
    mlm = BertMaskedLM(tiny_bert, **{**SETTINGS, "max_epochs": 1})
    with pytest.warns(
        UserWarning, match=r"has no weights for cls.predictions, which BertForMasked"
    ):
        mlm.fit(TEXTS)
    untrained = BertMaskedLM(tiny_bert, **{**SETTINGS, "max_epochs": 0})
    with pytest.warns(UserWarning, match="drawn at random"):
        assert untrained.fit(TEXTS).n_iter_ == 0
    with pytest.warns(UserWarning, match="drawn at random"):
        twin = BertMaskedLM(tiny_bert, **{**SETTINGS, "max_epochs": 0}).fit(TEXTS)
    assert twin.score(TEXTS) == untrained.score(TEXTS)


@pytest.mark.filterwarnings("error")
def test_a_saved_model_goes_on_and_others_start_from_it(tmp_path):
    mlm = BertMaskedLM(BertConfig(vocab_size=300, **SMALL), **SETTINGS).fit(TEXTS)
    mlm.save(tmp_path / "mlm")
    folder = str(tmp_path / "mlm")
    np.testing.assert_array_equal(load(folder).score_samples(TEXTS), mlm.score_samples(TEXTS))
    theirs = AutoModelForMaskedLM.from_pretrained(folder).state_dict()
    assert all(torch.equal(v, theirs[k]) for k, v in mlm.model_.state_dict().items())
    same = BertMaskedLM(folder, **{**SETTINGS, "max_epochs": 0}).fit(TEXTS)  # and no warning
    np.testing.assert_array_equal(same.score_samples(TEXTS), mlm.score_samples(TEXTS))
    learnt = mlm.model_.base_model.state_dict()
    settings = {**SETTINGS, "max_epochs": 1, "learning_rate": 1e-12}
    labels = ["a" if "red" in text else "b" for text in TEXTS]
    for estimator, X, y in (
        (BertClassifier, TEXTS, labels),
        (BertTagger, [t.split() for t in TEXTS], [t.split() for t in TEXTS]),
        (BertEmbedder, TEXTS, None),
    ):
        model = estimator(folder, **settings).fit(X, y).model_.base_model.state_dict()
        shared = [k for k in learnt if k in model]
        assert len(shared) == len(learnt)
        assert all(torch.allclose(model[k], learnt[k]) for k in shared)


def test_early_stopping_weights_and_warm_start():
    settings = {**SETTINGS, "max_epochs": 3}
    config = BertConfig(vocab_size=300, **SMALL)
    stopped = BertMaskedLM(config, early_stopping=True, **settings).fit(TEXTS)
    assert stopped.history_["valid_loss"].notna().all()
    assert stopped.best_score_ == stopped.history_["valid_score"].max()
    few = {"X_val": TEXTS[:20], "y_val": TEXTS[:20]}
    by_loss = BertMaskedLM(config, scoring="loss", **settings).fit(TEXTS, **few)
    np.testing.assert_allclose(by_loss.history_["valid_score"], -by_loss.history_["valid_loss"])
    weights = np.where(["red" in text for text in TEXTS], 1.0, 1e-9)
    reds = BertMaskedLM(config, **SETTINGS).fit(TEXTS, sample_weight=weights)
    assert reds.score_samples(["the red cat"])[0] > reds.score_samples(["the green dog"])[0]
    same = BertMaskedLM(config, **settings).fit(TEXTS, sample_weight=np.full(400, 3.0))
    plain = BertMaskedLM(config, warm_start=True, **settings).fit(TEXTS)
    assert same.score(TEXTS) == plain.score(TEXTS)
    before = plain.score(TEXTS)
    assert plain.fit(TEXTS).score(TEXTS) > before


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["the {mask} cat", "no blank"], "row 1 does not: 'no blank'"),
        (["the cat " * 40 + "{mask}"], "row 0 only 0 of 1 do"),
        ("{mask}", "a bare '"),
        ([None], "row 0 is None"),
    ],
)
@pytest.mark.filterwarnings("ignore::sktransformers.exceptions.TruncationWarning")
def test_blanks_that_cannot_be_filled(fitted, texts, message):
    mask = fitted.tokenizer_.mask_token
    if isinstance(texts, list):
        texts = [t and t.replace("{mask}", mask) for t in texts]
    with pytest.raises(ValueError, match=message):
        fitted.predict(texts)


def test_a_saved_encoder_keeps_its_embeddings_whatever_the_head_is_called(tmp_path):
    from transformers import AutoModel, CamembertConfig

    config = CamembertConfig(vocab_size=700, **SMALL)
    mlm = BertMaskedLM(config, **{**SETTINGS, "max_epochs": 1}).fit(TEXTS)
    mlm.save(tmp_path / "mlm")
    embeddings = AutoModel.from_pretrained(tmp_path / "mlm").get_input_embeddings().weight
    assert torch.equal(embeddings, mlm.model_.get_input_embeddings().weight)
    assert BertEmbedder(str(tmp_path / "mlm")).fit_transform(["cat"]).shape == (1, 32)


def test_pairs_as_wide_as_the_model(documents):
    config = BertConfig(vocab_size=300, **SMALL)
    mlm = BertMaskedLM(config, next_sentence=True, **{**SETTINGS, "max_epochs": 1}).fit(documents)
    pair = ("the red cat " * 5, "the red dog " * 5)
    assert len(mlm.tokenizer_(*pair)["input_ids"]) == 33  # 40 with padding
    for n in range(1, 7):
        assert mlm.next_sentence_proba([("red " * n, "cat " * 20)]).shape == (1,)


def test_what_a_fit_without_training_or_scores_need(tiny_bert_with_head):
    untrained = BertMaskedLM(
        tiny_bert_with_head, **{**SETTINGS, "max_epochs": 0}, early_stopping=True
    ).fit(TEXTS)
    assert untrained.n_iter_ == 0
    for top_k in (0, -1, 10_000, 2.0):
        with pytest.raises(ValueError, match="top_k must be a whole number from 1 to"):
            untrained.fill_mask(["[MASK]"], top_k=top_k)
    for weights, message in (([-1.0, 1.0], "Negative"), ([0, 0], "non-zero"), ([1], "shape")):
        with pytest.raises(ValueError, match=message):
            untrained.score(TEXTS[:2], sample_weight=weights)
    scores = untrained.score_samples(["ψψ ωω", "cat"])
    assert (scores < 0).all()
    with pytest.raises(ValueError, match="X must hold texts with blanks, but it holds documents"):
        untrained.predict([["a [MASK]", "b"]])
    frame = pd.DataFrame({"text": TEXTS})
    named = BertMaskedLM(tiny_bert_with_head, **{**SETTINGS, "max_epochs": 0}).fit(frame)
    with pytest.raises(ValueError, match="feature names"):
        named.predict(pd.DataFrame({"other": ["[MASK]"]}))
    with pytest.raises(ValueError, match="X must hold words to learn a vocabulary from"):
        BertMaskedLM(BertConfig(vocab_size=300, **SMALL), **SETTINGS).fit(["", ""])


def test_marks_in_texts_are_no_words():
    config = BertConfig(vocab_size=300, **SMALL)
    texts = [f"{text} [MASK] [SEP]" for text in TEXTS]
    mlm = BertMaskedLM(config, **{**SETTINGS, "max_epochs": 1}).fit(texts)
    assert not {"[", "]", "mask", "sep"} & set(mlm.tokenizer_.get_vocab())


def test_heads_of_other_families():
    from transformers import DebertaV2Config, DistilBertConfig, MobileBertConfig

    distil = DistilBertConfig(vocab_size=300, dim=32, n_layers=1, n_heads=2, hidden_dim=64)
    sizes = {"hidden_size": 32, "embedding_size": 16, "intra_bottleneck_size": 32}
    layers = {"num_hidden_layers": 1, "intermediate_size": 32, "num_attention_heads": 2}
    mobile = MobileBertConfig(vocab_size=300, **sizes, **layers)
    for config in (distil, mobile):
        mlm = BertMaskedLM(config, **{**SETTINGS, "max_epochs": 1}).fit(TEXTS)
        assert mlm.predict(["the [MASK] cat"])[0].endswith(" cat")
    deberta = DebertaV2Config(vocab_size=300, **SMALL)
    with pytest.raises(ValueError, match="needs a model with a head for it, such as BERT's"):
        BertMaskedLM(deberta, next_sentence=True, **SETTINGS).fit([["a", "b"], ["c", "d"]])
