"""Real sequences with gold tags: the tokens of Python's own functions and what each is for."""

import ast
import hashlib
import io
import keyword
import tokenize
import warnings

from .sources import source_files

__all__ = ["load_code_tokens"]

_MOST_OF_A_FILE = 10
_FSTRING = {"FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END"}  # of Python 3.12 and later


def load_code_tokens(*, max_rows=1000, min_tokens=10, max_tokens=150):
    """Collect functions of the standard library as tokens, with the role of each.

    The source files are read with ``tokenize`` and ``ast``, and never imported. Docstrings and
    comments are left out. What a name is for cannot be told from the name alone, and often not
    from its neighbours: whether it is a parameter stands in the function's first line.

    Parameters
    ----------
    max_rows : int, default=1000
        At most so many functions, from files all over the library.
    min_tokens, max_tokens : int, default=10 and 150
        Shorter and longer functions are left out.

    Returns
    -------
    X : list of list of str
        Tokens of each function.
    y : list of list of str
        Their roles: "function" (a name after ``def``), "class", "parameter" (declared or used),
        "variable" (assigned in the function), "global" (any other name), "attribute", "call" (what
        is called, a name or an attribute), "argument" (a keyword in a call), "import", "keyword",
        "literal" (numbers and strings), "operator".

    Examples
    --------
    >>> from sktransformers.datasets import load_code_tokens
    >>> X, y = load_code_tokens(max_rows=5)
    >>> len(X), X[0][0], y[0][:2]
    (5, 'def', ['keyword', 'function'])
    """
    # The same files on any machine with the same Python, from all over the library.
    files = sorted(
        source_files("python", "load_code_tokens"),
        key=lambda pair: hashlib.sha256(pair[1].encode()).digest(),
    )
    found, seen = [], set()
    for file, module in files:
        kept = [
            (f"{module}.{name}", tokens, tags)
            for name, tokens, tags in _functions(file)
            if min_tokens <= len(tokens) <= max_tokens and tuple(tokens) not in seen
        ]
        step = -(-len(kept) // _MOST_OF_A_FILE) or 1
        for row in kept[::step]:
            if tuple(row[1]) not in seen:
                seen.add(tuple(row[1]))
                found.append(row)
        if len(found) >= max_rows:
            break
    found = sorted(found[:max_rows], key=lambda row: row[0])
    return [tokens for _, tokens, _ in found], [tags for _, _, tags in found]


def _functions(file):
    """Name, tokens and roles of a file's functions and methods, those inside others apart."""
    try:
        source = file.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in other people's strings
            tree = ast.parse(source)
        tokens = list(tokenize.tokenize(io.BytesIO(source).readline))
    except (SyntaxError, ValueError, tokenize.TokenError):
        return
    lines = source.decode(tokens[0].string, errors="replace").splitlines()
    waiting = [tree]
    while waiting:
        node = waiting.pop(0)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                words, tags = _tagged(child, tokens, lines)
                yield child.name, words, tags
            elif isinstance(child, (ast.ClassDef, ast.If, ast.Try)):
                waiting.append(child)


def _tagged(function, tokens, lines):
    """Tokens of a function and their roles."""
    roles = _roles(function, lines)
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(
        getattr(first.value, "value", None), str
    )
    skipped = range(first.lineno, first.end_lineno + 1) if is_docstring else range(0)
    imports = [
        (node.lineno, node.end_lineno)
        for node in ast.walk(function)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    words, tags = [], []
    for token in tokens:
        line = token.start[0]
        if not function.lineno <= line <= function.end_lineno or line in skipped:
            continue
        kind = _kind(token)
        if kind is None:
            continue
        if kind == "name":
            kind = roles.get(token.start, "variable")
            if any(start <= line <= end for start, end in imports):
                kind = "import"
            elif words and words[-1] in ("def", "class"):
                kind = "function" if words[-1] == "def" else "class"
        words.append(token.string)
        tags.append(kind)
    return words, tags


def _kind(token):
    """What the token's kind alone tells: a role, "name", or None for what is no token of code."""
    if token.type == tokenize.NAME:
        return "keyword" if keyword.iskeyword(token.string) else "name"
    if token.type in (tokenize.NUMBER, tokenize.STRING) or (
        tokenize.tok_name[token.type] in _FSTRING and token.string
    ):
        return "literal"
    return "operator" if token.type == tokenize.OP else None


def _roles(function, lines):
    """Roles of the names in a function, by their place (line, column in characters)."""
    nodes = list(ast.walk(function))
    parameters = {node.arg for node in nodes if isinstance(node, ast.arg)}
    stored = {
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del))
    }
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    roles = {}

    def put(line, column, role):
        characters = len(lines[line - 1].encode()[:column].decode(errors="replace"))
        roles[line, characters] = role

    for node in nodes:
        if isinstance(node, ast.arg):
            put(node.lineno, node.col_offset, "parameter")
        elif isinstance(node, ast.keyword) and node.arg:
            put(node.lineno, node.col_offset, "argument")
        elif isinstance(node, ast.Attribute):
            role = "call" if id(node) in called else "attribute"
            put(node.end_lineno, node.end_col_offset - len(node.attr.encode()), role)
        elif isinstance(node, ast.Name):
            known = "parameter" if node.id in parameters else "variable"
            role = known if node.id in parameters | stored else "global"
            put(node.lineno, node.col_offset, "call" if id(node) in called else role)
    return roles
