"""Layers that work without padding give what they give with it."""

import copy

import pytest
import torch
import transformers
from conftest import SMALL
from torch.nn import functional
from transformers import AutoModel, AutoModelForSequenceClassification

from sktransformers.engine import attention, packing
from sktransformers.engine.embeddings import Recycled
from sktransformers.engine.lean import _Lean, lean
from sktransformers.engine.packing import Packing

LENGTHS = [3, 9, 1, 7, 9, 4]


def config_of(name, **more):
    settings = {**SMALL, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return getattr(transformers, name)(vocab_size=60, **settings, **more)


PACKED = [
    config_of("BertConfig"),
    config_of("RobertaConfig"),
    config_of("ElectraConfig", embedding_size=16),
    config_of("CamembertConfig"),
    transformers.DistilBertConfig(
        vocab_size=60,
        dim=32,
        n_layers=2,
        n_heads=2,
        hidden_dim=64,
        dropout=0,
        attention_dropout=0,
        seq_classif_dropout=0,
    ),
    transformers.GPT2Config(
        vocab_size=60, n_embd=32, n_layer=2, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
    ),
]
LEFT_ALONE = [
    config_of("AlbertConfig", embedding_size=16, classifier_dropout_prob=0),
    config_of("MPNetConfig"),
    config_of("DebertaV2Config", relative_attention=True, pos_att_type=["p2c", "c2p"]),
    config_of("ModernBertConfig", pad_token_id=0),
    transformers.LlamaConfig(
        vocab_size=60, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2,
    ),
]  # fmt: skip


def rows(lengths, at_the_end=True):
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(5, 60, mask.shape, generator=torch.Generator().manual_seed(1)) * mask
    return {"input_ids": ids, "attention_mask": mask if at_the_end else mask.flip(1)}


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(packing, "_can_be_packed", {})


@pytest.fixture
def packed(monkeypatch):
    """The number of tokens of each batch that was packed."""
    counts, own = [], Packing.unpack

    def unpack(self, states):
        counts.append(states.shape[1])
        return own(self, states)

    monkeypatch.setattr(Packing, "unpack", unpack)
    return counts


def states_and_gradients(model, inputs, cheap):
    model.zero_grad()
    with lean(model) if cheap else torch.enable_grad():
        found = model(**inputs)[0]
    if found.ndim == 3:
        found = found[inputs["attention_mask"] > 0]
    mixed = torch.randn(found.shape, generator=torch.Generator().manual_seed(2), dtype=found.dtype)
    (found * mixed).sum().backward()
    return found, [p.grad for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("head", [AutoModel, AutoModelForSequenceClassification])
@pytest.mark.parametrize("config", PACKED + LEFT_ALONE, ids=lambda c: c.model_type)
def test_the_same_outputs_and_gradients(config, head, packed):
    config.pad_token_id = 0
    torch.manual_seed(0)
    model = head.from_config(config).double().train()
    inputs = rows(LENGTHS)
    plain = states_and_gradients(model, inputs, cheap=False)
    found = states_and_gradients(model, inputs, cheap=True)
    torch.testing.assert_close(found, plain)
    assert (packed[-1:] == [sum(LENGTHS)]) == (config in PACKED)
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def small_bert():
    torch.manual_seed(0)
    return AutoModel.from_config(copy.deepcopy(PACKED[0])).double()


def test_only_padding_at_the_end_is_left_out(packed):
    model = small_bert()
    for inputs in (rows([5, 5]), rows(LENGTHS, at_the_end=False)):
        plain = states_and_gradients(model, inputs, cheap=False)
        torch.testing.assert_close(states_and_gradients(model, inputs, cheap=True), plain)
    hidden = rows(LENGTHS)
    hidden["attention_mask"][1, 2] = 0  # between tokens
    plain = states_and_gradients(model, hidden, cheap=False)
    torch.testing.assert_close(states_and_gradients(model, hidden, cheap=True), plain)
    assert packed == []


def test_states_of_all_layers_keep_their_shape(packed):
    model, inputs = small_bert(), rows(LENGTHS)
    plain = model(**inputs, output_hidden_states=True).hidden_states
    with lean(model):
        found = model(**inputs, output_hidden_states=True).hidden_states
    torch.testing.assert_close(found, plain)
    assert packed == []


@pytest.mark.parametrize("config", LEFT_ALONE, ids=lambda c: c.model_type)
def test_a_trial_is_not_passed_by_chance(config, packed):
    config.pad_token_id = 0
    torch.manual_seed(0)
    model = AutoModel.from_config(config).double()
    first = rows([9, 3, 12])  # positions of twelve tokens fit a padded row, and both rows packed
    for inputs in ({name: values[:2] for name, values in first.items()}, rows(LENGTHS)):
        plain = states_and_gradients(model, inputs, cheap=False)
        torch.testing.assert_close(states_and_gradients(model, inputs, cheap=True), plain)


@pytest.mark.parametrize("lengths", [[9, 3], [3, 3, 2], [5, 4, 4]])
def test_what_was_computed_before_changes_no_bit(lengths, packed):
    model, inputs = small_bert(), rows([*lengths, 12])
    some = {name: values[:-1] for name, values in inputs.items()}
    found = []
    for _ in range(2):  # before and after the trial
        with lean(model):
            found.append(model(**some).last_hidden_state)
        assert packed[-1] == sum(lengths)
    assert torch.equal(*found)


def test_layers_that_are_left_out_at_random(packed):
    torch.manual_seed(0)
    config = transformers.OPTConfig(
        vocab_size=60, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=2,
        layerdrop=0.5, word_embed_proj_dim=32, pad_token_id=0,
    )  # fmt: skip
    model = AutoModel.from_config(config).train()
    with lean(model):
        for _ in range(8):
            assert model(**rows(LENGTHS)).last_hidden_state.shape[:2] == (6, 9)
    assert packed == []


def test_gradient_checkpoints_compute_again_what_they_computed():
    model, inputs = small_bert().train(), rows(LENGTHS)
    plain = states_and_gradients(model, inputs, cheap=False)
    getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
    torch.testing.assert_close(states_and_gradients(model, inputs, cheap=True), plain)


def test_states_that_the_configuration_asks_for(packed):
    model = small_bert()
    model.config.output_hidden_states = True
    with lean(model):
        states = model(**rows(LENGTHS)).hidden_states
    assert {x.shape[:2] for x in states} == {(6, 9)}


def test_layers_of_strangers(packed):
    class Layer(torch.nn.Linear):
        def forward(self, x):
            assert x.shape[0] > 1  # known to transformers' own layers as hidden_states
            return super().forward(x)

    model = small_bert()
    model.encoder.layer = torch.nn.ModuleList([Layer(32, 32).double() for _ in range(2)])
    outputs = transformers.modeling_outputs.BaseModelOutputWithPastAndCrossAttentions
    model.encoder.forward = lambda states, **_: outputs(
        model.encoder.layer[1](x=model.encoder.layer[0](x=states))
    )
    for lengths in (LENGTHS, [5, 5]):
        plain = states_and_gradients(model, rows(lengths), cheap=False)
        torch.testing.assert_close(states_and_gradients(model, rows(lengths), cheap=True), plain)


def test_a_kind_is_tried_once(monkeypatch):
    calls, own = [], packing.PackedLayers._try
    monkeypatch.setattr(packing.PackedLayers, "_try", lambda *given: calls.append(1) or own(*given))
    for _ in range(2):
        model = small_bert()
        for lengths in ([5, 3], LENGTHS):
            with lean(model):
                model(**rows(lengths))
    assert len(calls) == 1


def test_a_model_that_looks_beside_a_token_is_found_out(packed):
    model = small_bert()
    dense = model.encoder.layer[0].output.dense

    def mix(module, args, output):  # as a convolution would
        return output + output.roll(1, dims=1)

    dense.register_forward_hook(mix)
    inputs = rows(LENGTHS)
    plain = model(**inputs).last_hidden_state
    with lean(model):
        found = model(**inputs).last_hidden_state
    torch.testing.assert_close(found, plain)
    assert packed[-1:] != [sum(LENGTHS)]


def test_after_an_error_the_model_is_as_it_was():
    model, inputs = small_bert(), rows(LENGTHS)
    plain = model(**inputs).last_hidden_state
    hook = model.pooler.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), lean(model):
        model(**inputs)
    hook.remove()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    torch.testing.assert_close(model(**inputs).last_hidden_state, plain)


def test_dropout_too_rare_for_our_kernel_is_torchs(packed):
    model = small_bert().train()
    for layer in model.encoder.layer:
        layer.attention.self.dropout.p = 1e-9
    inputs = rows(LENGTHS)
    plain = states_and_gradients(model, inputs, cheap=False)
    torch.testing.assert_close(states_and_gradients(model, inputs, cheap=True), plain)
    assert packed[-1] == sum(LENGTHS)


def sees(n_rows, width):
    found = torch.rand(n_rows, 1, width, width, generator=torch.Generator().manual_seed(5)) > 0.4
    return found | torch.eye(width, dtype=torch.bool)


@pytest.mark.parametrize("chunk", [1, 200, 10**6])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("mask", [None, sees(6, 9), sees(1, 9), torch.randn(6, 3, 9, 9)])
@pytest.mark.parametrize("n_more", [0, 3])
def test_attention_of_packed_rows_is_that_of_each_row(monkeypatch, chunk, dtype, mask, n_more):
    monkeypatch.setattr(attention, "_CHUNK", chunk)
    torch.manual_seed(1)
    laid = Packing(rows(LENGTHS)["attention_mask"], n_tokens=sum(LENGTHS) + n_more)
    inputs = [torch.randn(6, 3, 9, 4, dtype=dtype, requires_grad=True) for _ in range(3)]
    inside = laid.inside[:, None, None]
    if mask is None:
        whole, added = inside, None
    elif mask.dtype == torch.bool:
        whole, added = inside & mask, attention.added_to_scores(inside & mask, dtype)
    else:
        mask = mask.to(dtype)
        whole = mask.masked_fill(~inside, torch.finfo(dtype).min)
        added = whole
    packed = [laid.pack(x.transpose(1, 2)).transpose(1, 2) for x in inputs]
    found = attention.attention(*packed, added, packing=laid)
    found = laid.unpack(found.transpose(1, 2))[laid.inside]
    whole = whole if whole.dtype == torch.bool else whole.double()
    plain = functional.scaled_dot_product_attention(*(x.double() for x in inputs), whole)
    plain = plain.transpose(1, 2)[laid.inside]
    close = {} if dtype == torch.float64 else {"rtol": 0.05, "atol": 0.05}
    torch.testing.assert_close(found.double(), plain.double(), **close)
    weights = torch.randn_like(plain)
    ours, theirs = (
        torch.autograd.grad((out * weights).sum(), inputs, retain_graph=True)
        for out in (found, plain)
    )
    torch.testing.assert_close(ours, theirs, **close)


def test_what_is_laid_out_comes_back():
    laid = Packing(rows(LENGTHS)["attention_mask"])
    states = torch.randn(6, 9, 5) * laid.inside[:, :, None]
    assert torch.equal(laid.unpack(laid.pack(states)), states)
    heads = torch.randn(1, sum(LENGTHS), 2, 4).transpose(1, 2)
    out = torch.zeros_like(heads)
    for chunk in laid.chunks(100):
        chunk.put(out, chunk.take(heads))
    assert torch.equal(out, heads)
    assert sum(len(chunk.rows) for chunk in laid.chunks(100)) == 6


def test_numbers_of_tokens_are_few():
    numbers = {n: packing.usual(n) for n in range(1, 8193)}
    assert all(n <= found <= 17 / 16 * n for n, found in numbers.items())
    assert len(set(numbers.values())) == 32 + 8 * 16
    assert {packing.usual(found) for found in numbers.values()} == set(numbers.values())


def test_tokens_that_nobody_reads_take_no_part(packed):
    """In memory that was not written to there may be anything."""
    model, inputs = small_bert().float().train(), rows(LENGTHS)
    torch.use_deterministic_algorithms(True)  # memory then comes as NaN
    try:
        assert torch.empty(3).isnan().all()
        with lean(model, Recycled()), torch.autocast("cpu", torch.bfloat16):
            out = model(**inputs).last_hidden_state
        out.square().mean().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert packed[-1] == sum(LENGTHS) + 1
    assert len(gradients) > 20
    assert all(gradient.isfinite().all() for gradient in (out.detach(), *gradients))


def test_a_single_token_is_no_step_of_generation():
    settings = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 80, "pad_token_id": 0}
    config = transformers.GPTBigCodeConfig(vocab_size=60, **settings)
    model = AutoModel.from_config(config).double().eval()
    for lengths in ([5, 3], [1]):
        inputs = {name: values[:-1] for name, values in rows([*lengths, 8]).items()}
        plain = states_and_gradients(model, inputs, cheap=False)
        torch.testing.assert_close(states_and_gradients(model, inputs, cheap=True), plain)


