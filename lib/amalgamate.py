#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the library as one file and its header, and the codec: tenon.c, tenon.h,
tenon_zlib.c.

usage: amalgamate.py [--prefix PREFIX] ROOT OUT

The same sources give the same octets, wherever and whenever this runs.

In one file, what was private to a file of lib/ meets its namesakes. So each name
that a .c file declares outside of functions, without tenon_ in front, is written
with its file: step of recv.c becomes tenon_recv_c_step. Macros of a .c file end with it.

PREFIX goes before every name that begins with tenon_, in upper case before every
one that begins with TENON_, and before what else the headers of lib/ declare: so
an image, and even a source file, can hold several copies of the library. What
tenon_status_name and its like return stays as it is.
"""
import argparse
import hashlib
import pathlib
import re
import sys

# In two pieces, so that this file has only the line at its top.
LICENCE = "/* SPDX-" + "License-Identifier: MIT */\n"
TITLE = "\n/* -------- lib/%s -------- */\n\n"
PUBLIC = ["tenon.h", "frame.h", "handshake.h", "deflate.h", "zlib.h"]

COMMENT = r"/\*.*?\*/"
LITERAL = r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\''
NOISE = re.compile("%s|%s" % (COMMENT, LITERAL), re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*", re.M | re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"[^\n]*\n', re.M)
MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)
GUARD = re.compile(r"^#ifndef (\w+)\n#define \1\n", re.M)
ENUM = re.compile(r"\benum\b[^{};()]*\{([^{}]*)\}")
TAG = re.compile(r"\b(?:struct|union|enum)\s+(\w+)\s*\{")
MEMBERS = re.compile(r"\b(?:struct|union)\s*\w*\s*\{([^{}]*)\}")
MEMBER = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)?[;,:]")
UNDEF = re.compile(r"^[ \t]*#[ \t]*undef[ \t]+(\w+)", re.M)
VERSION = re.compile(r"^#define TENON_VERSION_\w+ (\d+)$", re.M)

# What rename looks at; it passes over literals, and members of structs behind . and ->
WORD = re.compile(r"(?P<comment>%s)|(?P<keep>%s|(?:->|(?<!\.)\.)\s*[A-Za-z_]\w*)|(?P<name>\b[A-Za-z_]\w*)"
                  % (COMMENT, LITERAL), re.S)
OURS = re.compile(r"\b(?:tenon|TENON)_\w*")


def collapse(text, brackets, stands):
    """Puts stands in the place of everything in such brackets, however nested."""
    inner = re.compile(r"\%s[^%s]*\%s" % (brackets[0], re.escape(brackets), brackets[1]))
    mark = "\0"
    while True:
        text, count = inner.subn(mark, text)
        if count == 0:
            return text.replace(mark, stands)


def own(names):
    """Those that do not say whose they are."""
    return {name for name in names if not name.lower().startswith("tenon_")}


def declared(text):
    """The names that text declares outside of functions, macros apart, that are not tenon's."""
    text = DIRECTIVE.sub("", NOISE.sub(" ", text))
    names = set(TAG.findall(text))
    for body in ENUM.findall(text):
        names.update(re.findall(r"(?:^|,)\s*(\w+)", body))
    flat = collapse(collapse(collapse(text, "{}", "{}"), "()", "()"), "[]", "")
    for piece in re.split(r";|(?<=\(\)) *\n?\{\}", flat):
        piece = re.sub(r"__attribute__\s*\(\)|=[^,]*|\{\}", " ", piece).strip()
        call = re.search(r"(\w+)\s*\(\)", piece)
        if call and not piece.startswith("typedef"):
            names.add(call.group(1))
        elif not re.fullmatch(r"(struct|union|enum)\s+\w*", piece):
            names.update(re.findall(r"(\w+)\s*(?:,|$)", piece))
    return own(names) - {"enum"}


def rename(text, change):
    """Writes what change(name) says for every name; in comments, for those of tenon."""
    def written(match):
        if match.group("comment"):
            return OURS.sub(lambda m: change(m.group()), match.group())
        return match.group("keep") or change(match.group("name"))
    return WORD.sub(written, text)


