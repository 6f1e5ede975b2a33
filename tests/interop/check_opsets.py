#!/usr/bin/env python3
"""Do the tables say when each operator came and went, and what attributes are?

    check_opsets.py OP_DEF ATTR_DEF

Holds the columns `since` and `until` of src/graph/op.def, and the types of
src/graph/attr.def, against the schemas of the onnx package. A removed operator is one whose newest schema is deprecated;
an older deprecated one, of which a newer is not, only changed its form. Exit
status 1 when a row differs or cannot be read.
"""
import re
import sys

import onnx.defs

ROW = re.compile(r'^OP\((\w+), [^)]*?(\d+), (\d+), \w+\)$', re.MULTILINE)
ATTRIBUTE = re.compile(r'^ATTR\((\w+), (.*)\)$', re.MULTILINE)
TYPE = re.compile(r'A\((\w+)\)')


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


def schema_attributes(operators):
    """{name: types} of all attributes that some version of those has; Pad's
    "value", which is a number where others are tensors, is attr.c's affair."""
    types = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == '' and schema.name in operators:
            for name, attribute in schema.attributes.items():
                if (schema.name, name) != ('Pad', 'value'):
                    kind = str(attribute.type).rsplit('.', 1)[-1]
                    types.setdefault(name, set()).add(kind)
    return types


def compare(what, found, expected):
    wrong = [name for name in sorted({*found, *expected})
             if found.get(name) != expected.get(name)]
    for name in wrong:
        print(f'{name}: {what} {found.get(name)}, not {expected.get(name)}')
    return len(wrong)


def read_rows(path, pattern):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    rows = pattern.findall(text)
    macro = pattern.pattern.split('\\', 1)[0][1:]
    if not rows or len(rows) != text.count('\n' + macro + '('):
        sys.exit(f'{path}: rows that this script cannot read')
    return rows


def main():
    operators = {name: (int(since), int(until))
                 for name, since, until in read_rows(sys.argv[1], ROW)}
    attributes = {name: set(TYPE.findall(types))
                  for name, types in read_rows(sys.argv[2], ATTRIBUTE)}
    ranges = schema_ranges()
    wrong = compare('since, until are', operators,
                    {name: ranges.get(name) for name in operators})
    wrong += compare('types are', attributes, schema_attributes(operators))
    print(f'{len(operators)} operators and {len(attributes)} attributes, '
          f'{wrong} differ from onnx {onnx.__version__} '
          f'(opset {onnx.defs.onnx_opset_version()})')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
