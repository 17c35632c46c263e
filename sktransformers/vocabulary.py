"""Tokenizers learnt from nothing, the same ones from the same texts."""

import copy
from collections import Counter

__all__ = ["learn_tokenizer"]

_CHUNK = 1000
_CONTINUED = 0xF0000  # a private plane of Unicode, which BERT's normalisation drops from texts
_COVERED = 0.99


def learn_tokenizer(config, texts):
    """Learn the vocabulary that a model of this kind uses, on these texts.

    WordPiece (uncased) for BERT and its like, byte-level BPE for RoBERTa and its like: what
    transformers pairs with the configuration.

    Parameters
    ----------
    config : PretrainedConfig
        ``vocab_size`` bounds the vocabulary.
    texts : list of str

    Returns
    -------
    tokenizer : PreTrainedTokenizerFast
    config : PretrainedConfig
        A copy with the vocabulary's true size and the tokenizer's special ids.
    """
    from tokenizers import AddedToken

    blank = _blank_tokenizer(config)
    if type(blank.backend_tokenizer.model).__name__ == "WordPiece":
        vocabulary = _word_pieces(blank, texts, config.vocab_size)
        tokenizer = type(blank)(vocab=vocabulary)
    else:
        chunks = (texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK))
        tokenizer = blank.train_new_from_iterator(
            chunks, vocab_size=config.vocab_size, show_progress=False
        )
        if tokenizer.mask_token is not None:
            # The space before it belongs to it, as to any word; training forgets that.
            mask = AddedToken(tokenizer.mask_token, lstrip=True, special=True)
            tokenizer.add_special_tokens({"mask_token": mask})
        elif tokenizer.bos_token is not None:
            tokenizer.add_bos_token = True  # a decoder learns how texts begin
    if len(tokenizer) > config.vocab_size:
        _refuse(config.vocab_size, f"{len(tokenizer)} or more, for the alphabet and special tokens")
    config = copy.deepcopy(config)
    config.vocab_size = len(tokenizer)
    for name in ("pad", "bos", "eos", "cls", "sep", "mask"):
        if hasattr(config, f"{name}_token_id") and hasattr(tokenizer, f"{name}_token_id"):
            setattr(config, f"{name}_token_id", getattr(tokenizer, f"{name}_token_id"))
    return tokenizer, config


def _blank_tokenizer(config):
    from transformers import GPT2TokenizerFast
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED
    from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING

    if config.model_type in CAUSAL and config.model_type not in MASKED:
        return GPT2TokenizerFast()  # byte-level BPE, whatever a family's checkpoints have
    try:
        return TOKENIZER_MAPPING[type(config)]()
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"model={type(config).__name__}(...) must be of a family whose tokenizer can be learnt "
            "from nothing, such as BertConfig, DistilBertConfig or RobertaConfig, but transformers "
            f"has none to start from for {config.model_type!r}. Use one of those, or a folder "
            "with a tokenizer."
        ) from error


def _word_pieces(blank, texts, size):
    """Learn a WordPiece vocabulary.

    The tokenizers library's own trainer numbers pieces inside words in the order of a hash table
    that differs from run to run. So such characters are written as single ones of a private plane,
    and byte-pair encoding, which orders its alphabet, learns on those: the same algorithm.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    special = [t for t, _ in sorted(blank.get_vocab().items(), key=lambda item: item[1])]
    words = _count_words(blank.backend_tokenizer, texts)
    kept = _alphabet(words, (size - len(special)) // 2, size)
    plain = sorted(kept)
    code = {c: chr(_CONTINUED + i) for i, c in enumerate(plain)}
    back = {private: c for c, private in code.items()}

    def coded():
        for word, count in sorted(words.items()):
            if kept.issuperset(word):
                text = word[0] + "".join(code[c] for c in word[1:])
                yield " ".join([text] * count)

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator(
        coded(), trainers.BpeTrainer(vocab_size=size - len(special), show_progress=False)
    )
    pieces = [p for p, _ in sorted(learner.get_vocab().items(), key=lambda item: item[1])]
    readable = [
        ("##" if piece[0] in back else "") + "".join(back.get(c, c) for c in piece)
        for piece in pieces
    ]
    return {token: i for i, token in enumerate(special + readable)}


def _count_words(backend, texts):
    words = Counter()
    special = sorted(backend.get_added_tokens_decoder().values(), key=lambda token: token.content)
    for text in texts:
        for token in special:  # a mask that stands in a text is no word
            if token.content in text:
                text = text.replace(token.content, " ")
        normal = backend.normalizer.normalize_str(text)
        words.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal))
    return words


def _alphabet(words, most, size):
    """The most frequent characters, refused where they are too few to write the texts with."""
    counts = Counter()
    for word, count in words.items():
        for character in word:
            counts[character] += count
    kept = sorted(counts, key=lambda c: (-counts[c], c))[: max(0, min(most, 1000))]
    if sum(counts[c] for c in kept) < _COVERED * counts.total():
        _refuse(size, f"more than twice the alphabet, which has {len(counts)} characters")
    return set(kept)


def _refuse(size, least):
    raise ValueError(
        f"vocab_size of the configuration must be {least}, but it is {size}. Raise it."
    )
