"""Reads the text format of Prometheus (0.0.4) from stdin as strictly as its specification and promtool's lint allow; prints each
sample. Exit status 1: something is wrong, with the line."""
import re
import sys

NAME = r"[a-z][a-z0-9_]*"
LABEL = NAME + r'="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
SAMPLE = re.compile(r"(%s)(?:\{(%s(?:,%s)*)\})? (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|\+Inf)" % (NAME, LABEL, LABEL))
SERIAL = re.compile(r"[0-9]{6}|[0-9a-f]{12}")	# of a device, a certificate, a request id: never in a label


def fail(number, line, why):
    sys.exit("line %d: %s: %s" % (number, why, line))


def of_family(name, family, kind):
    if kind != "histogram":
        return name == family
    return name in (family + "_bucket", family + "_sum", family + "_count")


def check_histogram(number, line, buckets, count):
    values = [v for _, v in buckets]
    if not buckets or buckets[-1][0] != "+Inf" or values != sorted(values) or values[-1] != count:
        fail(number, line, "buckets that do not add up")


text = sys.stdin.buffer.read().decode("utf-8")
if not text.endswith("\n"):
    sys.exit("the last line has no end")
families, seen, family, kind, helped, buckets = set(), set(), None, None, None, []
for number, line in enumerate(text.split("\n")[:-1], 1):
    if line.startswith("# HELP "):
        helped, words = line.split(" ", 3)[2:]
        if helped in families or not words.strip():
            fail(number, line, "a family twice, or without help")
        continue
    if line.startswith("# TYPE "):
        family, kind = line.split(" ")[2:]
        if family != helped or kind not in ("counter", "gauge", "histogram") or not family.startswith("handsel_"):
            fail(number, line, "TYPE without its HELP, or an unknown type or name")
        if (kind == "counter") != family.endswith("_total"):
            fail(number, line, "counters, and nothing else, end with _total")
        families.add(family)
        buckets = []
        continue
    m = SAMPLE.fullmatch(line)
    if not m:
        fail(number, line, "no sample")
    if family is None or not of_family(m[1], family, kind):
        fail(number, line, "not of the family before it")
    labels = re.findall(r'(%s)="((?:[^"\\]|\\.)*)"' % NAME, m[2] or "")
    key = (m[1], tuple(sorted(labels)))
    if key in seen or len(dict(labels)) != len(labels):
        fail(number, line, "a sample or a label twice")
    seen.add(key)
    if any(SERIAL.search(value) for _, value in labels):
        fail(number, line, "a label that looks like a serial")
    if kind == "counter" and float(m[3]) < 0:
        fail(number, line, "a counter below 0")
    if m[1].endswith("_bucket"):
        buckets.append((dict(labels)["le"], float(m[3])))
    elif kind == "histogram" and m[1].endswith("_count"):
        check_histogram(number, line, buckets, float(m[3]))
    print(line)
