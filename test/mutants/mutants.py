# SPDX-License-Identifier: MIT
"""The mutants of a C text: each with one operator, constant, condition, statement or
returned value changed.

Made from tokens, not from a grammar: what does not compile is no mutant."""
import re

TOKEN = re.compile(
    r"(?P<space>\s+|/\*.*?\*/)"
    r"|(?P<directive>^[ \t]*#(?:[^\n\\]|\\.)*)"
    r'|(?P<literal>"(?:[^"\\\n]|\\.)*"|' r"'(?:[^'\\\n]|\\.)*')"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)"
    r"|(?P<sign><<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[^\w\s])",
    re.S | re.M)

SWAPS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
    "+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<<": ">>", ">>": "<<", "|": "&", "&": "|", "^": "|",
    "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "^=": "|=", "<<=": ">>=", ">>=": "<<=", "++": "--", "--": "++",
}

# In front of these a sign of two meanings has one operand only.
PREFIXED = set("( [ { , ; = < > <= >= == != && || + - * / % & | ^ ! ~ ? : << >> += -= |= &= ^= return".split())

TYPE = re.compile(r"(?:static|const|struct|union|enum|typedef|unsigned|signed|char|short|int|long|void|extern|V|judge"
                  r"|size_t|u?int\d+_t|uintptr_t|tenon_\w+|z_stream)$")


class Token:
    def __init__(self, kind, text, at):
        self.kind, self.text, self.at, self.end = kind, text, at, at + len(text)


class Mutant:
    """text[at:end] becomes something else. old and new are the lines around it, with single spaces:
    with file and function they are what it is called by."""

    def __init__(self, file, text, function, at, end, replacement):
        first = text.rfind("\n", 0, at) + 1
        last = text.find("\n", end)
        self.file, self.function, self.line = file, function, text.count("\n", 0, at) + 1
        self.old = " ".join(text[first:last].split())
        self.new = " ".join((text[first:at] + replacement + text[end:last]).split())
        self.text = text[:at] + replacement + text[end:]
        self.key = (file, function, self.old, self.new)


def tokens_of(text):
    found = []
    for match in TOKEN.finditer(text):
        if match.lastgroup == "directive":
            define = re.match(r"[ \t]*#[ \t]*define[ \t]+\w+(\([^)]*\))?", match.group())
            if define:  # what it stands for is code
                begin = match.start() + define.end()
                found.append(Token("directive", text[match.start():begin], match.start()))
                for part in TOKEN.finditer(match.group()[define.end():].replace("\\\n", " \n")):
                    if part.lastgroup != "space":
                        found.append(Token(part.lastgroup, part.group(), begin + part.start()))
                found.append(Token("directive", "", match.end()))
            else:
                found.append(Token("directive", match.group(), match.start()))
        elif match.lastgroup != "space":
            found.append(Token(match.lastgroup, match.group(), match.start()))
    return found


def pairs_of(tokens):
    """For each opening bracket the index of its closing one."""
    pairs, stack = {}, []
    for i, token in enumerate(tokens):
        if token.kind == "sign" and token.text in ("(", "[", "{"):
            stack.append(i)
        elif token.kind == "sign" and token.text in (")", "]", "}") and stack:
            pairs[stack.pop()] = i
    return pairs


def functions_of(tokens, pairs):
    """The name of the function that each token is in, or "" outside of all."""
    names = [""] * len(tokens)
    i = 0
    while i < len(tokens):
        if tokens[i].text == "{" and i in pairs:
            if i > 0 and tokens[i - 1].text == ")":
                opening = next(k for k, v in pairs.items() if v == i - 1)
                for k in range(opening - 1, pairs[i] + 1):
                    names[k] = tokens[opening - 1].text
            i = pairs[i]
        i += 1
    return names


