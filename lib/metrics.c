#include <config.h>

#include "metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "mem.h"

/* Up to what a client waits at all (TIMEOUT_HTTP_MS): beyond, all are the same failure. */
static const double bounds[METRIC_BUCKETS] = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 20 };

void metrics_family(struct buf *out, const char *name, enum metric_type type, const char *help)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };

	buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

static void add_value(struct buf *out, double v)
{
	if (fabs(v) < 1e15 && v == (double)(int64_t)v)
		buf_fmt(out, " %.0f\n", v);
	else
		buf_fmt(out, " %.9g\n", v);
}

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_fmt(out, "\\n");
		else
			buf_fmt(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
}

void metrics_sample(struct buf *out, const char *name, const char *const *labels, double value)
{
	buf_fmt(out, "%s", name);
	for (size_t i = 0; labels && labels[i]; i += 2) {
		buf_fmt(out, "%s%s=\"", i ? "," : "{", labels[i]);
		add_escaped(out, labels[i + 1]);
		buf_fmt(out, "\"%s", labels[i + 2] ? "" : "}");
	}
	add_value(out, value);
}

void metrics_one(struct buf *out, const char *name, enum metric_type type, const char *help, double value)
{
	metrics_family(out, name, type, help);
	metrics_sample(out, name, NULL, value);
}

void metrics_observe(struct metric_histogram *h, int64_t us)
{
	size_t i = 0;

	while (i < METRIC_BUCKETS && (double)us > bounds[i] * 1e6)
		i++;
	atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_us, (uint64_t)(us > 0 ? us : 0), memory_order_relaxed);
}

void metrics_histogram(struct buf *out, const char *name, const char *help, const struct metric_histogram *h)
{
	char part[100], le[16];
	uint64_t n = 0;

	metrics_family(out, name, METRIC_HISTOGRAM, help);
	snprintf(part, sizeof part, "%s_bucket", name);
	for (size_t i = 0; i <= METRIC_BUCKETS; i++) {
		n += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
		if (i < METRIC_BUCKETS)
			snprintf(le, sizeof le, "%g", bounds[i]);
		else
			snprintf(le, sizeof le, "+Inf");
		metrics_sample(out, part, METRIC_LABELS("le", le), (double)n);
	}
	snprintf(part, sizeof part, "%s_sum", name);
	metrics_sample(out, part, NULL, (double)atomic_load_explicit(&h->sum_us, memory_order_relaxed) / 1e6);
	snprintf(part, sizeof part, "%s_count", name);
	metrics_sample(out, part, NULL, (double)n);	/* of the same moment as the buckets */
}
