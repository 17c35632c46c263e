"""``GptGenerator``: a language model with fit and predict."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ANIMALS, COLOURS
from scipy.special import log_softmax
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig

from sktransformers import GptGenerator, load
from sktransformers.exceptions import TruncationWarning
from sktransformers.pretrained import load_tokenizer

SETTINGS = {
    "learning_rate": 1e-2,
    "max_epochs": 60,
    "batch_size": 16,
    "precision": "float32",
    "device": "cpu",
    "random_state": 0,
    "max_new_tokens": 12,
}
PAIRS = [(f"the {animal} is", f" {colour}.") for animal, colour in zip(ANIMALS, COLOURS)]
PROMPTS, COMPLETIONS = (list(column) for column in zip(*PAIRS * 8))


def gpt2(**params):
    settings = {"vocab_size": 400, "n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}
    still = dict.fromkeys(["embd_pdrop", "attn_pdrop", "resid_pdrop"], 0.0)
    return GPT2Config(**{**settings, **still, "bos_token_id": 0, "eos_token_id": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return GptGenerator(gpt2(), **SETTINGS).fit(PROMPTS, COMPLETIONS)


@pytest.fixture
def loaded(tiny_gpt2):
    """Make a generator of random weights, as they are."""
    settings = {**SETTINGS, "max_epochs": 0}
    return lambda folder=tiny_gpt2, **params: GptGenerator(folder, **{**settings, **params}).fit(
        ["x"]
    )


def test_prompts_and_completions_are_learnt(fitted):
    found = fitted.predict(["the cat is", "the pig is"])
    assert found.dtype == object
    assert found.tolist() == [" red.", " purple."]
    frame = pd.DataFrame({"prompt": PROMPTS[:10]})
    assert fitted.predict(frame).tolist() == COMPLETIONS[:10]
    scores = fitted.score_samples(["the cat is"] * 2, [" red.", " blue."])
    assert scores[0] > -0.5 > scores[1]
    assert fitted.score(PROMPTS, COMPLETIONS) > -0.5


def test_only_completions_are_learnt():
    # The prompts are noise: nothing is to be learnt of them, and what follows is the same.
    rng = np.random.RandomState(0)
    noise = ["".join(rng.choice([*"abcdefghijkl"], 12)) for _ in range(64)]
    gen = GptGenerator(gpt2(), **SETTINGS).fit(noise, [" end"] * 64)
    assert gen.history_["train_loss"].iloc[-1] < 0.3
    both = GptGenerator(gpt2(), **SETTINGS).fit([f"{text} end" for text in noise])
    assert both.history_["train_loss"].iloc[-1] > 1
    assert gen.predict(["abcabcabcabc"]).tolist() == [" end"]


def greedy(folder, prompt, n, **params):
    """Completion by transformers' own generate, token ids."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([load_tokenizer(folder)(prompt)["input_ids"]])
    end = model.config.eos_token_id
    found = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, do_sample=False,
        pad_token_id=end, **params,
    )[0, ids.shape[1] :].tolist()  # fmt: skip
    return found[: found.index(end)] if end in found else found


@pytest.mark.parametrize("penalty", [1.0, 1.5])
def test_greedy_is_transformers_own_token_for_token(loaded, tiny_gpt2, tiny_llama, penalty):
    rng = np.random.RandomState(0)
    words = [*ANIMALS, *COLOURS]
    prompts = [" ".join(rng.choice(words, rng.randint(1, 9))) for _ in range(30)]
    for folder in (tiny_gpt2, tiny_llama):
        gen = loaded(folder, repetition_penalty=penalty)
        told = {"skip_special_tokens": True}
        for prompt, found in zip(prompts, gen.predict(prompts)):
            ids = greedy(folder, prompt, 12, repetition_penalty=penalty)
            prompt_ids = gen.tokenizer_(prompt)["input_ids"]
            whole = gen.tokenizer_.decode(prompt_ids + ids, **told)
            assert gen.tokenizer_.decode(prompt_ids, **told) + found == whole


