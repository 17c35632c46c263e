import numpy as np
import pytest
import torch
import transformers
from torch import nn

from sktransformers.engine.device import (
    autocast,
    choose_device,
    choose_precision,
    moved,
    prepare,
)
from sktransformers.output_layer import FullPrecisionLinear, SteadyLinear, only_at, output_layer


def test_batches_are_moved_as_they_are():
    batch = {"ids": torch.ones(2, 3, dtype=torch.long)}, ({"words": torch.zeros(4)}, torch.ones(2))
    inputs, (labels, weights) = moved(batch, "meta")
    assert (inputs["ids"].shape, inputs["ids"].dtype) == ((2, 3), torch.long)
    assert {inputs["ids"].device, labels["words"].device, weights.device} == {torch.device("meta")}
    assert moved(batch, "cpu")[0]["ids"] is batch[0]["ids"]


def test_the_device_is_the_first_that_is_there(monkeypatch):
    assert choose_device("cpu") == "cpu"
    for name in ("cuda", "xpu", "mps"):
        monkeypatch.setattr(getattr(torch, name), "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    monkeypatch.setattr(torch.mps, "is_available", lambda: True)
    assert choose_device("auto") == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"


@pytest.mark.parametrize("name", ["tpu-7", "cuda:99"])
def test_a_device_that_is_not_here_is_refused(name):
    with pytest.raises(ValueError, match=f"device must be 'auto' or .* device='{name}' came"):
        choose_device(name)


def test_bfloat16_is_taken_only_where_the_processor_has_it(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert choose_precision("auto", "cpu") == "bfloat16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert choose_precision("auto", "cpu") == "float32"
    assert choose_precision("float16", "cpu") == "float16"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    assert choose_precision("auto", "cuda") == "float32"
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    assert choose_precision("auto", "cuda") == "bfloat16"


def test_the_last_layer_keeps_its_precision_under_autocast(tiny_bert):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert).eval()
    names = list(model.state_dict())
    prepare(model, "bfloat16", "cpu")
    assert type(model.classifier) is FullPrecisionLinear
    assert list(model.state_dict()) == names
    ids = torch.randint(5, 40, (500, 8))
    with torch.inference_mode(), autocast("bfloat16", "cpu"):
        logits = model(input_ids=ids).logits
    assert logits.dtype == torch.float32
    # In bfloat16 some 150 of 500 values would be distinct.
    assert len(np.unique(logits[:, 0].numpy())) > 450


def test_the_output_layer_is_found_in_other_heads(tiny_roberta):
    from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_roberta)
    assert output_layer(model) is model.classifier.out_proj
    model = AutoModelForMaskedLM.from_pretrained(tiny_roberta)
    assert output_layer(model) is model.lm_head.decoder


def test_float64_is_kept_throughout(tiny_bert):
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(tiny_bert).eval()
    prepare(model, "float64", "cpu")
    assert model(input_ids=torch.tensor([[2, 5, 3]])).logits.dtype == torch.float64


def test_outputs_at_some_places_are_those_of_the_whole(tiny_bert):
    from transformers import AutoModelForMaskedLM

    model = prepare(AutoModelForMaskedLM.from_pretrained(tiny_bert).eval(), "float32", "cpu")
    ids = torch.randint(5, 60, (9, 12))
    places = torch.rand(9, 12) < 0.5
    with torch.inference_mode():
        whole = model(input_ids=ids).logits
        with only_at(places):
            some = model(input_ids=ids).logits
        with only_at(places[:1]):
            alone = model(input_ids=ids[:1]).logits
        with only_at(torch.zeros(9, 12, dtype=torch.bool)):
            assert model(input_ids=ids).logits.shape == (0, whole.shape[-1])
        assert torch.equal(model(input_ids=ids).logits, whole)
    torch.testing.assert_close(some, whole[places])
    torch.testing.assert_close(alone, some[: len(alone)])


@pytest.mark.parametrize("kind", [FullPrecisionLinear, SteadyLinear])
@pytest.mark.parametrize("n_outputs", [1, 2, 3, 4, 9, 384])
@pytest.mark.parametrize("n_features", [32, 64, 96, 312, 384])
def test_a_rows_outputs_do_not_depend_on_its_place(n_features, n_outputs, kind):
    torch.manual_seed(0)
    layer = kind(n_features, n_outputs, bias=n_outputs != 3)
    for n_rows in range(1, 65):
        rows = torch.randn(n_features).expand(n_rows, n_features).contiguous()
        with torch.inference_mode():
            outputs = layer(rows)
        assert outputs.shape == (n_rows, n_outputs)
        assert (outputs == outputs[0]).all()
        torch.testing.assert_close(outputs, layer(rows))


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert", "Albert", "Electra"])
def test_what_is_pooled_of_texts_goes_through_steady_layers(family):
    name = "dim" if family == "DistilBert" else "hidden_size"
    heads = "n_heads" if family == "DistilBert" else "num_attention_heads"
    config = getattr(transformers, f"{family}Config")(vocab_size=50, **{name: 32, heads: 2})
    model = getattr(transformers, f"{family}ForSequenceClassification")(config).eval()
    prepare(model, "float32", "cpu")
    seen = []
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(lambda m, given: seen.append((type(m), given[0].ndim)))
    with torch.inference_mode():
        model(input_ids=torch.arange(24).reshape(3, 8))
    assert (FullPrecisionLinear, 2) in seen
    assert (nn.Linear, 3) in seen
    assert (nn.Linear, 2) not in seen
