#!/usr/bin/python3
"""Writes the migrations NNN-*.sql, given as arguments, as the C table schema_steps[] to standard output.

The number in a file's name is the database version after it, so the numbers must be 1, 2, 3 ... without a gap."""
import pathlib
import sys


def c_string(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(f'        "{line}\\n"' for line in escaped.split("\n"))


def main(names):
    paths = sorted(map(pathlib.Path, names), key=lambda path: path.name)
    print('#include "store/schema.h"\n\nconst SchemaStep schema_steps[] = {')
    for version, path in enumerate(paths, start=1):
        if int(path.name.split("-")[0]) != version:
            sys.exit(f"{path}: expected migration number {version:03}")
        print(f'    {{{version}, "{path.name}",\n{c_string(path.read_text())}}},')
    print(f"}};\n\nconst size_t n_schema_steps = {len(paths)};")


main(sys.argv[1:])
