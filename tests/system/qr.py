# qr.py - the first QR code of block characters on standard input, as a PBM picture on standard output.
import sys

lines = []
for line in sys.stdin:
    line = line.rstrip("\n")[4:]
    if line and set(line) <= set(" \u2580\u2584\u2588") and len(line) > 20:
        lines.append(line)
    elif lines:
        break
rows = []
for line in lines:
    rows.append([c in "\u2580\u2588" for c in line])
    rows.append([c in "\u2584\u2588" for c in line])
scale = 4
print("P1", len(rows[0]) * scale, len(rows) * scale)
for row in rows:
    for _ in range(scale):
        print(" ".join(("1" if dark else "0") for dark in row for _ in range(scale)))