def test_rows_do_not_depend_on_each_other(loaded):
    prompts = ["red cat", "dog", "a", "red cat", "blue hen and pig", ""] * 3
    for params in ({}, {"temperature": 1.0}, {"temperature": 0.7, "top_k": 5, "top_p": 0.9}):
        gen = loaded(**params)
        together = gen.predict(prompts)
        assert gen.predict(prompts).tolist() == together.tolist()
        assert gen.predict(prompts[4:6]).tolist() == together[4:6].tolist()
        assert gen.predict([prompts[0]] * 2)[1] == together[3]  # the second time of this prompt
        if params:
            assert together[0] != together[3]
            assert loaded(random_state=1, **params).predict(prompts).tolist() != together.tolist()
        else:
            assert together[0] == together[3]


def test_stops_and_streams(loaded):
    fitted = loaded()
    whole = fitted.predict(["red cat"])[0]
    assert len(whole) > 4
    stop = whole[2:4]
    stopped = loaded(stop=["never", stop])
    assert stopped.predict(["red cat"])[0] == whole[: whole.index(stop)]
    for gen in (fitted, stopped, loaded(temperature=1.0)):
        for prompt in ("red cat", "", "dog"):
            pieces = list(gen.stream(prompt))
            assert "".join(pieces) == gen.predict([prompt])[0]
    assert len(list(fitted.stream("red cat"))) > 1


def test_streams_give_whole_characters():
    gen = GptGenerator(gpt2(), **{**SETTINGS, "max_epochs": 60})
    gen.fit(["say"] * 32, [" café 北京 👍"] * 32)
    pieces = list(gen.set_params(max_new_tokens=40).stream("say"))
    assert "".join(pieces) == " café 北京 👍"
    assert "\ufffd" not in "".join(pieces)


@pytest.mark.parametrize("model", ["tiny_gpt2", "tiny_llama"])
def test_scores_are_mean_log_likelihoods(request, loaded, model):
    folder = request.getfixturevalue(model)
    gen = loaded(folder)
    texts = ["red cat and dog", "pig", ""]
    scores = gen.score_samples(texts)
    total, count, chars = 0.0, 0, 0
    for text, score in zip(texts, scores):
        ids = gen.tokenizer_(text)["input_ids"]
        if len(ids) < 2:
            assert score == 0
            continue
        with torch.no_grad():
            logits = gen.model_(input_ids=torch.tensor([ids])).logits[0]
        logs = log_softmax(logits.double().numpy(), axis=1)
        own = [logs[i, ids[i + 1]] for i in range(len(ids) - 1)]
        assert score == pytest.approx(np.mean(own), abs=1e-6)
        total, count = total + sum(own), count + len(own)
        # The first token has nothing before it: its characters are not predicted.
        chars += len(text) - len(gen.tokenizer_.decode(ids[:1], skip_special_tokens=True))
    assert gen.score(texts) == pytest.approx(total / count, abs=1e-6)
    assert gen.perplexity(texts) == pytest.approx(np.exp(-total / count), rel=1e-6)
    assert gen.perplexity(texts, per="character") == pytest.approx(np.exp(-total / chars), rel=1e-6)
    np.testing.assert_array_equal(gen.score_samples(texts[::-1]), scores[::-1])
    np.testing.assert_array_equal(gen.score_samples(texts[:1]), scores[:1])
    with pytest.raises(ValueError, match="per must be 'token' or 'character'"):
        gen.perplexity(texts, per="word")


