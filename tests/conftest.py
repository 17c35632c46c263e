"""Small real parts: random models a few kilobytes large, and a real tokenizer for each of them.

Thread counts are set here, before torch is imported: on a busy machine the default ones stall.
"""

import os

os.environ.update(
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    RAYON_NUM_THREADS="1",
    TOKENIZERS_PARALLELISM="false",
    SCIPY_ARRAY_API="1",  # or scikit-learn skips one of its checks
)

import signal
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

torch.set_num_threads(1)

ANIMALS = ["cat", "dog", "horse", "cow", "sheep", "goat", "hen", "duck", "goose", "pig"]
COLOURS = ["red", "green", "blue", "black", "white", "yellow", "brown", "pink", "grey", "purple"]


def pytest_configure():
    """Take Ctrl-C also as a job in a shell's background, which ignores it: some tests send it.

    Worker processes of joblib do not end by themselves between two tests: a search that began just
    then has waited for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    joblib.parallel_config("loky", idle_worker_timeout=3600)


def make_texts(n_rows=64, seed=0):
    """Texts of 3 to 9 words with their labels: which group has more words in the text."""
    rng = np.random.RandomState(seed)
    texts, labels = [], []
    for _ in range(n_rows):
        about = rng.randint(2)
        n = 2 * rng.randint(1, 5) + 1
        most, few = (ANIMALS, COLOURS) if about else (COLOURS, ANIMALS)
        words = [*rng.choice(most, n - n // 3), *rng.choice(few, n // 3)]
        texts.append(" ".join(rng.permutation(words)))
        labels.append("animals" if about else "colours")
    return texts, labels


def save_tiny(config, folder, auto_class="AutoModel"):
    """Write a random model of this configuration, with a tokenizer learnt on the words above."""
    import transformers

    from sktransformers.vocabulary import learn_tokenizer

    texts, _ = make_texts(500)
    tokenizer, config = learn_tokenizer(config, texts)
    torch.manual_seed(0)
    getattr(transformers, auto_class).from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 66,
}


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """Folder of a two-layer BERT with random weights."""
    from transformers import BertConfig

    return save_tiny(BertConfig(vocab_size=300, **SMALL), tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def tiny_bert_with_head(tmp_path_factory):
    """Folder of a BERT with random weights and a head for hidden words."""
    from transformers import BertConfig

    folder = tmp_path_factory.mktemp("bert_with_head")
    return save_tiny(BertConfig(vocab_size=300, **SMALL), folder, "AutoModelForMaskedLM")


@pytest.fixture(scope="session")
def tiny_roberta(tmp_path_factory):
    """Folder of a RoBERTa: byte-level BPE, no token types, positions behind the padding id."""
    from transformers import RobertaConfig

    config = RobertaConfig(vocab_size=400, type_vocab_size=1, **SMALL)
    return save_tiny(config, tmp_path_factory.mktemp("roberta"))


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory):
    """Folder of a GPT-2 with tied weights, no padding token and no BOS before its texts."""
    from transformers import GPT2Config

    from sktransformers.pretrained import load_tokenizer

    config = GPT2Config(vocab_size=400, n_embd=32, n_layer=2, n_head=2, n_positions=64)
    folder = save_tiny(config, tmp_path_factory.mktemp("gpt2"), "AutoModelForCausalLM")
    tokenizer = load_tokenizer(folder)
    tokenizer.add_bos_token = False
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory):
    """Folder of a Llama-like decoder: rotary positions, shared keys, a BOS before every text."""
    from tokenizers import processors
    from transformers import LlamaConfig

    config = LlamaConfig(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
    )
    folder = save_tiny(config, tmp_path_factory.mktemp("llama"), "AutoModelForCausalLM")
    from sktransformers.pretrained import load_tokenizer

    tokenizer = load_tokenizer(folder)
    bos = (tokenizer.bos_token, tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos[0]} $A", special_tokens=[bos]
    )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def data_folder():
    """The folder of public data sets, where there is one."""
    if "SKT_DATA" not in os.environ:
        pytest.skip("SKT_DATA names no folder with the public data sets")
    return Path(os.environ["SKT_DATA"])


@pytest.fixture(scope="session")
def texts_and_labels():
    """64 texts and their labels."""
    return make_texts()


@pytest.fixture
def make_classifier(tiny_bert):
    """Make a small and quick BertClassifier, other parameters as given."""
    from sktransformers import BertClassifier

    settings = {
        "max_epochs": 12,
        "learning_rate": 2e-3,
        "batch_size": 16,
        "precision": "float32",
        "device": "cpu",
        "random_state": 0,
    }
    return lambda **params: BertClassifier(tiny_bert, **{**settings, **params})
