"""Scores for tags: entities as seqeval counts them, and tags one by one."""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from .schemes import LENIENT, SCHEMES, SpanTags, find_spans, recognise

__all__ = ["entity_f1_score", "entity_report", "tag_report"]

_COLUMNS = ["precision", "recall", "f1", "support"]


def entity_f1_score(y_true, y_pred, *, scheme=None, average="micro", sample_weight=None):
    """Compute the F1 score of entities: both ends and the type must be right.

    Parameters
    ----------
    y_true, y_pred : list of lists of str
        Tags, one list a row, in a scheme such as IOB2.
    scheme : {"auto", "IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BMES", "BILOU"}, default=None
        None reads tags leniently, as the CoNLL script and seqeval's default mode do: an ``I`` that
        follows nothing starts an entity. A name reads them to the letter, as seqeval's
        ``mode="strict"``: what breaks the scheme is no entity. "auto" recognises the scheme from
        ``y_true``.
    average : {"micro", "macro", "weighted"}, default="micro"
        Over all entities, or over the types' scores, weighted by how many there are or not.
    sample_weight : array-like of shape (n_rows,), default=None

    Returns
    -------
    float
        0 where there are no entities.

    See Also
    --------
    entity_report : Scores of each type.

    Examples
    --------
    >>> from sktransformers.metrics import entity_f1_score
    >>> entity_f1_score([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "I-PER", "O", "B-ORG"]])
    0.5
    """
    if average not in ("micro", "macro", "weighted"):
        raise ValueError(
            f"average must be 'micro', 'macro' or 'weighted', but {average!r} came. For the scores "
            "of each type use entity_report."
        )
    report = entity_report(y_true, y_pred, scheme=scheme, sample_weight=sample_weight)
    return float(report["f1"].iloc[{"micro": -3, "macro": -2, "weighted": -1}[average]])


def entity_report(y_true, y_pred, *, scheme=None, sample_weight=None):
    """Compute precision, recall and F1 of entities, for each type and on average.

    Parameters
    ----------
    y_true, y_pred : list of lists of str
    scheme : str, default=None
        As in ``entity_f1_score``.
    sample_weight : array-like of shape (n_rows,), default=None

    Returns
    -------
    DataFrame of shape (n_types + 3, 4)
        Columns ``precision``, ``recall``, ``f1`` and ``support`` (entities in ``y_true``, or their
        weight); a row a type, then "micro avg", "macro avg" and "weighted avg".

    Examples
    --------
    >>> from sktransformers.metrics import entity_report
    >>> report = entity_report([["B-PER", "O", "B-LOC"]], [["B-PER", "O", "O"]])
    >>> report["recall"].tolist()
    [0.0, 1.0, 0.5, 0.5, 0.5]
    """
    true, pred, offsets, classes = _flat(y_true, y_pred)
    tags = SpanTags.of(classes)
    if tags is None:
        if set(classes) <= {"O"}:
            tags = SpanTags(np.zeros(len(classes), int), np.full(len(classes), -1), [], "")
        else:
            odd = next(tag for tag in classes if SpanTags.of([tag, "B-x"]) is None)
            raise ValueError(
                f"y_true and y_pred must hold tags of a scheme such as IOB2 ('B-PER', 'O'), but "
                f"they hold {odd!r}. For plain tags use tag_report."
            )
    reading = _reading(scheme, tags, true, offsets)
    found = [find_spans(tags, codes, offsets, reading) for codes in (true, pred)]
    weights = _row_weights(sample_weight, len(offsets) - 1)
    weights = [weights[np.searchsorted(offsets, starts, side="right") - 1] for starts, *_ in found]
    keys = [(starts * (len(true) + 1) + stops) * max(1, len(tags.names)) + types
            for starts, stops, types in found]  # fmt: skip
    right = np.isin(keys[0], keys[1])
    n_types = len(tags.names)
    support = np.bincount(found[0][2], weights[0], minlength=n_types)
    predicted = np.bincount(found[1][2], weights[1], minlength=n_types)
    hits = np.bincount(found[0][2][right], weights[0][right], minlength=n_types)
    return _report(tags.names, hits, predicted, support, integers=sample_weight is None)