def test_long_texts_slide_with_half_a_block(loaded):
    gen = loaded(max_length=16)
    text = " ".join(ANIMALS * 4)
    ids = gen.tokenizer_(text)["input_ids"]
    assert len(ids) > 32
    total, done = 0.0, 1
    for stop in [16, *range(24, len(ids), 8), len(ids)]:
        start = stop - 16
        with torch.no_grad():
            logits = gen.model_(input_ids=torch.tensor([ids[start:stop]])).logits[0]
        logs = log_softmax(logits.double().numpy(), axis=1)
        total += sum(logs[i - start - 1, ids[i]] for i in range(done, stop))
        done = stop
    assert gen.score_samples([text])[0] == pytest.approx(total / (len(ids) - 1), abs=1e-6)


def test_running_text_is_learnt_to_its_end():
    text = " ".join(f"{a} {c}" for a, c in zip(ANIMALS * 6, COLOURS * 6))
    gen = GptGenerator(gpt2(n_positions=32), **{**SETTINGS, "max_epochs": 60}).fit([text] * 4)
    assert gen.perplexity([text]) < 1.5
    tokens = gen.history_["tokens_per_second"] * gen.history_["seconds"]
    n = len(gen.tokenizer_(text)["input_ids"]) + 1  # the end mark
    np.testing.assert_allclose(tokens, 4 * n)
    assert gen.predict(["cat red dog"])[0].startswith(" green horse blue")


def test_sample():
    settings = {**SETTINGS, "max_epochs": 100, "batch_size": 2}
    gen = GptGenerator(gpt2(), **settings).fit(["red cat", "blue dog"] * 40)
    found = gen.sample(200, random_state=0)
    assert found.shape == (200,)
    counts = pd.Series(found).value_counts()
    assert counts[["red cat", "blue dog"]].sum() > 150
    assert counts["red cat"] > 40 < counts["blue dog"]
    assert gen.sample(200, random_state=0).tolist() == found.tolist()
    assert gen.sample(5, random_state=1).tolist() != found[:5].tolist()
    np.random.seed(3)
    one = gen.sample(5).tolist()
    np.random.seed(3)
    assert gen.sample(5).tolist() == one


def test_long_prompts_lose_their_beginnings(loaded):
    gen = loaded(max_length=24, max_new_tokens=8)
    text = " ".join(ANIMALS * 4)
    with pytest.warns(TruncationWarning, match="1 of 2 texts .50.0%. leave no room in max_len"):
        found = gen.predict([text, "cat"])
    ids = gen.tokenizer_(text)["input_ids"][-16:]
    with pytest.warns(TruncationWarning):
        assert gen.predict(["dog " + text])[0] == found[0]
    out = gen.model_.generate(
        torch.tensor([ids]), attention_mask=torch.ones(1, 16), max_new_tokens=8, do_sample=False,
        pad_token_id=0,
    )  # fmt: skip
    assert gen.tokenizer_.decode(out[0], skip_special_tokens=True).endswith(found[0])
    with pytest.warns(TruncationWarning, match="leave no room"):
        GptGenerator(gpt2(n_positions=16), **{**SETTINGS, "max_epochs": 1}).fit([text], [" red"])


def test_messages(loaded, tiny_gpt2, tmp_path):
    chat = [{"role": "user", "content": "red"}, {"role": "assistant", "content": "cat"},
            {"role": "user", "content": "blue"}]  # fmt: skip
    with pytest.raises(ValueError, match="tokenizer has no chat template"):
        loaded().predict([chat])
    AutoModelForCausalLM.from_pretrained(tiny_gpt2).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tiny_gpt2)
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    tokenizer.save_pretrained(tmp_path)
    gen = loaded(str(tmp_path))
    told = "user: red\nassistant: cat\nuser: blue\nassistant:"
    assert gen.predict([chat]).tolist() == gen.predict([told]).tolist()
    trained = GptGenerator(str(tmp_path), **SETTINGS).fit([chat] * 16, [" dog"] * 16)
    assert trained.predict([chat]).tolist() == [" dog"]
    with pytest.raises(ValueError, match="y must hold completions where X holds messages"):
        GptGenerator(str(tmp_path), **SETTINGS).fit([chat] * 16)
    with pytest.raises(ValueError, match="row 1 is"):
        gen.predict([chat, [{"role": "user"}]])