def is_binary(tokens, i):
    before = tokens[i - 1]
    if before.kind == "number" or before.text in (")", "]"):
        # (type)-x and (type)&x are casts, but the type tells
        return before.text != ")" or not TYPE.match(tokens[i - 2].text)
    return before.kind == "word" and before.text not in PREFIXED and not TYPE.match(before.text)


def sign_changes(tokens, i):
    token = tokens[i]
    if token.text in ("+", "-", "*", "&") and not is_binary(tokens, i):
        return
    if token.text == "*" and tokens[i - 1].text == ")" and tokens[i + 1].kind == "word" and tokens[i - 2].text == "*":
        return
    if token.text in ("!", "~"):
        yield token.at, token.end, ""
    elif token.text in SWAPS:
        yield token.at, token.end, SWAPS[token.text]


def number_changes(token):
    digits = token.text.rstrip("uUlL")
    suffix = token.text[len(digits):]
    value = int(digits, 8 if re.fullmatch(r"0[0-7]+", digits) else 0)
    form = "%#x" if digits[:2] in ("0x", "0X") else "%d"
    yield token.at, token.end, form % (value + 1) + suffix
    if value > 0:
        yield token.at, token.end, form % (value - 1) + suffix


def statement_end(tokens, pairs, i):
    while i < len(tokens) and tokens[i].text != ";":
        i = pairs[i] + 1 if i in pairs else i + 1
    return i


def is_statement(tokens, i):
    """Whether an expression or a jump begins at i that is a statement."""
    before = tokens[i - 1]
    if before.text not in (";", "{", "}", ")", "else", ":"):
        return False
    token = tokens[i]
    if before.text == ")" and token.kind == "sign" and token.text != "*":
        return False
    if token.text in ("break", "continue"):
        return True
    if token.text in ("if", "else", "for", "while", "do", "switch", "case", "default", "return", "goto", "sizeof"):
        return False
    if token.kind == "word" and TYPE.match(token.text) and not tokens[i + 1].text == "(":
        return False
    if token.kind == "word" and tokens[i + 1].kind == "word":
        return False
    return token.kind == "word" or token.text in ("*", "++", "--", "(")


def in_parentheses(tokens, pairs):
    inside = [False] * len(tokens)
    for begin, end in pairs.items():
        if tokens[begin].text in ("(", "["):
            for i in range(begin + 1, end):
                inside[i] = True
    return inside


def changes(tokens, pairs, names):
    """Yields index of the token, begin, end, replacement; None: to be negated."""
    inside = in_parentheses(tokens, pairs)
    for i, token in enumerate(tokens):
        if token.kind == "sign" and 0 < i and i + 1 < len(tokens):
            yield from ((i, *change) for change in sign_changes(tokens, i))
        elif token.kind == "number":
            yield from ((i, *change) for change in number_changes(token))
        if not names[i]:
            continue
        if token.text in ("if", "while") and tokens[i + 1].text == "(":
            begin, end = tokens[i + 1].end, tokens[pairs[i + 1]].at
            yield i, begin, end, None
        if token.text == "return" and tokens[i + 1].text != ";":
            end = statement_end(tokens, pairs, i)
            value = [t.text for t in tokens[i + 1:end]]
            yield i, tokens[i + 1].at, tokens[end].at, "1" if value == ["0"] else "0"
        if not inside[i] and is_statement(tokens, i):
            end = statement_end(tokens, pairs, i)
            yield i, token.at, tokens[end].at, ""


def mutants_of(file, text):
    tokens = tokens_of(text)
    pairs = pairs_of(tokens)
    names = functions_of(tokens, pairs)
    found = {}
    for i, begin, end, replacement in changes(tokens, pairs, names):
        if not names[i] and file.endswith(".h"):
            continue  # the values of constants that many share mean nothing
        if replacement is None:
            replacement = "!(%s)" % text[begin:end]
        mutant = Mutant(file, text, names[i], begin, end, replacement)
        found.setdefault((begin, mutant.key), mutant)
    return list(found.values())
