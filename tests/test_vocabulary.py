import subprocess
import sys

import pytest
from conftest import make_texts
from transformers import BertConfig, DistilBertConfig, RobertaConfig

from sktransformers.vocabulary import learn_tokenizer

TEXTS, _ = make_texts(200)


@pytest.mark.parametrize(
    ("config", "pieces"),
    [(BertConfig, ["red", "cat"]), (DistilBertConfig, ["red", "cat"])],
)
def test_word_pieces_are_learnt(config, pieces):
    config = config(vocab_size=300)
    tokenizer, sized = learn_tokenizer(config, TEXTS)
    assert tokenizer.tokenize("Red CAT") == pieces
    assert sized.vocab_size == len(tokenizer) < 300
    assert sized.pad_token_id == tokenizer.pad_token_id
    assert config.vocab_size == 300  # the caller's own is not touched


def test_learning_twice_gives_the_same_vocabulary():
    config = BertConfig(vocab_size=120)
    vocabularies = [learn_tokenizer(config, TEXTS)[0].get_vocab() for _ in range(3)]
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]


def test_a_vocabulary_too_small_is_refused():
    with pytest.raises(ValueError, match="must be more than twice the alphabet, which has"):
        learn_tokenizer(BertConfig(vocab_size=8), TEXTS)


def test_a_family_without_a_tokenizer_to_learn():
    from transformers import ModernBertConfig

    with pytest.raises(ValueError, match=r"ModernBertConfig\(\.\.\.\) must be of a family"):
        learn_tokenizer(ModernBertConfig(), TEXTS)


@pytest.mark.slow
def test_every_process_learns_the_same():
    code = (
        "from transformers import BertConfig; from sktransformers.datasets import load_docstrings;"
        "from sktransformers.vocabulary import learn_tokenizer;"
        "texts = load_docstrings(['numpy'])['text'].tolist();"
        "print(learn_tokenizer(BertConfig(vocab_size=2000), texts)[0].get_vocab())"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True) for _ in range(2)]
    vocabularies = [eval(run.stdout) for run in runs]
    assert len(vocabularies[0]) == 2000
    assert vocabularies[0] == vocabularies[1]
    assert "array" in vocabularies[0]


def test_byte_level_pieces_for_roberta_write_anything():
    tokenizer, _ = learn_tokenizer(RobertaConfig(vocab_size=400), TEXTS)
    assert tokenizer.decode(tokenizer("Zebra \u4e2d")["input_ids"], skip_special_tokens=True) == (
        "Zebra \u4e2d"
    )


def test_unseen_words_are_written_in_pieces():
    tokenizer, _ = learn_tokenizer(BertConfig(vocab_size=300), TEXTS)
    assert "".join(p.removeprefix("##") for p in tokenizer.tokenize("catdog")) == "catdog"
    assert tokenizer.tokenize("\u4e2d") == ["[UNK]"]
