/* metrics.h - figures of a daemon in the text format of Prometheus (exposition format 0.0.4).
 *
 * Names: handsel_PROGRAM_WHAT_UNIT, "_total" behind what only grows, base units (seconds, bytes). Labels have few values, all of them
 * ours: never a serial, a request id, an address or anything else that a peer can choose. */
#ifndef HANDSEL_METRICS_H
#define HANDSEL_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* The head of a family; its samples follow, all of them, before the next one. */
void metrics_family(struct buf *out, const char *name, enum metric_type type, const char *help);
/* labels: NULL-terminated pairs of name and value, or NULL. The values are escaped. */
void metrics_sample(struct buf *out, const char *name, const char *const *labels, double value);
#define METRIC_LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })
/* A family of one sample without labels. */
void metrics_one(struct buf *out, const char *name, enum metric_type type, const char *help, double value);

/* ---- how long something takes; zero it. Counted from any thread. ---- */
#define METRIC_BUCKETS 12	/* 1 ms to 20 s and beyond: metrics.c */
struct metric_histogram {
	atomic_uint_least64_t bucket[METRIC_BUCKETS + 1], sum_us;
};
void metrics_observe(struct metric_histogram *h, int64_t us);
void metrics_histogram(struct buf *out, const char *name, const char *help, const struct metric_histogram *h);

#endif
