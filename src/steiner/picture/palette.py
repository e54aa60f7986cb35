"""Colours that stay apart for colour-blind readers and in print; whatever they say, a sign says it, too.

Blue against vermilion after Okabe and Ito, "Color Universal Design" (2008), darkened until text in them is legible on
white (contrast of 4.5 and more, WCAG 2).
"""

INK = "#1f2933"
MUTED = "#5b6672"
LINE = "#a7b1bc"
PAPER = "#ffffff"
VERIFIED, VERIFIED_TINT = "#00639c", "#e8f3fa"
REFUTED, REFUTED_TINT = "#b8430b", "#fdf0e7"
OPEN, OPEN_TINT = "#5b6672", "#f3f5f7"
RETURN = "#8a4a9e"
FORCED = "#1f2933"
