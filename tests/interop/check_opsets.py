#!/usr/bin/env python3
"""Does the table say when each operator came and went, and its attributes?

    check_opsets.py OP_DEF

Holds the columns `since`, `until` and `attrs` of src/graph/op.def against the
schemas of the onnx package. A removed operator is one whose newest schema is
deprecated; an older deprecated one, of which a newer is not, only changed its
form. Exit status 1 when a row differs or cannot be read.
"""
import re
import sys

import onnx.defs

ATTRIBUTE = r'[A-Z_]+\(\w+\)'
ROW = re.compile(r'^OP\((\w+), [^()]*?(\d+), (\d+), \w+,\s+'
                 rf'(NONE|{ATTRIBUTE}(?:\s+{ATTRIBUTE})*)\)$', re.MULTILINE)


def schema_ranges():
    """{name: (since, until)} of the ai.onnx domain; until 0: not removed."""
    history = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == '':
            history.setdefault(schema.name, []).append(
                (schema.since_version, schema.deprecated))
    ranges = {}
    for name, versions in history.items():
        newest, is_removed = max(versions)
        ranges[name] = (min(versions)[0], newest - 1 if is_removed else 0)
    return ranges


def schema_attributes():
    """{name: {"TYPE(attribute)"}} of all that some version of it has."""
    attributes = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == '':
            for name, attribute in schema.attributes.items():
                kind = str(attribute.type).rsplit('.', 1)[-1]
                attributes.setdefault(schema.name, set()).add(f'{kind}({name})')
    return attributes


def read_rows(path):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    rows = ROW.findall(text)
    if not rows or len(rows) != text.count('\nOP('):
        sys.exit(f'{path}: rows that this script cannot read')
    return rows


def main():
    rows = read_rows(sys.argv[1])
    ranges = schema_ranges()
    attributes = schema_attributes()
    wrong = 0
    for name, since, until, attrs in rows:
        found = {'since, until': (int(since), int(until)),
                 'attrs': set(attrs.split()) - {'NONE'}}
        expected = {'since, until': ranges.get(name),
                    'attrs': attributes.get(name, set())}
        for column, value in found.items():
            if value != expected[column]:
                print(f'{name}: {column} {value}, not {expected[column]}')
                wrong += 1
    print(f'{len(rows)} operators, {wrong} differ from onnx '
          f'{onnx.__version__} (opset {onnx.defs.onnx_opset_version()})')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
