"""The strip of README.md: the tour at a glance, from the pictures that tour.py has taken.

    python docs/screenshots/strip.py docs/images

Writes ``strip.png`` beside them.
"""

import sys
from pathlib import Path

import matplotlib
from pictures import save
from PIL import Image, ImageDraw, ImageFont

STEPS = {
    "tour-open-sample": "1  Open an image",
    "tour-atoms": "2  Detect the atoms",
    "tour-training": "3  Train a model",
    "tour-explore": "4  Explore what differs",
}
WIDTH, CAPTION, GAP = 683, 40, 12  # px, half of a window each


def main(folder: Path) -> None:
    font = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", 20)
    shots = [Image.open(folder / f"{name}.png").convert("RGB") for name in STEPS]
    shots = [shot.resize((WIDTH, WIDTH * shot.height // shot.width), Image.Resampling.LANCZOS) for shot in shots]
    height = CAPTION + shots[0].height
    strip = Image.new("RGB", (2 * WIDTH + GAP, 2 * height + GAP), "white")
    draw = ImageDraw.Draw(strip)
    for number, (shot, words) in enumerate(zip(shots, STEPS.values(), strict=True)):
        left, top = (number % 2) * (WIDTH + GAP), (number // 2) * (height + GAP)
        draw.text((left + 4, top + 6), words, "black", font)
        strip.paste(shot, (left, top + CAPTION))
    save(strip, folder / "strip.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
