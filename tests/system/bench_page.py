#!/usr/bin/python3
"""The pages of fireline-bench (--html), in headless Chromium: every figure of the report is there, no text runs into
another or out of its card, at the width of a screen and of a phone, light and dark; nothing is loaded from elsewhere.

The tunnel's report is made up here, with names and failures as long and as hostile as they can be; the others are of a
round or two, just run. And what fireline-bench says when its command line or its report is wrong.

usage: bench_page.py [--keep FOLDER]    --keep: leaves the pages there, and pictures of them
"""
import argparse
import html
import json
import re
import statistics
import subprocess
from pathlib import Path

import lab

BROWSER = "chromium-headless-shell"
READERS = ((1280, "dark"), (360, "light"))  # pixels of their screens, and what they prefer
SCHEMES = {"dark": 0, "light": 1}  # Chromium's names for it
CONTRAST = 4.5  # WCAG 2.1, text of ordinary size
BROWSER_SECONDS = 120
ATTEMPTS = 5
SCRIPT_MILLISECONDS = 5000  # of virtual time: the browser waits for nothing

# Looks at the page in a frame as wide as the reader's screen: headless windows have a least width of their own.
INSPECT = """
const frame = document.getElementById("page"), page = frame.contentDocument, view = frame.contentWindow;
const found = {labels: [], problems: []};
const walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT), texts = [];
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const parent = node.parentElement;
  if (!node.data.trim() || parent.closest("script, style, title, details:not([open]) > :not(summary)")) continue;
  const range = page.createRange();
  range.selectNodeContents(node);
  for (const box of range.getClientRects()) if (box.width > 0) texts.push({text: node.data.trim(), box, parent});
}
const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 2 || b.bottom <= a.top + 2;
texts.forEach((one, i) => {
  for (const other of texts.slice(i + 1)) {
    if (!apart(one.box, other.box)) found.problems.push(`"${one.text}" runs into "${other.text}"`);
  }
  const card = one.parent.closest(".card, .tile");
  const room = card ? card.getBoundingClientRect() : {left: 0, right: page.documentElement.clientWidth};
  if (one.box.left < room.left - 1 || one.box.right > room.right + 1) found.problems.push(`"${one.text}" leaves its card`);
});
if (page.documentElement.scrollWidth > page.documentElement.clientWidth) found.problems.push("the page is wider than the screen");
for (const loaded of view.performance.getEntriesByType("resource")) found.problems.push("loads " + loaded.name);
for (const mark of page.querySelectorAll("svg rect, svg circle, svg polyline")) {
  const box = mark.getBoundingClientRect(), plot = mark.closest("figure").getBoundingClientRect();
  if (box.left < plot.left || box.right > plot.right) found.problems.push("a mark leaves its card");
}
const shade = (colour) => {
  const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
  const linear = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const style = (selector) => view.getComputedStyle(page.querySelector(selector));
const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
const back = shade(style(".card").backgroundColor);
found.contrast = Math.min(contrast(back, shade(style(".value b").color)), contrast(back, shade(style(".unit").color)));
found.background = back;
found.texts = texts.length;
found.curves = page.querySelectorAll("polyline").length;
for (const plot of page.querySelectorAll("svg[role=img]")) found.labels.push(plot.getAttribute("aria-label"));
found.tables = [...page.querySelectorAll("table")].map((table) => table.textContent);
found.report = JSON.parse(page.getElementById("report").textContent);
document.getElementById("found").textContent = JSON.stringify(found);
"""

WRAPPER = """<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="found"></pre>
<iframe id="page" style="border:0;width:{width}px;height:4000px" srcdoc="{page}"></iframe>
<script>document.getElementById("page").onload = () => {{ {script} }};</script>"""


def browse(folder, *flags):
    command = [BROWSER, "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
               f"--virtual-time-budget={SCRIPT_MILLISECONDS}", *map(str, flags)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=BROWSER_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise lab.Failure(f"{BROWSER} does not show a page: {error} {getattr(error, 'stderr', '')}")


def inspect(folder, page, width, scheme):
    path = folder / f"wrapped-{width}.html"
    path.write_text(WRAPPER.format(width=width, page=html.escape(page.read_text()), script=INSPECT))
    dom = browse(folder, "--dump-dom", f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
                 f"--window-size={max(width, 800)},4000", path.as_uri())
    text = re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)
    lab.require(text and text[1], f"the script in {page.name} ran to its end")
    return json.loads(html.unescape(text[1]))


def summary(rounds, ratio=None):
    figures = {"median": statistics.median(rounds), "low": min(rounds), "high": max(rounds), "rounds": rounds}
    return {**figures, "ratio_to_forwarder": ratio} if ratio is not None else figures


