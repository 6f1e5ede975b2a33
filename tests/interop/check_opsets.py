#!/usr/bin/env python3
"""Does the table of operators say when each of them came and went?

    check_opsets.py OP_DEF

Holds the columns `since` and `until` of src/graph/op.def against the schemas of
the onnx package. A removed operator is one whose newest schema is deprecated;
an older deprecated one, of which a newer is not, only changed its form. Exit
status 1 when a row differs, 2 when there was nothing to compare.
"""
import re
import sys

import onnx.defs

ROW = re.compile(r'^OP\((\w+), [^)]*?(\d+), (\d+), \w+\)$', re.MULTILINE)


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


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        text = file.read()
    rows = [(name, (int(since), int(until)))
            for name, since, until in ROW.findall(text)]
    if not rows or len(rows) != text.count('\nOP('):
        print(f'{sys.argv[1]}: rows that this script cannot read')
        return 2
    ranges = schema_ranges()
    wrong = [(name, found, ranges.get(name))
             for name, found in rows if found != ranges.get(name)]
    for name, found, expected in wrong:
        print(f'{name}: since, until are {found}, not {expected}')
    print(f'{len(rows)} operators, {len(wrong)} differ from onnx '
          f'{onnx.__version__} (opset {onnx.defs.onnx_opset_version()})')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
