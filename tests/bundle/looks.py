"""What can be seen on a page in a browser: JavaScript that measures, and pictures that are read."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageStat

from tests.support.waiting import PATIENCE

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]

# Each line of text that can be seen: its words, its place, and whether it is large (WCAG 2.1:
# 18.66 CSS pixels and bold, or 24).
LINES = """(() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), lines = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!node.data.trim() || parent.closest("title, thead[hidden]")) continue;
    const clip = parent.closest("thead");
    if (clip && getComputedStyle(clip).position === "absolute") continue;
    const style = getComputedStyle(parent), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 600);
    const label = parent.closest(".label");
    const edge = label ? label.getBoundingClientRect().right : Infinity;
    const range = document.createRange();
    range.selectNodeContents(node);
    const places = [...range.getClientRects()];
    // a label that is cut has a second place, without the letters that were
    for (const r of label ? places.slice(0, 1) : places)
      if (r.width > 1) lines.push({text: node.data.trim(), large, box:
        [r.left + scrollX, r.top + scrollY, Math.min(r.right, edge) + scrollX, r.bottom + scrollY]});
  }
  return lines;
})()"""

# What sticks out of the window, or is cut off by the element that it is in.
OUTSIDE = """[...document.querySelectorAll("body *")].filter(e => {
  const r = e.getBoundingClientRect(), hidden = e.closest("thead, title");
  if (hidden || !r.width) return false;
  const cut = e instanceof HTMLElement && !e.matches(".label, bdi, span, b")
    && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline";
  return r.right > innerWidth + .5 || r.left < -.5 || cut;
}).map(e => e.outerHTML.slice(0, 90))"""

WIDTH = "document.documentElement.scrollWidth"
# Labels of pictures that end in an ellipsis.
CUT_LABELS = """[...document.querySelectorAll(".label")]
  .filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent)"""


def boxes(selector: str) -> str:
    """Return JavaScript for the places of all elements that ``selector`` finds."""
    return f"""[...document.querySelectorAll({selector!r})].map(e => {{
      const r = e.getBoundingClientRect();
      return [r.left + scrollX, r.top + scrollY, r.right + scrollX, r.bottom + scrollY];
    }})"""


def overlaps(lines: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield lines of text that are on top of each other by more than two pixels."""
    for number, one in enumerate(lines):
        for two in lines[number + 1 :]:
            left, top, right, bottom = one["box"]
            if (
                min(right, two["box"][2]) - max(left, two["box"][0]) > 2
                and min(bottom, two["box"][3]) - max(top, two["box"][1]) > 4
            ):
                yield one["text"], two["text"]


def cut(picture: Image.Image, box: list[float], scale: int) -> Image.Image:
    """Return the part of a screenshot that is at ``box`` (CSS pixels)."""
    left, top, right, bottom = (round(edge * scale) for edge in box)
    return picture.crop((left, top, right, bottom))


def colours(picture: Image.Image) -> list[tuple[int, Colour]]:
    """Return how often each colour is there, the most frequent first."""
    found: Any = picture.getcolors(picture.width * picture.height)
    return sorted(found, reverse=True)


def contrast(picture: Image.Image) -> float:
    """Return the contrast between the ground of ``picture`` and what is written on it, 1 to 21.

    The edges of letters are in between, so that the ink is the colour that differs most.
    """
    found = colours(picture)
    ground = luminance(found[0][1])
    return max(ratio(ground, luminance(colour)) for _, colour in found)


def ink(picture: Image.Image) -> float:
    """Return which part of ``picture`` differs clearly from its most frequent colour, 0 to 1."""
    found = colours(picture)
    ground = luminance(found[0][1])
    drawn = sum(count for count, colour in found if ratio(ground, luminance(colour)) > 3)
    return drawn / (picture.width * picture.height)


def difference(one: Image.Image, two: Image.Image) -> float:
    """Return how much two pictures differ, seen from afar: 0 to 255."""
    small = [picture.convert("L").resize((52, 32), Image.Resampling.BOX) for picture in (one, two)]
    return float(ImageStat.Stat(ImageChops.difference(*small)).rms[0])


def luminance(colour: Colour) -> float:
    """Return the relative luminance (WCAG 2.1)."""
    parts = (part / 255 for part in colour)
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: float, two: float) -> float:
    """Return the contrast ratio of two luminances (WCAG 2.1)."""
    return (max(one, two) + 0.05) / (min(one, two) + 0.05)


def read_code(picture: Image.Image, folder: Path) -> str:
    """Return what a scanner reads from a QR code."""
    path = folder / "code.png"
    picture.save(path)
    command = ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "-Sqrcode.binary"]
    done = subprocess.run([*command, str(path)], capture_output=True, check=True, timeout=PATIENCE)
    return done.stdout.decode().removesuffix("\n")


def sheets(pdf: bytes, folder: Path) -> list[str]:
    """Return the words on each sheet of paper."""
    path = folder / "page.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(
        ["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True, timeout=PATIENCE
    )
    return done.stdout.decode().removesuffix("\f").split("\f")


def printed(pdf: bytes, folder: Path) -> Image.Image:
    """Return the first sheet as it comes out of a printer, 72 dots an inch."""
    (folder / "page.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", "72", "-f", "1", "-l", "1", "-singlefile", "-png"]
    subprocess.run(
        [*command, str(folder / "page.pdf"), str(folder / "page")], check=True, timeout=PATIENCE
    )
    return Image.open(folder / "page.png").convert("RGB")
