"""Spans in their texts, in colour, for notebooks and pages."""

from html import escape

from .data.inputs import as_texts, as_token_lists, holds_texts

__all__ = ["spans_html"]

_ROW = 'style="white-space:pre-wrap;line-height:2;margin:.4em 0" dir="auto"'
_MARK = "padding:.15em .3em;border-radius:.3em;color:#111;background:hsl({hue} 75% 82%)"
_LABEL = "font-size:.7em;font-weight:600;margin-inline-start:.4em;color:hsl({hue} 60% 28%)"
_GOLDEN = 137.508  # degrees between hues: neighbours in the list of labels look least alike


class _Html(str):
    """Text that notebooks show as the HTML that it is."""

    __slots__ = ()

    def _repr_html_(self):
        return str(self)


def spans_html(texts, spans):
    """Show spans in their texts, each with its label and in its label's colour.

    Parameters
    ----------
    texts : texts, or rows of tokens
        What ``predict_spans`` was given.
    spans : DataFrame
        With the columns ``row``, ``start``, ``end`` and ``label`` of ``predict_spans``, and perhaps
        ``score``, which is shown when the pointer rests on a span.

    Returns
    -------
    str
        HTML, which notebooks display. The texts are escaped: HTML in them stays text.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktransformers.display import spans_html
    >>> spans = pd.DataFrame({"row": [0], "start": [0], "end": [3], "label": ["PER"]})
    >>> "Ada" in spans_html(["Ada <b>wrote</b> it."], spans)
    True
    """
    given, edges = _texts_and_edges(texts)
    labels = {label: place for place, label in enumerate(sorted(set(spans["label"]), key=str))}
    by_row = {row: of_row.sort_values("start") for row, of_row in spans.groupby("row")}
    unknown = [row for row in by_row if not 0 <= row < len(given)]
    if unknown:
        raise ValueError(
            f"spans must be of the {len(given)} texts, but one is of row {unknown[0]}. Pass the "
            "texts that predict_spans was given."
        )
    parts = []
    for row, text in enumerate(given):
        done, shown = 0, []
        for span in by_row[row].itertuples() if row in by_row else ():
            start, end = edges[row](span.start, span.end)
            if not done <= start < end <= len(text):
                raise ValueError(
                    f"spans must lie in their texts and apart from each other, but the one at "
                    f"{span.start} to {span.end} of row {row} does not."
                )
            shown.append(escape(text[done:start]))
            shown.append(_mark(text[start:end], span, _GOLDEN * labels[span.label] % 360))
            done = end
        parts.append(f"<div {_ROW}>{''.join(shown)}{escape(text[done:])}</div>")
    return _Html("\n".join(parts))


def _mark(text, span, hue):
    score = getattr(span, "score", None)
    title = escape(str(span.label)) + ("" if score is None else f" {score:.2f}")
    hue = f"{hue:.0f}"
    return (
        f'<mark title="{title}" style="{_MARK.format(hue=hue)}">{escape(text)}'
        f'<span style="{_LABEL.format(hue=hue)}">{escape(str(span.label))}</span></mark>'
    )


def _texts_and_edges(texts):
    """Texts, and for each what turns a span's start and end into characters."""
    if holds_texts(texts):
        given = as_texts(texts).first
        return given, [lambda start, end: (start, end)] * len(given)
    rows = as_token_lists(texts).as_list()
    return [" ".join(row) for row in rows], [_token_edges(row) for row in rows]


def _token_edges(tokens):
    def edges(start, end):
        if not 0 <= start < end <= len(tokens):
            return -1, -1
        first = len(" ".join(tokens[:start])) + (start > 0)
        return first, first + len(" ".join(tokens[start:end]))

    return edges
