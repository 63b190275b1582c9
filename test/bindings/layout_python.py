#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the Python binding declares, for layout.py."""
import ctypes
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/bindings/python"))

import tenon  # noqa: E402

C_NAMES = {"StrStruct": "str", "IoStruct": "io", "IovStruct": "iov"}


def main():
    for name, kind in vars(tenon).items():
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure):
            owner = "tenon_" + C_NAMES.get(name, name[:-len("Struct")].lower())
            print("struct", owner, ctypes.sizeof(kind))
            for field, _ in kind._fields_:
                place = getattr(kind, field)
                print("field", owner, field, place.offset, place.size)
        elif isinstance(kind, int) and name.isupper():
            # printed as C prints its 64 bits
            print("number", "TENON_" + name, kind - 2**64 if kind >= 2**63 else kind)
    for status, error in tenon.ERRORS.items():
        print("number", error.name, status)
    for rule, number in tenon.RULES.items():
        print("number", "TENON_RULE_" + rule, number)


main()
