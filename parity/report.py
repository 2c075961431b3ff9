"""Opens a report in headless Chromium, uses it, and measures it.

    cargo run --release -p equipoise-eval --example sample_report -- FOLDER
    python parity/report.py FOLDER/lvis/report.html [--pictures FOLDER] [--browser chromium]

Checks, in light and dark and at 400 and 1,440 pixels: the page fits the screen; the table sorts, searches and filters, the leaderboard sorts; the slider moves the figure; arrow
keys name a class and Enter shows it; a click on a dot shows its class; every control has a name; every text has the contrast of WCAG AA. Prints the time until
the page is laid out, the median of five. Exits with 1 when a check fails or that time is above two seconds. `--pictures` keeps screenshots and the printed page.
Optional: nothing in the build or the tests needs a browser. Standard library only.
"""

import argparse
import html
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BUDGET_MS = 2000
SCHEMES = {"light": 1, "dark": 0}
WIDTHS = (400, 1440)
# Runs inside the page after it has loaded.
OPENED = """
window.addEventListener("load", () => { void document.body.offsetHeight; done({ opened: performance.now(), rows: document.querySelectorAll("table.classes tbody tr").length }); });
"""
USED = r"""
const problems = [], facts = {};
const expect = (fine, what) => { if (!fine) problems.push(what); };
const luminance = ([r, g, b]) => { const f = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
const parts = colour => { const n = (colour.match(/[\d.]+/g) || []).map(Number); return n.length < 3 || n[3] === 0 ? null : n; };
function ground(element) {
  for (let at = element; at; at = at.parentElement) { const colour = parts(getComputedStyle(at).backgroundColor); if (colour) return colour; }
  return parts(getComputedStyle(document.body).backgroundColor);
}
function contrasts() {
  const low = new Map();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("script, style, template, .panels svg, [hidden], .hidden, .skip") || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), inside = element.closest("svg");
    const front = parts(inside ? style.fill : style.color);
    if (!front) continue;
    const back = inside ? (parts(getComputedStyle(inside.querySelector("rect.f-paper") || inside).fill) && inside.querySelector("rect.f-paper") ? parts(getComputedStyle(inside.querySelector("rect.f-paper")).fill) : ground(inside)) : ground(element);
    const [a, b] = [luminance(front), luminance(back)], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) low.set(element.tagName + "." + (element.getAttribute("class") || ""), ratio.toFixed(2));
  }
  return [...low];
}
const named = element => (element.getAttribute("aria-label") || element.textContent || "").trim() || (element.labels && element.labels.length) || element.getAttribute("aria-labelledby");
window.addEventListener("load", () => setTimeout(async () => {
  facts.width = innerWidth;
  facts.scroll = document.documentElement.scrollWidth;
  expect(facts.scroll <= innerWidth, `the page is ${facts.scroll} wide on a screen of ${innerWidth}`);
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
  expect(new Set(ids).size === ids.length, "ids are repeated: " + ids.filter((id, at) => ids.indexOf(id) !== at));
  for (const e of document.querySelectorAll("button, input, select, a, [tabindex], [role=img]")) if (e.getClientRects().length) expect(named(e), "no name: " + e.outerHTML.slice(0, 90));
  for (const reference of document.querySelectorAll("nav a")) expect(document.querySelector(reference.getAttribute("href")), "dead link " + reference.href);
  const table = document.querySelector("table.classes"), rows = () => [...table.tBodies[0].rows].filter(row => !row.hidden);
  if (table) {
    const all = rows().length, heads = [...table.tHead.rows[1].cells];
    const started = performance.now();
    heads[2].firstChild.click();
    heads[2].firstChild.click();
    const counts = rows().map(row => Number(row.cells[2].textContent));
    expect(counts.every((count, at) => !at || counts[at - 1] >= count), "not sorted by pictures, most first");
    expect(heads[2].getAttribute("aria-sort") === "descending", "aria-sort is not set");
    const group = document.getElementById("of-group"), find = document.getElementById("find");
    group.value = "rare"; group.dispatchEvent(new Event("input"));
    expect(rows().length > 0 && rows().length < all && rows().every(row => row.cells[1].textContent === "rare"), "the group filter");
    const name = rows()[0].cells[0].textContent;
    find.value = name.toUpperCase(); find.dispatchEvent(new Event("input"));
    expect(rows().length >= 1 && rows().every(row => row.cells[0].textContent.toLowerCase().includes(name.toLowerCase())), "the search");
    find.value = group.value = ""; find.dispatchEvent(new Event("input"));
    expect(rows().length === all, "the filters are not undone");
    facts.classes = all;
  }
  const leaders = document.querySelector("table.leaders");
  if (leaders) {
    const scores = at => [...leaders.tBodies[0].rows].map(row => parseFloat(row.cells[at].textContent)).filter(score => !Number.isNaN(score));
    const falls = list => list.every((score, at) => !at || list[at - 1] >= score);
    expect(falls(scores(1)), "the leaderboard does not begin with the best AP");
    const head = leaders.tHead.rows[0].cells[2];
    head.firstChild.click();
    expect(falls(scores(2)) && head.getAttribute("aria-sort") === "descending", "the leaderboard is not sorted by APr, best first");
    head.firstChild.click();
    expect(falls(scores(2).reverse()), "the leaderboard is not sorted the other way");
    leaders.tHead.rows[0].cells[1].firstChild.click();
    expect(falls(scores(1)), "the leaderboard is not sorted by AP again");
  }
  // Sections that are not on the screen are not laid out: each is looked at.
  document.querySelectorAll("main > section").forEach(section => { section.style.contentVisibility = "visible"; });
  await new Promise(next => setTimeout(next, 400));
  expect(document.documentElement.scrollWidth <= innerWidth, `the page is ${document.documentElement.scrollWidth} wide on a screen of ${innerWidth}`);
  const dialog = document.getElementById("class"), slider = document.getElementById("moment"), plot = document.getElementById("plot");
  if (slider) {
    const curve = () => plot.querySelector("g path:last-child").getAttribute("d"), last = curve();
    slider.value = 0; slider.dispatchEvent(new Event("input"));
    expect(curve() !== last, "the slider does not move the figure");
    facts.first = document.getElementById("moment-step").value;
    slider.value = slider.max; slider.dispatchEvent(new Event("input"));
    expect(curve() === last, "the slider does not come back");
    const started = performance.now();
    for (let at = 0; at <= slider.max; at++) { slider.value = at; slider.dispatchEvent(new Event("input")); }
    facts.snapshots = Number(slider.max) + 1;
    const press = key => plot.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    press("Home"); const first = plot.getAttribute("aria-valuetext");
    press("ArrowRight"); press("ArrowRight");
    expect(first !== plot.getAttribute("aria-valuetext") && plot.getAttribute("aria-valuenow") === "3", "arrow keys do not go from class to class");
    const name = document.querySelector("#readout b").textContent;
    expect(plot.getAttribute("aria-valuetext").startsWith(name + ","), "what is shown is not what is read");
    press("Enter");
    expect(dialog.open && document.getElementById("class-name").textContent.startsWith(name), "Enter does not show the class");
    facts.pictures = dialog.querySelectorAll(".card").length;
    facts.dialog = contrasts();
    document.getElementById("class-before").click();
    expect(!document.getElementById("class-name").textContent.startsWith(name + " "), "the class before");
    document.getElementById("class-close").click();
    expect(!dialog.open, "the class does not close");
  }
  const dot = document.querySelector("#classes-ap [data-class]");
  if (dot) {
    dot.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    const name = dot.querySelector("title").textContent.split(" · ")[0];
    expect(dialog.open && document.getElementById("class-name").textContent.startsWith(name), "a click on a dot does not show its class");
    dialog.close();
  }
  const low = contrasts().concat(facts.dialog || []);
  expect(!low.length, "low contrast: " + JSON.stringify(low));
  done({ problems, ...facts });
}, 800));
"""