def latency(least, most):
    quantiles = [least * (most / least) ** (i / 100) ** 3 for i in range(101)]
    return {"replies": 500, "p50_ms": quantiles[50], "p99_ms": quantiles[99], "quantiles_ms": quantiles}


def tunnel_candidate(name, speed):
    """Figures in the ratios that such programs have, times `speed`."""
    def rounds(figure):
        return [round(figure * speed * factor, 4) for factor in (0.97, 1, 1.02, 0.99, 1.04)]

    measures = {"tcp_one_gbps": summary(rounds(9.87), speed), "tcp_four_gbps": summary(rounds(10.4), speed),
                "tcp_reverse_gbps": summary(rounds(9.1), speed), "cpu_seconds_per_gigabyte": summary([1.31 / speed] * 5),
                "busy_seconds_per_gigabyte": summary([1.9 / speed] * 5), "udp_flood_goodput_gbps": summary(rounds(12.25)),
                "udp_single_goodput_gbps": summary(rounds(0.91)), "udp_loss_free_gbps": summary(rounds(7.7)),
                "quic_goodput_gbps": summary(rounds(6.9)), "ping_idle_average_ms": summary([0.08 / speed] * 5),
                "ping_idle_p99_ms": summary([0.2 / speed] * 5), "ping_loaded_average_ms": summary([0.61 / speed] * 5),
                "tun_read_packets_per_call": summary(rounds(44.3)), "udp_send_packets_per_call": summary(rounds(43.9)),
                "udp_receive_packets_per_call": summary(rounds(40.0)), "tun_write_packets_per_call": summary(rounds(39.7))}
    return {"name": name, "program": "/bin/" + name, "threads": "", "failures": [], "measures": measures,
            "ping_idle": latency(0.04 / speed, 0.4 / speed), "ping_loaded": latency(0.2 / speed, 9 / speed)}


def tunnel_report():
    hostile = tunnel_candidate("a-program<script>alert(1)</script>&\"'-with-a-name-that-never-ends", 0.31)
    hostile["failures"] = ["TCP one stream: </script><b>bold</b> " + "x" * 300]
    bare = {"name": "veth", "program": "", "threads": "", "failures": [], "ping_idle": None, "ping_loaded": None,
            "measures": {"tcp_one_gbps": summary([15.5, 15.9, 14.8, 16.2, 15.7])}}
    fireline = tunnel_candidate("fireline/split/io_uring", 0.56)
    fireline["acceptance"] = [{"verdict": "PASS", "rule": "TCP 1 stream >= 55 % of forwarder", "figure": "56 %"},
                              {"verdict": "FAIL", "rule": "ping idle <= 1.5 times", "figure": "1.79 times"}]
    blocks = [{"mtu": mtu, "underlay": underlay, "ratios_refused": refused, "generators_alone_gbps": {},
               "candidates": [fireline, tunnel_candidate("forwarder", 1.0), bare, hostile]}
              for mtu, underlay, refused in ((1420, "plain", None), (1280, "software-gso", "no ratios: <busy> machine"))]
    return {"benchmark": "tunnel", "command": "fireline-bench tunnel --peers fireline,forwarder,veth </script>",
            "version": "0.0.0", "commit": "0123456789ab-dirty", "date": "2026-01-01 00:00 UTC",
            "machine": {"cores": 2, "cpu": "A CPU with a long name @ 3.0 GHz", "kernel": "6.1.0", "load_average_before": 0.1},
            "rounds": 5, "seconds": 3, "blocks": blocks}


def tunnel_labels(report):
    for block in report["blocks"]:
        for candidate in block["candidates"]:
            for key in ("tcp_one_gbps", "cpu_seconds_per_gigabyte", "udp_flood_goodput_gbps"):
                if key in candidate["measures"]:
                    yield f"{candidate['name']}: {candidate['measures'][key]['median']:.2f}"


def aead_labels(report):
    for row in report["aead"]:
        rates = [row["bytes"] / nanoseconds for nanoseconds in row["seal"]["round_ns"]]
        yield f"{row['backend']}: {statistics.median(rates):.2f}"


def udp_labels(report):
    for rows in report["underlay"].values():
        for row in rows:
            costs = [nanoseconds / report["bytes"] for nanoseconds in row["send_cost"]["round_ns"]]
            yield f"{row['send']}: {statistics.median(costs):.2f}"


def relay_labels(report):
    for block in report["blocks"]:
        for candidate in block["candidates"]:
            for key in ("latency_p50_us", "setups_per_second"):
                if key in candidate["measures"]:
                    yield f"{candidate['name']}: {candidate['measures'][key]['median']:.0f}"


def xdp_labels(report):
    for group in report["groups"]:
        for figure in group["figures"]:
            yield f"{figure['name'].replace('_', ' ')}: {figure['ns']['median']:.0f}"


