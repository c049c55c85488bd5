"""Colours that pages and pictures share; they are seen on white and on black."""

BLUE, ORANGE, GREEN, GREY, RED = "#3b7dd8", "#e07b29", "#2a9d5c", "#8a8f98", "#d1383d"
LABEL_COLORS = {"good": GREEN, "mua": ORANGE, "noise": GREY}
