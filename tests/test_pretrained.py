import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_texts
from transformers import GPT2Config, T5Config
from transformers.utils import logging

from sktransformers import pretrained
from sktransformers.data.texts import Texts
from sktransformers.exceptions import ModelNotFoundError
from sktransformers.tasks.classification import Classification

TEXTS, LABELS = make_texts(200)
TASK = Classification(np.array(["a", "b"], dtype=object))


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


def test_a_folder_without_a_vocabulary_is_refused(tiny_bert, tmp_path):
    for name in ("config.json", "model.safetensors"):
        shutil.copy(Path(tiny_bert) / name, tmp_path)
    with pytest.raises(ModelNotFoundError, match="must hold a tokenizer's files"):
        pretrained.start(tmp_path, "encoder", TASK, Texts(TEXTS))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", b"{", "transformers itself can build"),
        ("model.safetensors", b"short", "weights, but they cannot be read"),
        ("model.safetensors", None, "weights, but they cannot be read"),
    ],
)
def test_broken_folders_are_told_in_a_sentence(tiny_bert, tmp_path, name, content, message):
    folder = shutil.copytree(tiny_bert, tmp_path / "copy")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises((ValueError, OSError), match=message):
        pretrained.start(folder, "encoder", TASK, Texts(TEXTS))


def test_a_configurations_class_is_no_configuration():
    with pytest.raises(TypeError, match=r"the class GPT2Config came. Pass GPT2Config\(\.\.\.\)"):
        pretrained.start(GPT2Config, "encoder", TASK, Texts(TEXTS))


def test_quiet_is_for_all_threads_and_then_over():
    import threading

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    inside, leave = threading.Event(), threading.Event()

    def work():
        with pretrained.quiet():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=work)
    with pretrained.quiet():
        thread.start()
        inside.wait()
    assert not logging.is_progress_bar_enabled()
    leave.set()
    thread.join()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
