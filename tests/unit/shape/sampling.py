"""Reads a grammar as the engine would, and draws texts from it."""

import itertools
import random
import re
import string

from geminid.shape.ebnf import escaped

TOKEN = re.compile(
    r"""\s*(?:(?P<name>[A-Za-z_][\w.-]*)|"(?P<literal>(?:[^"\\\n]|\\.)*)"|\[(?P<set>(?:[^\]\\\n]|\\.)+)\]"""
    r"""|\{(?P<low>\d+)(?:(?P<comma>,)(?P<high>\d*))?\}|(?P<sign>[()|?]))"""
)
ESCAPE = re.compile(r"\\(?:u([0-9a-f]+)|([\"\\\]^nrt-]))")
NAMED = {"n": "\n", "r": "\r", "t": "\t"}
SOME = 'aZ 09é漢😀/{}[]:,.-_~"\\'


def unescaped(text):
    found, rest = [], 0
    while rest < len(text):
        if text[rest] != "\\":
            found.append(ord(text[rest]))
            rest += 1
        else:
            match = ESCAPE.match(text, rest)
            assert match, f"no such escape: {text[rest : rest + 8]}"
            # The engine takes all digits that follow.
            found.append(int(match[1], 16) if match[1] else ord(NAMED.get(match[2], match[2])))
            rest = match.end()
    return found


def char_class(text):
    """Return (negated, ranges) of a class; a dash between two characters makes a range."""
    negated, ranges = text.startswith("^"), []
    pieces = re.findall(r"\\u[0-9a-f]+|\\.|[^\\]", text[negated:])
    index = 0
    while index < len(pieces):
        low = high = unescaped(pieces[index])[0]
        if pieces[index + 1 : index + 2] == ["-"] and index + 2 < len(pieces):
            high = unescaped(pieces[index + 2])[0]
            index += 2
        index += 1
        assert low <= high
        # As the engine rewrites it, the digit would become a part of the character.
        assert not (escaped(high) and pieces[index : index + 1] and pieces[index] in string.hexdigits)
        ranges.append((low, high))
    return negated, ranges


class Grammar:
    """Rules as trees: ("lit", text), ("set", …), ("ref", name), ("seq", […]), ("alt", […]), ("rep", x, m, n)."""

    def __init__(self, text):
        self.rules, self.shortest = {}, {}
        for line in text.strip("\n").split("\n"):
            name, body = line.split(" ::= ", 1)
            assert name not in self.rules, f"{name} twice"
            self.rules[name] = self._parse(body)
        for tree in self.rules.values():
            self._check(tree)
        self._depths()

    def _parse(self, body):
        tokens, at = [], 0
        while at < len(body):
            match = TOKEN.match(body, at)
            assert match, f"not a grammar: {body[at : at + 40]!r}"
            tokens.append(match)
            at = match.end()
        tree, rest = self._alternatives(tokens, 0)
        assert rest == len(tokens)
        return tree

    def _alternatives(self, tokens, at):
        options, parts = [], []
        while at < len(tokens):
            token = tokens[at]
            if token["sign"] == ")":
                break
            if token["sign"] == "|":
                options.append(("seq", parts))
                parts = []
            elif token["sign"] == "(":
                inner, at = self._alternatives(tokens, at + 1)
                assert tokens[at]["sign"] == ")"
                parts.append(inner)
            elif token["sign"] == "?":
                parts[-1] = ("rep", parts[-1], 0, 1)
            elif token["low"] is not None:
                low = int(token["low"])
                high = low if not token["comma"] else int(token["high"])
                assert low <= high
                parts[-1] = ("rep", parts[-1], low, high)
            elif token["name"] is not None:
                parts.append(("ref", token["name"]))
            elif token["literal"] is not None:
                codes = unescaped(token["literal"])
                pairs = itertools.pairwise(codes)
                assert not any(escaped(code) and chr(after) in string.hexdigits for code, after in pairs)
                parts.append(("lit", "".join(map(chr, codes))))
            else:
                parts.append(("set", *char_class(token["set"])))
            at += 1
        assert parts, "an alternative without parts"
        return ("alt", [*options, ("seq", parts)]), at

    def _check(self, tree):
        kind = tree[0]
        if kind == "ref":
            assert tree[1] in self.rules, f"{tree[1]} is not a rule"
        elif kind in ("seq", "alt"):
            for each in tree[1]:
                self._check(each)
        elif kind == "rep":
            self._check(tree[1])

    def _depths(self):
        """Find how few rules each rule needs to come to an end."""
        self.depths = {}
        left = dict(self.rules)
        level = 0
        while left:
            level += 1
            done = [name for name, tree in left.items() if self._depth(tree) is not None]
            assert done, f"rules without end: {list(left)[:5]}"
            for name in done:
                self.depths[name] = level
                del left[name]

    def _depth(self, tree):
        kind = tree[0]
        if kind == "ref":
            return self.depths.get(tree[1])
        if kind in ("lit", "set"):
            return 0
        if kind == "rep":
            return 0 if tree[2] == 0 else self._depth(tree[1])
        found = [self._depth(each) for each in tree[1]]
        if kind == "seq":
            return None if None in found else max(found, default=0)
        return min((each for each in found if each is not None), default=None)

    def draw(self, rng: random.Random, budget=400):
        """Return one text; after ``budget`` choices the shortest way out is taken."""
        out, stack = [], [("ref", "root")]
        while stack:
            tree = stack.pop()
            kind = tree[0]
            if kind == "lit":
                out.append(tree[1])
            elif kind == "set":
                out.append(self._char(tree[1], tree[2], rng))
            elif kind == "ref":
                stack.append(self.rules[tree[1]])
            elif kind == "seq":
                stack.extend(reversed(tree[1]))
            elif kind == "rep":
                high = tree[2] if budget <= 0 else tree[3]
                low = tree[2]
                stack.extend([tree[1]] * rng.choice([low, high, rng.randint(low, high)]))
            else:
                budget -= 1
                options = tree[1]
                if budget <= 0:
                    options = self._shortest(tree)
                stack.append(rng.choice(options))
        return "".join(out)

    def _shortest(self, tree):
        if id(tree) not in self.shortest:
            depths = [self._depth(each) for each in tree[1]]
            self.shortest[id(tree)] = [
                each for each, depth in zip(tree[1], depths, strict=True) if depth == min(depths)
            ]
        return self.shortest[id(tree)]

    def _char(self, negated, ranges, rng):
        if not negated:
            low, high = rng.choice(ranges)
            return chr(rng.choice([low, high, rng.randint(low, high)]))
        chars = [each for each in SOME if not any(low <= ord(each) <= high for low, high in ranges)]
        while True:
            char = rng.choice(chars) if chars and rng.random() < 0.9 else chr(rng.randint(0x20, 0xFFFF))
            if not any(low <= ord(char) <= high for low, high in ranges) and not "\ud800" <= char <= "\udfff":
                return char