@pytest.mark.parametrize("lengths", [[64, 63], [63], [1], [33, 34, 34, 34, 34]])
def test_what_saves_nothing_is_left_alone(lengths, packed):
    model, inputs = small_bert().float(), rows([*lengths, 64])
    some = {name: values[: len(lengths)] for name, values in inputs.items()}
    with lean(model), torch.autocast("cpu", torch.bfloat16):
        model(**some)
    assert packed[1:] == ([176] if lengths[0] == 33 else [])  # the first was tried


@pytest.mark.parametrize("size", [1.0, 10.0, 50.0, 1000.0])
@pytest.mark.parametrize("is_packed", [False, True])
def test_scores_of_any_size_in_bfloat16(size, is_packed):
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 6, 2, 9, 32).bfloat16().unbind()
    key *= size
    query[:, :, 0] = -key[:, :, 0].sign() * 8  # scores far below those that exponentials can hold
    laid = Packing(rows(LENGTHS)["attention_mask"])
    mask = laid.inside[:, None, None]
    added = attention.added_to_scores(mask, torch.bfloat16)
    by_softmax = torch.softmax((query * 32**-0.5) @ key.transpose(-1, -2) + added, -1) @ value
    if is_packed:
        packed = (laid.pack(x.transpose(1, 2)).transpose(1, 2) for x in (query, key, value))
        found = laid.unpack(attention.attention(*packed, packing=laid).transpose(1, 2))
        found = found.transpose(1, 2)
    else:
        found = attention.attention(query, key, value, added)
    exact = functional.scaled_dot_product_attention(
        query.double(), key.double(), value.double(), mask
    )
    own, softmaxs = (
        (x.double() - exact).transpose(1, 2)[laid.inside].abs().mean() for x in (found, by_softmax)
    )
    assert own <= 1.5 * softmaxs + 1e-6