def crowd_labels(report):
    for series in report["busy"]:
        name = "1 peer" if series["peers"] == 1 else f"{series['peers']} peers"
        yield f"{name}: {series['one alone, sent ns']['median']:.0f}"


# Benchmark, its command line, and what its bars say.
RUNS = (("aead", ["--rounds", "2"], aead_labels), ("udp", ["--rounds", "2"], udp_labels),
        ("relay", ["--rounds", "1", "--candidates", "fireline,forwarding", "--measure", "latency,setup"], relay_labels),
        ("xdp", ["--rounds", "1", "--channels", "1", "--no-live"], xdp_labels),
        ("crowd", ["--rounds", "1", "--peers", "64"], crowd_labels))


def check_page(folder, name, report, page, labels):
    backgrounds = {}
    for width, scheme in READERS:
        found = inspect(folder, page, width, scheme)
        lab.require(not found["problems"], f"{name}, {width} pixels, {scheme}: " + "; ".join(found["problems"][:10]))
        lab.require(found["contrast"] >= CONTRAST, f"{name}, {scheme}: text has a contrast of {found['contrast']:.1f}")
        backgrounds[scheme] = found["background"]
        for label in labels:
            lab.require(label in found["labels"], f"{name}: the bar {label} is missing among {found['labels']}")
        lab.require(found["report"] == report, f"{name}: the page holds the whole report")
        if name == "tunnel":
            lab.require(found["curves"] == 2 * (3 + 3 + 4), f"{found['curves']} curves")
            lab.require("PASS" in str(found["tables"]) and "FAIL" in str(found["tables"]), "the thresholds are there")
        lab.check(True, f"{name}, {width} pixels wide: {found['texts']} texts, each in its place, {len(labels)} figures looked up")
    lab.check(backgrounds["dark"] < 0.1 < 0.8 < backgrounds["light"], f"{name}: dark for who reads in the dark")


def measure(laboratory, *command):
    """Runs it. On a busy machine a benchmark may refuse to conclude; it is asked again then."""
    for _ in range(ATTEMPTS - 1):
        if laboratory.run(*command, must=False).returncode == 0:
            return
    laboratory.run(*command)


def scenario(laboratory, keep):
    bench = lab.built("fireline-bench")
    folder = Path(keep) if keep else laboratory.folder
    folder.mkdir(exist_ok=True)
    for name, words, make_labels in (("tunnel", None, tunnel_labels), *RUNS):
        path, page = folder / f"{name}.json", folder / f"{name}.html"
        if words is None:
            path.write_text(json.dumps(tunnel_report()))
            laboratory.run(bench, "page", path, "--html", page)
        else:
            measure(laboratory, bench, name, *words, "--json", path, "--html", page)
        report = json.loads(path.read_text())
        labels = list(make_labels(report))
        lab.require(labels, f"{name} measured something")
        check_page(folder, name, report, page, labels)
        if keep:
            for width, height in ((1280, 2600), (500, 5200)):
                for scheme, number in SCHEMES.items():
                    browse(folder, f"--screenshot={folder}/{name}-{width}-{scheme}.png", f"--window-size={width},{height}",
                           f"--blink-settings=preferredColorScheme={number}", page.as_uri())
    broken = folder / "broken.json"
    for text, sentence in (("{", "is no JSON"), ("[]", "no report of fireline-bench"), ('{"benchmark": "none"}', "no page for"),
                           ('{"benchmark": "tunnel"}', "is not complete")):
        broken.write_text(text)
        refused = laboratory.run(bench, "page", broken, "--html", folder / "none.html", must=False)
        check_refusal(refused, sentence)
    for words, sentence in (
            (["aead", "--nonsense"], "unknown here: --nonsense: see fireline-bench --help"),
            ([], "subcommand is required"),
            (["aead", "--rounds", "0"], "--rounds"),
            (["tunnel", "--measure", "everything"], "--measure"),
            (["aead", "--json", "/none/aead.json"], "cannot write /none/aead.json: check that its folder exists"),
            (["udp", "--html", folder], "it is a folder"),
            (["relay", "--json", "/none/relay.json"], "cannot write /none/relay.json"),
            (["crowd", "--json", "/none/crowd.json"], "cannot write /none/crowd.json"),
            (["xdp", "--html", "/none/xdp.html"], "cannot write /none/xdp.html")):
        check_refusal(laboratory.run(bench, *words, must=False), sentence)


def check_refusal(refused, sentence):
    """Before anything was measured, for an hour of rounds must not end in an error that was there from the start."""
    lab.check(refused.returncode == 1 and sentence in refused.stderr and refused.stderr.count("\n") == 1
              and not refused.stdout, "one sentence: " + refused.stderr.strip())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep")
    lab.run(scenario, parser.parse_args().keep)
