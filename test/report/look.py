#!/usr/bin/env python3
"""Looks at reports in a headless Chromium; TAP lines.

look.py CRAGON SCREENSHOTS_DIR [KIND...]

For each kind of job (make_job.py) the page is opened light and dark, wide and
narrow: no error, nothing from outside, nothing wider than the window, every
chart drawn, in time. Screenshots are left for people to look at.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

from browser import Browser, Page

HERE = os.path.dirname(os.path.abspath(__file__))
RENDER_MS = 2000
COMMAND_S = 2.0
VIEWS = [("wide-light", 1600, False), ("wide-dark", 1600, True), ("narrow-light", 380, False), ("narrow-dark", 380, True)]
KINDS = ["story", "days", "running", "empty", "hostile", "real"]

# A canvas is drawn when its pixels are of several colours.
COLOURS = """Array.from(document.querySelectorAll('canvas')).map(c => {
    const d = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
    return [c.dataset.chart, new Set(d.filter((v, i) => i % 7 == 0)).size];
}).filter(c => c[1] < 4).map(c => c[0])"""

OVERFLOW = """(() => { const w = document.documentElement.clientWidth; return [
    ...(document.documentElement.scrollWidth > w ? ['page'] : []),
    ...Array.from(document.querySelectorAll('main *')).filter(e => !e.closest('.scroll') && !e.closest('svg')
        && e.getClientRects().length && e.getBoundingClientRect().right > w + 1).map(e => e.tagName + '.' + e.className)
]; })()"""

# No rule may be broken by what stands in the page, and no text hide in its ground.
CONTRAST = """(() => {
    const rgb = s => (s.match(/[\\d.]+/g) || []).map(Number);
    const light = c => c.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
        if (c.length && (c.length < 4 || c[3] > 0)) return c; } return [255, 255, 255]; };
    return Array.from(document.querySelectorAll('main *')).filter(e => !e.closest('svg') && Array.from(e.childNodes)
        .some(n => n.nodeType == 3 && n.textContent.trim())).map(e => {
            const a = light(rgb(getComputedStyle(e).color)), b = light(ground(e));
            return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.tagName + '.' + e.className]; })
        .filter(c => c[0] < 4.5).map(c => c[1] + ' ' + c[0].toFixed(1));
})()"""

failures = 0


def tell(good, name, detail=""):
    global failures
    failures += not good
    print(("ok - " if good else "not ok - ") + "report/" + name, flush=True)
    if not good and detail:
        print("# " + str(detail).replace("\n", "\n# "), flush=True)


def chromium():
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def look(browser, path, name, kind, view, shots):
    label, width, dark = view
    page = Page(browser, path, width, dark)
    ready = page.wait("document.body && document.body.dataset.renderedMs")
    tell(ready, f"{name}: drawn", page.complaints())
    if not ready:
        page.close()
        return
    ms = int(page.value("document.body.dataset.renderedMs"))
    tell(ms < RENDER_MS, f"{name}: in under 2 s", f"{ms} ms")
    wanted = page.value("document.querySelectorAll('canvas').length")
    tell(str(wanted) == page.value("document.body.dataset.charts"), f"{name}: a chart for each canvas")
    tell((wanted > 0) == (kind != "empty"), f"{name}: charts where there are samples", wanted)
    blank = page.value(COLOURS)
    tell(not blank, f"{name}: no canvas is blank", blank)
    wide = page.value(OVERFLOW)
    tell(not wide, f"{name}: nothing is wider than the window", wide)
    pale = page.value(CONTRAST)
    tell(not pale, f"{name}: text is readable", pale)
    unnamed = page.value("document.querySelectorAll('canvas:not([aria-label]), svg[role=img]:not([aria-label])').length")
    tell(not unnamed, f"{name}: every picture has words")
    page.screenshot(os.path.join(shots, f"{kind}-{label}.png"))
    if kind == "real":
        text = page.value("document.querySelectorAll('.tile')[4].innerText")
        tell("2\n" in text, f"{name}: two images are on disk", text)
    if kind == "hostile":
        scripts = page.value("document.scripts.length")
        shown = page.value("document.querySelector('h1').textContent.includes('<script>alert(1)</script>')")
        tell(scripts == 3 and shown, f"{name}: a command that is a script is text", scripts)
        tell(not page.value("[...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => a.name.startsWith('on')))"),
             f"{name}: no handlers")
        tell(page.value("(() => { const s = document.createElement('script'); s.textContent = 'window.evil = 1';"
                        "document.body.append(s); return !window.evil; })()"), f"{name}: no other script can run")
        browser.events[:] = [e for e in browser.events if "Content Security Policy" not in str(e)]
    if kind == "days":
        peak = page.value("Math.max(...JSON.parse(document.getElementById('data').textContent)"
                          ".charts.find(c => c.id == 'memory-job').series[0].y)")
        tell(abs(peak - 3.9 * 2**30) < 2**22, f"{name}: the peak of one second is there", peak)
        points = page.value("Math.max(...JSON.parse(document.getElementById('data').textContent).x.map(x => x.length))")
        tell(points <= 2000, f"{name}: at most 2,000 points a line", points)
    asked = [u for u in page.requests() if not u.startswith("file://") or not u.endswith("report.html")]
    tell(not asked and len(page.requests()) == 1, f"{name}: no request", asked)
    tell(not page.complaints(), f"{name}: no complaint", "\n".join(page.complaints()))
    page.close()


def make(cragon, kind, job):
    if kind != "real":
        subprocess.run([sys.executable, os.path.join(HERE, "make_job.py"), kind, job], check=True)
        return
    subprocess.run([cragon, "run", "-q", "-i", "0.5", "-w", job, "sleep", "2"], check=True)


def main():
    cragon, shots, *kinds = sys.argv[1:]
    program = chromium()
    if not program:
        print("ok - report # SKIP chromium is not installed")
        return
    os.makedirs(shots, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cragon-report-") as work, Browser(program) as browser:
        for kind in kinds or KINDS:
            job = os.path.join(work, kind)
            make(cragon, kind, job)
            started = time.monotonic()
            done = subprocess.run([cragon, "report", job], capture_output=True, text=True)
            took = time.monotonic() - started
            tell(done.returncode == 0, f"{kind}: written", done.stderr)
            tell(took < COMMAND_S, f"{kind}: written in under 2 s", f"{took:.2f} s")
            for view in VIEWS:
                look(browser, os.path.join(job, "report.html"), f"{kind} {view[0]}", kind, view, shots)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