def test_inputs_of_attention_are_not_changed():
    inputs = list(torch.randn(3, 2, 4, 9, 8).unbind())
    before = [x.clone() for x in inputs]
    attention.attention(*inputs)
    laid = Packing(torch.tensor([[1, 1, 1], [1, 0, 0]]))
    one_head = [torch.randn(1, 1, 4, 8) for _ in range(3)]
    kept = [x.clone() for x in one_head]
    attention.attention(*one_head, packing=laid)
    assert all(map(torch.equal, inputs + one_head, before + kept))


def embedded(weight, ids, recycled, padding_idx):
    layer = torch.nn.Embedding(*weight.shape, padding_idx=padding_idx)
    layer.weight = weight

    with _Lean(recycled=recycled):
        return layer(ids)


@pytest.mark.parametrize("padding_idx", [None, 0])
def test_gradients_of_embeddings_are_torchs_own(padding_idx):
    weight = torch.nn.Parameter(torch.randn(50, 8))
    recycled, places = Recycled(), []
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        ids = torch.randint(0, 50, (5, 7), generator=generator) * (torch.arange(7) < 5)
        mixed = torch.randn(5, 7, 8, generator=generator)
        weight.grad = None
        (functional.embedding(ids, weight, padding_idx) * mixed).sum().backward()
        plain, weight.grad = weight.grad, None
        recycled.give_back()
        (embedded(weight, ids, recycled, padding_idx) * mixed).sum().backward()
        torch.testing.assert_close(weight.grad, plain)
        places.append(weight.grad.data_ptr())
    assert len(set(places)) == 1  # no memory but the first


