"""Writes src/unicode_tables.c from Python's unicodedata.

    python3.13 tests/tools/unicode_tables.py > src/unicode_tables.c

The Unicode version is that of the Python that runs this; the output names it.
"""
import unicodedata

LAST = 0x110000
# Code points from here on are a handful of ranges that unicode.c spells out.
TABLE_END = 0x32400
BLOCK, GROUP = 16, 8  # code points in a block, blocks in a group
HANGUL = range(0xAC00, 0xD7A4)
COMPATIBILITY = range(0x2F800, 0x2FA1E)  # ideographs that stand for others

# As enum pipit_unicode_class in src/unicode.h.
CLASSES = {
    "Lu": 1, "Ll": 2, "Lt": 3, "Lm": 4, "Lo": 5, "Mn": 6, "Mc": 7, "Me": 7,
    "Nd": 8, "Nl": 8, "No": 8, "Pc": 9, "Pd": 9, "Ps": 9, "Pe": 9, "Pi": 9,
    "Pf": 9, "Po": 9, "Sm": 10, "Sc": 10, "Sk": 10, "So": 10, "Zs": 11,
    "Zl": 11, "Zp": 11, "Cc": 12, "Cf": 12, "Cs": 12, "Co": 12, "Cn": 0,
}
# White_Space beyond the separators.
SPACES = {9, 10, 11, 12, 13, 0x85}


def class_of(point):
    if point in SPACES:
        return 11
    return CLASSES[unicodedata.category(chr(point))]


def canonical(point):
    """The canonical decomposition, one step, as code points."""
    text = unicodedata.decomposition(chr(point))
    if not text or text.startswith("<"):
        return []
    return [int(word, 16) for word in text.split()]


def distinct(rows):
    """The distinct rows, and for each row the index of its like."""
    seen = {}
    return seen, [seen.setdefault(tuple(row), len(seen)) for row in rows]


def chunks(items, size):
    return [items[i : i + size] for i in range(0, len(items), size)]


def print_array(declaration, items):
    print(f"const {declaration}[{len(items)}] = {{")
    line = "   "
    for item in items:
        text = f" {item},"
        if len(line) + len(text) > 80:
            print(line)
            line = "   "
        line += text
    print(line)
    print("};\n")


def print_classes():
    for start, end, value in [(0xE0001, 0xE0002, 12), (0xE0020, 0xE0080, 12),
                              (0xE0100, 0xE01F0, 6), (0xF0000, 0xFFFFE, 12),
                              (0x100000, 0x10FFFE, 12)]:
        assert all(class_of(p) == value for p in range(start, end))
    beyond = sum(1 for p in range(TABLE_END, 0xF0000) if class_of(p))
    assert beyond == 1 + 96 + 240
    points = [class_of(p) for p in range(TABLE_END)]
    blocks, index = distinct(chunks(points, BLOCK))
    groups, top = distinct(chunks(index, GROUP))
    packed = [low | high << 4
              for block in blocks for low, high in chunks(block, 2)]
    print("/* Two classes a byte, the lower half first. */")
    print_array("uint8_t pipit_unicode_blocks", packed)
    print_array("uint16_t pipit_unicode_groups", [b for g in groups for b in g])
    print_array("uint8_t pipit_unicode_top", top)


def print_decompositions():
    narrow, wide = [], []
    for point in range(LAST):
        parts = canonical(point)
        if not parts or point in HANGUL or point in COMPATIBILITY:
            continue
        fits = max([point, *parts]) <= 0xFFFF
        row = (point, *parts, *[0] * (2 - len(parts)))
        (narrow if fits else wide).append(row)
    print("/* Code point, first, second (0: none), by code point. */")
    print_array("uint16_t pipit_unicode_narrow",
                [value for row in narrow for value in row])
    print_array("uint32_t pipit_unicode_wide",
                [value for row in wide for value in row])
    ideographs = [canonical(p) for p in COMPATIBILITY]
    assert all(len(i) == 1 and i[0] >> 16 in (0, 2) for i in ideographs)
    print(f"/* From U+{COMPATIBILITY[0]:X} on: the lower 16 bits; of plane 2? */")
    print_array("uint16_t pipit_unicode_ideographs",
                [i[0] & 0xFFFF for i in ideographs])
    planes = [i[0] >> 17 for i in ideographs]
    print_array("uint8_t pipit_unicode_ideograph_planes",
                [sum(bit << i for i, bit in enumerate(eight))
                 for eight in chunks(planes, 8)])
    pairs = [(row[1], row[2], i) for i, row in enumerate(narrow) if row[2]
             and unicodedata.normalize("NFC", chr(row[0])) == chr(row[0])]
    print("/* Rows of pipit_unicode_narrow that compose, by first, second. */")
    print_array("uint16_t pipit_unicode_compose", [i for *_, i in sorted(pairs)])


def print_combining():
    runs = []
    for point in range(LAST):
        ccc = unicodedata.combining(chr(point))
        if runs and sum(runs[-1][:2]) == point and runs[-1][2] == ccc:
            runs[-1][1] += 1
        else:
            runs.append([point, 1, ccc])
    runs = [run for run in runs if run[2]]
    assert all(start < 1 << 17 and n < 1 << 7 for start, n, _ in runs)
    print("/* Start << 15 | length << 8 | canonical combining class. */")
    print_array("uint32_t pipit_unicode_combining",
                [start << 15 | n << 8 | ccc for start, n, ccc in runs])


def print_lower():
    """Runs of capitals, each or every other one, equally far from the small
    letter."""
    runs = []
    for point in range(0x80, LAST):
        small = chr(point).lower()
        if small == chr(point) or len(small) > 1:
            continue
        delta = ord(small) - point
        if runs:
            start, step, last, there = runs[-1]
            gap = point - last
            if there == delta and gap in (1, 2) and step in (0, gap):
                runs[-1] = (start, gap, point, delta)
                continue
        runs.append((point, 0, point, delta))
    print("/* First capital, last one (bit 31: every other one), distance. */")
    print_array("uint32_t pipit_unicode_lower",
                [value for start, step, last, delta in runs
                 for value in (start, last | (1 << 31 if step == 2 else 0),
                               delta & 0xFFFFFFFF)])


print("/* Written by tests/tools/unicode_tables.py from Unicode "
      f"{unicodedata.unidata_version}. */")
print('#include "unicode_tables.h"\n')
print_classes()
print_decompositions()
print_combining()
print_lower()