def tag_report(y_true, y_pred, *, sample_weight=None):
    """Compute precision, recall and F1 of each tag, over all tokens.

    Parameters
    ----------
    y_true, y_pred : list of lists
        Tags of any kind, one list a row.
    sample_weight : array-like of shape (n_rows,), default=None

    Returns
    -------
    DataFrame of shape (n_tags + 3, 4)
        Columns ``precision``, ``recall``, ``f1`` and ``support``; a row a tag, then "micro avg"
        (the accuracy, in all columns), "macro avg" and "weighted avg".

    Examples
    --------
    >>> from sktransformers.metrics import tag_report
    >>> tag_report([["NOUN", "VERB"]], [["NOUN", "NOUN"]]).loc["NOUN"].tolist()
    [0.5, 1.0, 0.6666666666666666, 1.0]
    """
    true, pred, offsets, classes = _flat(y_true, y_pred)
    weights = np.repeat(_row_weights(sample_weight, len(offsets) - 1), np.diff(offsets))
    n = len(classes)
    support, predicted = (np.bincount(codes, weights, minlength=n) for codes in (true, pred))
    hits = np.bincount(true[true == pred], weights[true == pred], minlength=n)
    return _report(classes, hits, predicted, support, integers=sample_weight is None)


def _flat(y_true, y_pred):
    """Codes of all tags, the rows' bounds, and the tags, sorted."""
    rows = [[list(row) for row in y] for y in (y_true, y_pred)]
    check_consistent_length(*rows)
    lengths = [np.array([len(row) for row in y], dtype=np.int64) for y in rows]
    if (lengths[0] != lengths[1]).any():
        row = int((lengths[0] != lengths[1]).argmax())
        raise ValueError(
            f"y_true and y_pred must hold as many tags in every row, but row {row} has "
            f"{lengths[0][row]} and {lengths[1][row]}."
        )
    flat = [[tag for row in y for tag in row] for y in rows]
    known = set(flat[0]).union(flat[1])
    try:
        classes = sorted(known)
    except TypeError:
        classes = sorted(known, key=str)
    places = {tag: code for code, tag in enumerate(classes)}
    codes = [np.array([places[tag] for tag in tags], dtype=np.int64) for tags in flat]
    return *codes, np.concatenate([[0], np.cumsum(lengths[0])]), classes


def _reading(scheme, tags, codes, offsets):
    if scheme is None or not tags.names:
        return LENIENT
    if scheme == "auto":
        scheme = recognise(tags, codes, offsets)
    if scheme not in SCHEMES:
        raise ValueError(
            f"scheme must be None, 'auto' or one of {list(SCHEMES)}, but {scheme!r} came, or none "
            "of these fits y_true."
        )
    odd = set(tags.letters) - set(SCHEMES[scheme][0])
    if odd:
        raise ValueError(
            f"The tags must be in {scheme}, but some start with {sorted(odd)}. Pass another "
            "scheme, or None."
        )
    return scheme


def _row_weights(sample_weight, n_rows):
    if sample_weight is None:
        return np.ones(n_rows)
    weights = np.asarray(sample_weight, dtype=object)
    if weights.shape != (n_rows,) or any(hasattr(weight, "__len__") for weight in weights):
        raise ValueError(
            f"sample_weight must hold one weight for each of {n_rows} rows, but other things came. "
            "Pass a number for each row."
        )
    return weights.astype(np.float64)


def _report(names, hits, predicted, support, *, integers):
    precision, recall = _ratio(hits, predicted), _ratio(hits, support)
    each = np.column_stack([precision, recall, _f1(precision, recall)]).reshape(len(names), 3)
    p, r = _ratio(hits.sum(), predicted.sum()), _ratio(hits.sum(), support.sum())
    micro = [float(p), float(r), float(_f1(p, r))]
    macro = each.mean(axis=0) if len(names) else np.zeros(3)
    weighted = support @ each / support.sum() if support.sum() else np.zeros(3)
    report = pd.DataFrame(
        np.vstack([each, micro, macro, weighted]),
        index=[*names, "micro avg", "macro avg", "weighted avg"],
        columns=_COLUMNS[:3],
    )
    support = [*support, *[support.sum()] * 3]
    report["support"] = np.array(support).round().astype(int) if integers else support
    return report


def _ratio(part, whole):
    """Their ratio; 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)


def _f1(precision, recall):
    return _ratio(2 * precision * recall, precision + recall)