def test_gradients_of_embeddings_add_up():
    weight, ids = torch.nn.Parameter(torch.randn(50, 8)), torch.arange(6)
    recycled = Recycled()
    for _ in range(2):
        weight.grad = None
        recycled.give_back()
        for _ in range(3):  # parts of a batch
            embedded(weight, ids, recycled, None).sum().backward()
        assert torch.equal(
            weight.grad, torch.where(torch.arange(50) < 6, 3.0, 0.0)[:, None].expand(50, 8)
        )
        weight.grad = None
        recycled.give_back()
        (embedded(weight, ids, recycled, None) @ weight.T).sum().backward()  # tied weights
        tied = weight.grad.clone()
        weight.grad = None
        (functional.embedding(ids, weight) @ weight.T).sum().backward()
        torch.testing.assert_close(tied, weight.grad)


def test_a_cast_without_gradients_is_of_no_use_to_gradients():
    states, layer = torch.randn(40, 16, requires_grad=True), torch.nn.Linear(16, 16)
    with _Lean(), torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            layer(states)
        layer(states).float().sum().backward()
    assert states.grad is not None


def test_states_are_cast_once_for_several_layers():
    states = torch.randn(40, 16, requires_grad=True)
    layers = [torch.nn.Linear(16, 16) for _ in range(3)]

    def outputs(cheap):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            if not cheap:
                return [layer(states) for layer in layers]
            with _Lean():
                return [layer(states) for layer in layers]

    plain, found = outputs(False), outputs(True)
    assert all(map(torch.equal, plain, found))
    ours, theirs = (torch.autograd.grad(sum(x).float().sum(), states)[0] for x in (found, plain))
    torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)