def test_saved_folders_are_transformers_own(fitted, tmp_path):
    fitted.save(tmp_path / "gen")
    again = load(tmp_path / "gen")
    assert again.predict(PROMPTS[:10]).tolist() == fitted.predict(PROMPTS[:10]).tolist()
    np.testing.assert_array_equal(again.score_samples(PROMPTS), fitted.score_samples(PROMPTS))
    files = {path.name for path in (tmp_path / "gen").iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= files
    end = json.loads((tmp_path / "gen" / "config.json").read_text())["eos_token_id"]
    assert end == fitted.tokenizer_.eos_token_id
    ids = greedy(str(tmp_path / "gen"), "the cat is", 12)
    assert fitted.tokenizer_.decode(ids) == " red."


def test_in_search_and_pipeline():
    upper = FunctionTransformer(lambda rows: [row.lower() for row in rows])
    pipe = make_pipeline(upper, GptGenerator(gpt2(), **SETTINGS))
    pipe.fit([p.upper() for p in PROMPTS], COMPLETIONS)
    assert pipe.predict(["THE CAT IS"]).tolist() == [" red."]
    grid = {"learning_rate": [1e-2, 1e-9]}
    search = GridSearchCV(GptGenerator(gpt2(), **{**SETTINGS, "max_epochs": 5}), grid, cv=2)
    assert search.fit(PROMPTS, COMPLETIONS).best_params_ == {"learning_rate": 1e-2}
    assert search.fit(PROMPTS).best_params_ == {"learning_rate": 1e-2}


def test_validation_weights_and_freeze(tiny_gpt2):
    settings = {**SETTINGS, "max_epochs": 3}
    stopped = GptGenerator(tiny_gpt2, early_stopping=True, **settings).fit(PROMPTS, COMPLETIONS)
    assert stopped.best_score_ == stopped.history_["valid_score"].max()
    held = {"X_val": PROMPTS[:10], "y_val": COMPLETIONS[:10]}
    plain = GptGenerator(tiny_gpt2, freeze=1, **settings).fit(PROMPTS, COMPLETIONS, **held)
    np.testing.assert_allclose(
        plain.history_["valid_score"], -plain.history_["valid_loss"], rtol=0.2
    )
    start = AutoModelForCausalLM.from_pretrained(tiny_gpt2).state_dict()
    now = plain.model_.state_dict()
    assert torch.equal(now["transformer.wte.weight"], start["transformer.wte.weight"])
    for layer, stays in ((0, True), (1, False)):
        name = f"transformer.h.{layer}.attn.c_attn.weight"
        assert torch.equal(now[name], start[name]) == stays
    wrong = [" no"] * len(PROMPTS)
    weights = np.r_[np.ones(len(PROMPTS)), np.full(len(PROMPTS), 1e-9)]
    gen = GptGenerator(gpt2(), **{**SETTINGS, "max_epochs": 100})
    gen.fit(PROMPTS * 2, COMPLETIONS + wrong, sample_weight=weights)
    assert gen.predict(PROMPTS[:10]).tolist() == COMPLETIONS[:10]
    gen.fit(PROMPTS * 2, COMPLETIONS + wrong, sample_weight=weights[::-1])
    assert set(gen.predict(PROMPTS[:10])) == {" no"}


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ("red", None, "a bare 'red'"),
        ([], None, "0 rows"),
        ([None], None, "row 0 is None"),
        (["a", 3], None, "row 1 is 3"),
        (["a", "b"], ["c"], "X has 2 and y has 1"),
        (["a", "b"], ["c", None], "y must hold texts, but row 1 is None"),
    ],
)
def test_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        GptGenerator(gpt2(), **SETTINGS).fit(X, y)