class Library:
    """The sources, and which headers have been written."""

    def __init__(self, root):
        lib, include = root / "lib", root / "include/tenon"
        self.public = {"tenon/" + name: (include / name).read_text(encoding="utf-8") for name in PUBLIC}
        self.headers = {path.name: path.read_text(encoding="utf-8") for path in sorted(lib.glob("*.h"))}
        self.sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(lib.glob("*.c"))}
        self.codec = (lib / "zlib/zlib.c").read_text(encoding="utf-8")
        self.notice = (root / "LICENSE").read_text(encoding="utf-8")
        self.version = ".".join(VERSION.findall(self.public["tenon/tenon.h"]))
        everything = [sorted(part.items()) for part in (self.public, self.headers, self.sources)] + [self.codec]
        self.stamp = hashlib.sha256(repr(everything).encode("utf-8")).hexdigest()[:8]
        self.written = set()

    def shared(self):
        """Names that the headers of lib/ declare for all, without tenon_ in front."""
        texts = [text for text in self.headers.values() if GUARD.search(text)]
        return own(name for text in texts for name in declared(text) | set(MACRO.findall(text)))

    # ---------------------------------------------------------------- one file

    def before(self, text):
        """The headers of lib/ that text includes and that are not written yet, each
        behind those that it includes itself."""
        out = ""
        for name in INCLUDE.findall(text):
            header = self.headers.get(name, "")
            if GUARD.search(header) and name not in self.written:
                self.written.add(name)
                out += self.before(header) + TITLE % name + self.without(header)
        return out

    def without(self, text):
        """Text without includes and licence line; templates stand where they are included."""
        def instead(match):
            header = self.headers.get(match.group(1), "")
            return "" if GUARD.search(header) else self.without(header)
        return INCLUDE.sub(instead, text).replace(LICENCE, "", 1)

    def private(self, stem, text):
        """A .c file with its names made its own, and no macro left behind it."""
        names, macros = declared(text), set(MACRO.findall(text)) - set(UNDEF.findall(text))
        members = {name for body in MEMBERS.findall(NOISE.sub(" ", text)) for name in MEMBER.findall(body)}
        if names & members:
            sys.exit("amalgamate: in %s.c both a member of a struct and more: %s"
                     % (stem, ", ".join(sorted(names & members))))
        if macros & self.shared():
            sys.exit("amalgamate: in %s.c and in a header: %s" % (stem, ", ".join(sorted(macros & self.shared()))))
        text = rename(text, lambda name: "tenon_%s_c_%s" % (stem, name) if name in names else name)
        return text + "".join("#undef %s\n" % name for name in sorted(macros))

    def source(self, name):
        text = self.sources[name]
        return self.before(text) + TITLE % name + self.private(name[:-2], self.without(text))

    # ------------------------------------------------------------------- files

    def top(self, what):
        notice = "".join((" * " + line).rstrip() + "\n" for line in self.notice.splitlines())
        return LICENCE + "/*\n * tenon %s (%s), %s. Made from its sources: changes belong there.\n *\n%s */\n" % (
            self.version, self.stamp, what, notice)

    def header(self):
        texts = [self.without(text) for text in self.public.values()]
        stamp = "\n/* The sources that this was made from; tenon.c asks for the same. */\n#define TENON_STAMP 0x%su\n"
        texts[0] = GUARD.sub(lambda m: m.group() + stamp % self.stamp, texts[0], 1)
        return self.top("the header") + "\n".join(texts)

    def begin(self, what):
        return self.top(what) + ('#include "tenon.h"\n\n#if TENON_STAMP != 0x%su\n'
                                 '#error "tenon.h is of another version"\n#endif\n' % self.stamp)

    def files(self):
        return {
            "tenon.h": self.header(),
            "tenon.c": self.begin("the library in one file") + "".join(map(self.source, self.sources)),
            "tenon_zlib.c": self.begin("the codec with zlib") + self.private("zlib", self.without(self.codec)),
        }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--prefix", default="")
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    options = parser.parse_args()
    if not re.fullmatch(r"([A-Za-z]\w*)?", options.prefix):
        sys.exit("amalgamate: no prefix for names in C: " + options.prefix)
    library = Library(options.root)
    shared = library.shared()

    def prefixed(name):
        if name.startswith("TENON_"):
            return options.prefix.upper() + name
        return options.prefix + name if name.startswith("tenon_") or name in shared else name

    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in library.files().items():
        text = re.sub(r"\n{3,}", "\n\n", rename(text, prefixed) if options.prefix else text)
        (options.out / name).write_bytes(text.encode("utf-8"))


main()
