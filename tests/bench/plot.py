"""Plots as SVG, of standard Python alone."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 360, 64, 36, 170, 48
COLOURS = ('#4477aa', '#cc6677', '#ddcc77', '#117733', '#882255', '#88ccee')


def text(x, y, words, anchor='middle', colour='#222'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            f' fill="{colour}">{escape(str(words))}</text>')


def frame(title, unit, top, series):
    """Title, grid from 0 to `top` and legend."""
    step = 10 ** math.floor(math.log10(top))
    while top / step < 4:
        step /= 2
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"'
             f' font-size="12" viewBox="0 0 {WIDTH} {HEIGHT}">'
             f'<title>{escape(title)}</title>'
             '<rect width="100%" height="100%" fill="#fff"/>',
             text(LEFT, 18, title, 'start'), text(LEFT, 32, unit, 'start', '#666')]
    for i in range(int(top / step) + 1):
        y = height(i * step, top)
        parts += [f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>',
                  text(LEFT - 6, y + 4, f'{i * step:g}', 'end')]
    for i, name in enumerate(series):
        y = TOP + 20 + 20 * i
        parts += [f'<rect x="{WIDTH - RIGHT + 14}" y="{y - 10}" width="12"'
                  f' height="12" fill="{COLOURS[i]}"/>',
                  text(WIDTH - RIGHT + 32, y, name, 'start')]
    return parts


def height(value, top):
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM - 10) * value / top


def bars(path, title, unit, groups, series):
    """A group of bars for each of `groups`; series: {name: values}."""
    top = max(max(values) for values in series.values())
    parts = frame(title, unit, top, series)
    wide = (WIDTH - LEFT - RIGHT) / len(groups)
    each = .8 * wide / len(series)
    for g, group in enumerate(groups):
        left = LEFT + wide * g
        parts.append(text(left + wide / 2, HEIGHT - BOTTOM + 16 + 14 * (g % 2),
                          group))
        for s, values in enumerate(series.values()):
            y = height(values[g], top)
            parts.append(f'<rect x="{left + .1 * wide + each * s:.1f}"'
                         f' y="{y:.1f}" width="{.92 * each:.1f}"'
                         f' height="{HEIGHT - BOTTOM - y:.1f}"'
                         f' fill="{COLOURS[s]}"/>')
    write(path, parts)


def lines(path, title, unit, places, series):
    """A line for each of `series`, {name: values at `places`}."""
    top = max(max(values) for values in series.values())
    parts = frame(title, unit, top, series)
    low, high = places[0], places[-1]

    def across(place):
        return LEFT + 10 + (WIDTH - LEFT - RIGHT - 20) * (place - low) / (high - low)

    parts += [text(across(p), HEIGHT - BOTTOM + 18, p) for p in places]
    for s, values in enumerate(series.values()):
        points = ' '.join(f'{across(p):.1f},{height(v, top):.1f}'
                          for p, v in zip(places, values))
        parts.append(f'<polyline points="{points}" fill="none"'
                     f' stroke="{COLOURS[s]}" stroke-width="2"/>')
    write(path, parts)


def write(path, parts):
    with open(path, 'w', encoding='utf-8') as f:
        f.write('\n'.join([*parts, '</svg>', '']))