def test_encoders_are_refused_by_name(tiny_bert):
    with pytest.raises(ValueError, match="must be a decoder such as GPT-2 or Llama, but a 'bert'"):
        GptGenerator(tiny_bert, **SETTINGS).fit(["x"])
    for name, value in (("temperature", -1), ("top_p", 0), ("top_k", 0), ("max_new_tokens", 0)):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of GptGenerator"):
            GptGenerator(gpt2(), **{**SETTINGS, name: value}).fit(["x"])


def test_llama_from_nothing():
    config = LlamaConfig(
        vocab_size=400, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
    )  # fmt: skip
    gen = GptGenerator(config, **SETTINGS).fit(PROMPTS, COMPLETIONS)
    assert gen.predict(["the cat is", "the pig is"]).tolist() == [" red.", " purple."]


@pytest.mark.slow
def test_stories(data_folder):
    folder = str(data_folder / "stories260K")
    settings = {**SETTINGS, "max_epochs": 0, "max_new_tokens": 60}
    gen = GptGenerator(folder, **settings).fit(["x"])
    rng = np.random.RandomState(0)
    start = "Once upon a time there was a little girl who liked to play".split()  # noqa: SIM905
    prompts = ["Once upon a time"]
    prompts += [" ".join(start[: rng.randint(1, len(start))]) for _ in range(63)]
    found = gen.predict(prompts)
    for prompt, completion in zip(prompts, found):
        ids = gen.tokenizer_(prompt)["input_ids"]
        whole = gen.tokenizer_.decode(ids + greedy(folder, prompt, 60), skip_special_tokens=True)
        assert prompt + completion == whole
    assert gen.predict(["Once upon a time"])[0] == found[0]
    assert ", there was a" in found[0]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_no_text_of_a_block_sees_another_whatever_the_attention(attention):
    rng = np.random.RandomState(0)
    texts = ["".join(rng.choice([*"abcdefgh"], 12)) for _ in range(60)]
    config = gpt2(attn_implementation=attention)
    gen = GptGenerator(config, **{**SETTINGS, "max_epochs": 8}).fit(texts)
    # The loss in shared blocks is that of the texts alone.
    learnt = gen.set_params(max_epochs=1, learning_rate=1e-12, warm_start=True).fit(texts)
    assert learnt.history_["train_loss"].iloc[0] == pytest.approx(-gen.score(texts), abs=0.2)


def test_a_window_shorter_than_a_block_keeps_texts_apart():
    from transformers import MistralConfig

    config = MistralConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        sliding_window=8,
    )
    gen = GptGenerator(config, **{**SETTINGS, "max_epochs": 1}).fit(PROMPTS)
    blocks = gen._writing.blocks(gen._validate_text(PROMPTS), training=True)
    assert len(blocks.examples) == len(PROMPTS)


def test_what_is_learnt_from_texts_is_how_prompts_go_on():
    texts = ["one two three four", "red green blue black", "cat dog cow pig"] * 8
    gen = GptGenerator(gpt2(), **{**SETTINGS, "max_new_tokens": 30}).fit(texts)
    assert gen.tokenizer_("one")["input_ids"][0] == gen.tokenizer_.bos_token_id
    found = gen.predict(["one", "cat"]).tolist()
    assert found == [" two three four", " dog cow pig"]
    drawn = gen.sample(20, random_state=0)
    assert np.isin(drawn, texts).mean() > 0.7


def test_perplexity_leaves_out_characters_that_are_not_predicted(loaded):
    gen = loaded()
    text = "the cat is red"
    first = gen.tokenizer_.decode(gen.tokenizer_(text)["input_ids"][:1])
    sums, counts, characters = gen._likelihoods([text], None)
    assert counts[0] == len(gen.tokenizer_(text)["input_ids"]) - 1
    assert characters[0] == len(text) - len(first)
    assert gen.perplexity([text], per="character") == pytest.approx(
        np.exp(-sums[0] / characters[0])
    )


