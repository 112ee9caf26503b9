"""The plots of the report: each is given what it shows and returns SVG text."""
import io
import re

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 8, "axes.spines.top": False,
                            "axes.spines.right": False, "axes.grid": True, "grid.color": "#e0e0e0", "axes.axisbelow": True,
                            "svg.hashsalt": "olaverde"})
import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"standard": "#0072b2", "threaded": "#e69f00"}  # told apart by the colour-blind too
MORE_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#f0e442")


def to_svg(figure):
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    text = out.getvalue()
    # In words that the maker of the PDF reads, too.
    text = re.sub(r"font: ([\d.]+px) ([^;\"]+)", r"font-size: \1; font-family: \2", text)
    return text[text.index("<svg"):]


def grouped_bars(groups, unit, *, errors=None):
    """{group: {mode: value}}; errors: {group: {mode: (low, high)}}, as far as they are from the value."""
    figure, axes = plt.subplots(figsize=(3.4, 2.0))
    modes = list(COLOURS)
    for m, mode in enumerate(modes):
        places = [g + (m - 0.5) * 0.36 for g in range(len(groups))]
        values = [group.get(mode, 0) for group in groups.values()]
        spans = None
        if errors:
            spans = list(zip(*(errors[name].get(mode, (0, 0)) for name in groups)))
        axes.bar(places, values, 0.34, color=COLOURS[mode], label=mode, yerr=spans, capsize=3)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set_ylabel(unit)
    axes.grid(axis="x", visible=False)
    axes.legend(frameon=False, ncol=2, loc="lower left", bbox_to_anchor=(0, 1))
    return to_svg(figure)


def small_multiples(series, unit):
    """{title: [(x, y)]}: a small plot each, of one scale."""
    figure, all_axes = plt.subplots(1, len(series), figsize=(7.0, 1.5), sharey=True, squeeze=False)
    for axes, (title, points) in zip(all_axes[0], series.items()):
        axes.step([x for x, _ in points], [y for _, y in points], where="pre", color=MORE_COLOURS[0])
        axes.set_title(title, fontsize=8)
        axes.set_xlabel("s")
    axes.set_ylim(0, 1.05 * max(y for points in series.values() for _, y in points))  # all have this one's
    all_axes[0][0].set_ylabel(unit)
    return to_svg(figure)


def curves(lines, x_title, y_title, *, is_log_y=True, width=3.4):
    """{label: [(x, y)]} over a logarithmic x."""
    figure, axes = plt.subplots(figsize=(width, 2.2))
    for colour, (label, points) in zip(MORE_COLOURS, lines.items()):
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=3, color=colour, label=label)
    axes.set_xscale("log")
    if is_log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(x_title)
    axes.set_ylabel(y_title)
    axes.legend(frameon=False, fontsize=7)
    return to_svg(figure)


def stacked(bars, unit):
    """{bar: {part: value}}, lying."""
    figure, axes = plt.subplots(figsize=(7.0, 0.5 + 0.35 * len(bars)))
    parts = list(dict.fromkeys(part for values in bars.values() for part in values))
    lefts = [0.0] * len(bars)
    for colour, part in zip(MORE_COLOURS, parts):
        widths = [values.get(part, 0) for values in bars.values()]
        axes.barh(range(len(bars)), widths, 0.6, left=lefts, color=colour, label=part)
        lefts = [left + width for left, width in zip(lefts, widths)]
    axes.set_yticks(range(len(bars)), list(bars))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(unit)
    axes.legend(frameon=False, fontsize=6.5, ncol=6, loc="lower left", bbox_to_anchor=(0, 1))
    return to_svg(figure)


def lying_bars(bars, unit):
    """{bar: (median, least, most)} on a logarithmic scale."""
    figure, axes = plt.subplots(figsize=(5, 0.4 + 0.14 * len(bars)))
    medians = [median for median, _, _ in bars.values()]
    spans = [[median - least for median, least, _ in bars.values()], [most - median for median, _, most in bars.values()]]
    axes.barh(range(len(bars)), medians, 0.7, xerr=spans, capsize=2, color=[MORE_COLOURS[name.startswith("our")] for name in bars])
    axes.set_yticks(range(len(bars)), list(bars), fontsize=6.5)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(unit)
    return to_svg(figure)
