"""Batches without their padding: the tokens of all rows one after the other.

An encoder's layers treat each token by itself, but for attention. So their input may be laid out in
any way that attention knows of (as in MosaicBERT: Portes et al., 2023, arXiv:2312.17482).
"""

import torch

from ..data.nested import mapped
from .device import autocast
from .freezing import layer_stack
from .parts import does_not_fit

__all__ = ["WIDEST", "PackedLayers", "Packing"]

WIDEST = 1024  # of longer rows what attention keeps for the way back would not fit
_MULTIPLE = 8  # of which rows are as wide, side by side in attention
_STEPS = 16  # numbers of tokens between one and twice as many
_CLOSE = 1e-4  # of the largest state: in float32 they differ by less than a hundredth of it

_can_be_packed = {}  # hash of a kind of model -> whether its layers can do without padding


def usual(n):
    """The next of a few numbers of tokens, at most a sixteenth more.

    For each number of rows of a product in bfloat16 oneDNN makes a kernel, in half a millisecond,
    and keeps it, in half a megabyte. With numbers of its own each batch leaves a dozen of them.
    """
    step = max(1, (1 << (n - 1).bit_length()) // (2 * _STEPS))
    return n + -n % step


class Packing:
    """Where the tokens of a batch are, with its padding and without.

    Parameters
    ----------
    mask : Tensor of shape (n_rows, width)
        1 for tokens, which come first, and 0 for padding.
    n_tokens : int, default=None
        How many to lay out; what the mask lacks is made up with some that nobody reads.
    """

    def __init__(self, mask, n_tokens=None):
        self.shape = tuple(mask.shape)
        lengths = mask.sum(dim=1).long()
        # The longest row first: then each part that attention lays side by side is a slice.
        self.order = lengths.argsort(descending=True, stable=True)
        self.lengths = lengths[self.order]
        self.inside = torch.arange(self.shape[1]) < lengths[:, None]
        inside = self.inside[self.order]
        places = self.order[:, None] * self.shape[1] + torch.arange(self.shape[1])
        self.own = places[inside]
        self.n_tokens = len(self.own) if n_tokens is None else n_tokens
        made_up = self.own[:1].expand(self.n_tokens - len(self.own))
        self._laid = torch.cat([self.own, made_up])
        self._chunks = {}

    def pack(self, padded):
        """From (n_rows, width, ...) to (1, n_tokens, ...)."""
        return padded.flatten(0, 1).index_select(0, self._laid)[None]

    def unpack(self, packed):
        """From (1, n_tokens, ...) to (n_rows, width, ...), zero in the padding."""
        n_rows, width = self.shape
        flat = packed.new_zeros(n_rows * width, *packed.shape[2:])
        return flat.index_copy(0, self.own, packed[0, : len(self.own)]).unflatten(0, self.shape)

    def holds(self, shape):
        """Whether states of this shape are packed."""
        return tuple(shape[:2]) == (1, self.n_tokens)

    def clear(self, out):
        """Make values of shape (1, n_heads, n_tokens, n_dims) zero where nobody reads them."""
        out[:, :, len(self.own) :] = 0

    def chunks(self, size):
        """Parts of the rows: of at most ``size`` pairs of tokens, or of one row."""
        if size not in self._chunks:
            self._chunks[size] = list(self._parts(size))
        return self._chunks[size]

    def _parts(self, size):
        row = token = 0
        lengths = self.lengths.tolist()
        while row < len(lengths):
            # Few distinct shapes, for each of which kernels are made anew.
            width = min(self.shape[1], lengths[row] + -lengths[row] % _MULTIPLE)
            n_rows = min(len(lengths) - row, max(1, size // width**2))
            some = slice(row, row + 2 ** (n_rows.bit_length() - 1))
            yield (chunk := Chunk(self.order[some], self.lengths[some], width, token))
            row, token = some.stop, chunk.tokens.stop


class Chunk:
    """Some rows of a packed batch, which attention lays side by side, only as wide as they are.

    Parameters
    ----------
    rows, lengths : Tensor of shape (n_rows,)
        The longest comes first.
    width : int
        At least that of the longest.
    start : int
        Where their tokens are among all.
    """

    def __init__(self, rows, lengths, width, start):
        self.rows, self.width = rows, width
        self.tokens = slice(start, start + int(lengths.sum()))
        self.inside = torch.arange(width) < lengths[:, None]
        self.own = self.inside.flatten().nonzero()[:, 0]
        self.padding = (~self.inside).flatten().nonzero()[:, 0]
        self.places = (self.inside.flatten().cumsum(0) - 1).clamp(min=0)

    def take(self, x):
        """From (1, n_heads, n_tokens, n_dims) to (n_rows, n_heads, width, n_dims), zero if none."""
        flat = x[0].transpose(0, 1)[self.tokens].flatten(1)
        if len(self.padding):
            flat = flat.index_select(0, self.places).index_fill_(0, self.padding, 0)
        laid = flat.view(len(self.rows), self.width, x.shape[1], x.shape[3])
        return laid.transpose(1, 2).contiguous()

    def put(self, out, values):
        """Write values of the shape that ``take`` gives to where they belong."""
        flat = values.transpose(1, 2).flatten(0, 1).flatten(1)
        torch.index_select(flat, 0, self.own, out=out[0].transpose(0, 1)[self.tokens].flatten(1))

    def sums(self, shares):
        """Of (n_rows, n_heads, width, width) the sums over tokens."""
        if not len(self.padding):
            return shares.sum(-1, keepdim=True)
        return shares @ self.inside[:, None, :, None].to(shares.dtype)

    def hide_padding(self, scores):
        """Leave padding out of a softmax of scores, in place."""
        if len(self.padding):
            hidden = scores.new_zeros(len(self.rows), 1, 1, self.width)
            outside = ~self.inside[:, None, None]
            scores += hidden.masked_fill_(outside, torch.finfo(scores.dtype).min)
        return scores

    def mask(self, added):
        """What is added to the scores of these rows."""
        of_rows = added if added.shape[0] == 1 else added[self.rows]
        return of_rows[..., : self.width if added.shape[-2] > 1 else 1, : self.width]


class PackedLayers:
    """Lets a model's layers work without padding in a block, where that changes nothing.

    Families differ in what their layers take and give. So each kind of model is tried once in a
    process: the last layer's states of some rows must be those that it gives with padding.

    Parameters
    ----------
    model : PreTrainedModel
        On a CPU, and of this thread alone.

    Attributes
    ----------
    packing : Packing or None
        Of the batch that the model is working on.
    """

    def __init__(self, model):
        self.packing = None
        self._model, self._layers = model, _layers(model)
        self._handles, self._is_trial = [], False

    def __enter__(self):
        if not self._layers:
            return self
        first = {"with_kwargs": True, "prepend": True}  # other hooks may take some inputs away
        self._handles = [
            self._model.register_forward_pre_hook(self._begin, **first),
            self._model.register_forward_hook(self._end, always_call=True),
            self._layers[-1].register_forward_hook(self._unpack),
        ]
        for layer in self._layers:
            self._handles.append(layer.register_forward_pre_hook(self._pack, with_kwargs=True))
        return self

    def __exit__(self, *_):
        for handle in self._handles:
            handle.remove()

    def _begin(self, model, args, kwargs):
        if not self._is_trial:
            self.packing = self._packing_of(kwargs)

    def _end(self, model, args, output):
        if not self._is_trial:
            self.packing = None

    def _pack(self, layer, args, kwargs):
        if self.packing is None:
            return args, kwargs
        states = args[0] if args else kwargs["hidden_states"]
        if states.shape[:2] != self.packing.shape:
            return args, kwargs
        packed = self.packing.pack(states)
        if args:
            return (packed, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": packed}

    def _unpack(self, layer, args, output):
        if self.packing is None:
            return output
        states, *others = (output,) if isinstance(output, torch.Tensor) else output
        if self.packing.holds(states.shape):
            states = self.packing.unpack(states)
        return states if isinstance(output, torch.Tensor) else (states, *others)

    def _packing_of(self, inputs):
        mask, config = inputs.get("attention_mask"), self._model.config
        if mask is None or mask.ndim != 2 or mask.shape[1] > WIDEST or not _is_padded(mask):
            return None
        for name in ("output_hidden_states", "output_attentions"):
            if inputs.get(name) or getattr(config, name, False):
                return None
        about = config.to_json_string(), config._attn_implementation, len(self._layers)
        kind = hash((type(self._model), *about))
        if kind not in _can_be_packed:
            _can_be_packed[kind] = not _drops_layers(config) and self._try(inputs)
        n_tokens = int(mask.sum())
        if torch.is_autocast_enabled("cpu"):
            n_tokens = usual(n_tokens)
        # A single token some decoders take for a step of generation.
        is_worth_it = 1 < n_tokens < mask.numel()
        return Packing(mask, n_tokens) if is_worth_it and _can_be_packed[kind] else None

    def _try(self, inputs):
        rows, n_rows = _to_try(inputs["attention_mask"]), len(inputs["attention_mask"])

        def taken(value):
            is_of_rows = isinstance(value, torch.Tensor) and len(value) == n_rows
            return value[rows] if is_of_rows else value

        some = mapped(taken, inputs)
        modes = {module: module.training for module in self._model.modules()}
        self._model.eval()
        self._is_trial = True
        try:
            padded = self._states(some)
            self.packing = Packing(some["attention_mask"])
            packed = self._states(some)
        except Exception as error:  # layers refuse what they do not know in many ways
            if does_not_fit(error):  # which says nothing of the kind
                raise
            return False
        finally:
            self.packing, self._is_trial = None, False
            for module, mode in modes.items():
                module.training = mode
        return bool((padded - packed).abs().max() <= _CLOSE * padded.abs().max())

    def _states(self, inputs):
        """What the last layer gives of each token, in float32."""
        found = []
        hook = self._layers[-1].register_forward_hook(lambda *given: found.append(given[-1]))
        try:
            with torch.no_grad(), autocast("float32", "cpu"):
                self._model(**inputs)
        finally:
            hook.remove()
        states = found[0] if isinstance(found[0], torch.Tensor) else found[0][0]
        return states[inputs["attention_mask"] > 0]


def _layers(model):
    """The layers of a model's encoder that have weights: none stand in for frozen ones."""
    try:
        _, stack = layer_stack(model, 0)
    except ValueError:  # of families that share or scatter them
        return []
    return [layer for layer in stack if any(True for _ in layer.parameters())]


def _to_try(mask):
    """The longest row and the shortest, and the longest again if they are as long as a padded one.

    What is made for each place of a padded row would else fit the packed ones by chance.
    """
    lengths = mask.sum(dim=1)
    rows = torch.stack([lengths.argmax(), lengths.argmin()])
    if lengths[rows].sum() != mask.shape[1]:
        return rows
    return torch.cat([rows, rows[:1]])


def _drops_layers(config):
    """Whether layers are left out at random in training, the last one too."""
    return any(value for name, value in config.to_dict().items() if "layerdrop" in name)


def _is_padded(mask):
    """Whether rows have padding, all of it at their ends."""
    return not mask.all() and bool(mask[:, 0].all()) and not (mask[:, 1:] > mask[:, :-1]).any()