def test_completions_come_back_as_they_were_taught(data_folder):
    folder = str(data_folder / "stories260K")
    prompts = ["Lily has a", "Tom has a"] * 8
    for cat, dog in (("cat", "dog"), (" cat", " dog")):
        gen = GptGenerator(folder, **{**SETTINGS, "max_epochs": 15, "learning_rate": 3e-3})
        gen.fit(prompts, [cat, dog] * 8)
        assert gen.predict(prompts[:2]).tolist() == [cat, dog]


def test_end_marks_of_the_generation_config_count_and_are_kept(tiny_gpt2, loaded, tmp_path):
    import shutil

    from transformers import GenerationConfig

    folder = shutil.copytree(tiny_gpt2, tmp_path / "m")
    plain = loaded(str(folder))
    first = plain.tokenizer_(plain.predict(["the cat"])[0])["input_ids"][0]
    GenerationConfig(eos_token_id=[0, first]).save_pretrained(folder)
    ended = loaded(str(folder))
    assert ended.predict(["the cat"]).tolist() == [""]
    ended.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert again.predict(["the cat"]).tolist() == [""]
    again.save(tmp_path / "twice")
    kept = json.loads((tmp_path / "twice" / "generation_config.json").read_text())
    assert kept["eos_token_id"] == [0, first]


def test_a_stop_may_be_a_special_token():
    config = gpt2(vocab_size=300)
    gen = GptGenerator(config, **SETTINGS).fit(["a b c"] * 8)
    gen.tokenizer_.add_special_tokens({"additional_special_tokens": ["<end>"]})
    gen.set_params(stop="<end>")
    assert gen.tokenizer_.convert_tokens_to_ids("<end>") in gen._writing.ends


@pytest.mark.parametrize("temperature", [1e-300, 1e-308, 5e-324])
def test_the_smallest_temperatures_are_greedy(fitted, temperature):
    expected = fitted.predict(PROMPTS[:4])
    fitted.set_params(temperature=temperature)
    found = fitted.predict(PROMPTS[:4])
    fitted.set_params(temperature=0.0)
    assert found.tolist() == expected.tolist()


def test_the_seed_counts_when_it_is_set(loaded):
    gen = loaded(temperature=2.0)
    first = gen.predict(["the"] * 4).tolist()
    other = gen.set_params(random_state=123).predict(["the"] * 4).tolist()
    assert other != first
    assert gen.set_params(random_state=SETTINGS["random_state"]).predict(["the"] * 4).tolist() == (
        first
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_length": 1}, "max_length must leave room for a token and the next one"),
        ({"freeze": "backbone", "max_epochs": 1}, "leaves nothing to train"),
        ({"stop": [""], "max_epochs": 0}, "stop must hold texts of at least one character"),
        ({"stop": [5], "max_epochs": 0}, "stop must hold texts .* holds 5"),
        ({"stop": [None], "max_epochs": 0}, "stop must hold texts .* holds None"),
    ],
)
def test_what_cannot_be_is_told(tiny_gpt2, params, message):
    gen = GptGenerator(tiny_gpt2, **{**SETTINGS, **params})
    with pytest.raises(ValueError, match=message):
        gen.fit(PROMPTS).predict(["a"])


@pytest.mark.parametrize(("n_samples", "error"), [(0, ValueError), (2.0, TypeError)])
def test_the_number_of_samples(fitted, n_samples, error):
    with pytest.raises(error, match="n_samples"):
        fitted.sample(n_samples)


def test_validation_rows_are_of_the_same_kind(tiny_gpt2):
    gen = GptGenerator(tiny_gpt2, **{**SETTINGS, "max_epochs": 1})
    with pytest.raises(ValueError, match="y_val must hold completions where y does.*only y came"):
        gen.fit(PROMPTS, COMPLETIONS, X_val=PROMPTS)
    with pytest.raises(ValueError, match="only y_val came"):
        gen.fit(PROMPTS, X_val=PROMPTS, y_val=COMPLETIONS)


def test_a_stream_is_refused_before_it_is_read():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        GptGenerator(gpt2()).stream("the cat")