def browse(browser: str, page: Path, width: int, scheme: str, *options: str) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        command += [f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", f"--window-size={width},1000", *options, page.resolve().as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)


def framed(page: Path, width: int, folder: Path, height: int) -> Path:
    """A window of Chromium is never narrower than 500 pixels; a frame is."""
    frame = folder / "frame.html"
    style = "<style>body{margin:0}iframe{border:0;display:block}</style>"
    frame.write_text(f'<!doctype html>{style}<iframe width="{width}" height="{height}" src="{page.resolve().as_uri()}"></iframe><script>{LISTEN}</script>')
    return frame


# What the page hands to `done` is written where `--dump-dom` shows it, also out of a frame.
LISTEN = "addEventListener('message', told => { const e = document.createElement('pre'); e.id = 'told'; e.textContent = told.data; document.body.append(e); });"
DONE = "const done = facts => parent.postMessage(JSON.stringify(facts), '*');"


def ask(browser: str, page: Path, width: int, scheme: str, script: str, *options: str) -> dict:
    """What the script hands to `done`, from inside a copy of the page."""
    source = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.html"
        copy.write_text(source.replace("</body>", f"<script>{{{LISTEN}\n{DONE}\n{script}}}</script></body>"), encoding="utf-8")
        shown = framed(copy, width, Path(folder), 1000) if width < 500 else copy
        found = re.search(r'<pre id="told">(.*?)</pre>', browse(browser, shown, width, scheme, "--dump-dom", *options).stdout, re.S)
    if not found:
        raise SystemExit(f"{page}: the page's script did not come to its end at {width} pixels, {scheme}")
    return json.loads(html.unescape(found.group(1)))


def pictures(browser: str, page: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        for scheme in SCHEMES:
            for width in WIDTHS:
                shown = framed(page, width, Path(place), 9000) if width < 500 else page
                shot = f"--screenshot={folder / f'{scheme}_{width}.png'}"
                browse(browser, shown, width, scheme, shot, f"--window-size={width},9000", "--virtual-time-budget=3000")
    browse(browser, page, 1440, "light", f"--print-to-pdf={folder / 'printed.pdf'}", "--no-pdf-header-footer")


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("page", type=Path)
    arguments.add_argument("--pictures", type=Path)
    arguments.add_argument("--browser", default="chromium")
    asked = arguments.parse_args()
    failed = False
    for scheme in SCHEMES:
        for width in WIDTHS:
            told = ask(asked.browser, asked.page, width, scheme, USED, "--virtual-time-budget=10000")
            failed |= bool(told["problems"])
            print(f"{scheme} {width}: {'; '.join(told.pop('problems')) or 'fine'} {told}")
    opened = sorted(ask(asked.browser, asked.page, 1440, "light", OPENED)["opened"] for _ in range(5))
    print(f"opened and laid out after {', '.join(f'{ms:.0f}' for ms in opened)} ms; {asked.page.stat().st_size / 1e6:.2f} MB")
    if asked.pictures:
        pictures(asked.browser, asked.page, asked.pictures)
    return int(failed or opened[2] > BUDGET_MS)


if __name__ == "__main__":
    sys.exit(main())
