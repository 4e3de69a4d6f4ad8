"""Draws rows of deploy/dashboard.json from what a Prometheus has seen, without Grafana: draw_dashboard.py PROMETHEUS MINUTES PICTURE ROW...

Knows what that dashboard uses: rows, time series, the variables $service and $__rate_interval.
"""

import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

DASHBOARD = Path(__file__).parent.parent / "deploy" / "dashboard.json"
# Prometheus asks so often here; a rate needs four values (Grafana's own rule for $__rate_interval).
SCRAPE_S = 2
VARIABLES = {"$__rate_interval": f"{4 * SCRAPE_S}s", "$service": ".+"}
# A unit of the grid, in inches: Grafana's grid has 24 columns, and rows of 30 pixels.
WIDTH, HEIGHT = 16 / 24, 0.33
LEGENDS = 6
UNITS = {"s": "s", "reqps": "/s", "cps": "/s", "Bps": "B/s", "percentunit": "share", "bytes": "B", "short": ""}


def query(prometheus, expression, start, end):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    values = {"query": expression, "start": start, "end": end, "step": SCRAPE_S}
    with urllib.request.urlopen(f"{prometheus}/api/v1/query_range?{urllib.parse.urlencode(values)}", timeout=30) as reply:
        return json.load(reply)["data"]["result"]


def series(prometheus, panel, start, end):
    """Name and points of each line, those with the highest values first."""
    lines = []
    for target in panel["targets"]:
        for found in query(prometheus, target["expr"], start, end):
            name = re.sub(r"{{\s*(\w+)\s*}}", lambda match: found["metric"].get(match[1], ""), target["legendFormat"])
            points = [(float(at) - end, float(value)) for at, value in found["values"]]
            points = [(at / 60, value) for at, value in points if math.isfinite(value)]
            if points:
                lines.append((name, points))
    return sorted(lines, key=lambda line: -max(value for _, value in line[1]))


def draw(axes, panel, lines):
    unit = UNITS[panel["fieldConfig"]["defaults"]["unit"]]
    axes.set_title(f"{panel['title']}  {unit and '(' + unit + ')'}", fontsize=8, loc="left", color="#d8d9da")
    axes.tick_params(labelsize=6, colors="#9fa7b3", length=0)
    axes.grid(color="#2c3235", linewidth=0.5)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for name, points in lines:
        axes.plot(*zip(*points), linewidth=0.9, label=name)
    if lines:
        axes.set_ylim(bottom=0)
        handles, names = axes.get_legend_handles_labels()
        more = [f"and {len(lines) - LEGENDS} more"] if len(lines) > LEGENDS else []
        blank = matplotlib.lines.Line2D([], [], linewidth=0)
        legend = axes.legend(
            handles[:LEGENDS] + [blank] * len(more), names[:LEGENDS] + more, fontsize=5.5, loc="upper left", bbox_to_anchor=(0, -0.1),
            frameon=False, ncols=2, labelcolor="#d8d9da", borderpad=0, handlelength=1.2, columnspacing=1, labelspacing=0.2,
        )  # fmt: skip
        legend.set_in_layout(False)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color="#9fa7b3", fontsize=8)


def main():
    prometheus, minutes, picture, *wanted = sys.argv[1:]
    end = time.time()
    start = end - 60 * float(minutes)
    rows = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] == "row":
            rows[panel["title"]] = [panel]
        else:
            rows[list(rows)[-1]].append(panel)
    panels = [panel for title in wanted for panel in rows[title]]
    top = min(panel["gridPos"]["y"] for panel in panels)
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) - top
    figure = plt.figure(figsize=(24 * WIDTH, height * HEIGHT), facecolor="#111217")
    for panel in panels:
        at = panel["gridPos"]
        x, y, w, h = at["x"] / 24, 1 - (at["y"] - top + at["h"]) / height, at["w"] / 24, at["h"] / height
        if panel["type"] == "row":
            figure.text(0.01, y + h / 2, panel["title"], color="#d8d9da", fontsize=10, weight="bold", va="center")
            continue
        box = plt.Rectangle((x + 0.002, y + 0.03 / height), w - 0.004, h - 0.06 / height, transform=figure.transFigure, color="#181b1f", zorder=-1)
        figure.add_artist(box)
        axes = figure.add_axes((x + 0.03, y + 2.5 / height, w - 0.045, h - 3.6 / height), facecolor="#181b1f")
        draw(axes, panel, series(prometheus, panel, start, end))
    figure.savefig(picture, dpi=100, facecolor=figure.get_facecolor())


main()
