"""Colours that colour-blind readers and printers keep apart. Whatever they say, a sign also says.

Blue and vermilion from Okabe and Ito, "Color Universal Design" (2008), darkened until text in them is legible on
white (contrast of 4.5 or more, WCAG 2).
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
