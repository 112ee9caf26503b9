#!/usr/bin/python3
"""Writes migrations as a C table to standard output: embed.py NAME FILE... gives `const Schema NAME`.

The order of the files is the order of the versions: 1, 2, 3 ... A number at the beginning of a file's name must be its version; a
file without one is shared by several schemas."""
import pathlib
import re
import sys


def c_string(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(f'        "{line}\\n"' for line in escaped.split("\n"))


def main(schema, *names):
    print('#include "store/schema.h"\n\nstatic const SchemaStep steps[] = {')
    for version, path in enumerate(map(pathlib.Path, names), start=1):
        number = re.match(r"\d+(?=-)", path.name)
        if number and int(number[0]) != version:
            sys.exit(f"{path}: expected migration number {version:03}")
        print(f'    {{{version}, "{path.name}",\n{c_string(path.read_text())}}},')
    print(f"}};\n\nconst Schema {schema} = {{steps, {len(names)}}};")


main(*sys.argv[1:])
