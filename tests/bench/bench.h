/* bench.h - figures of the running programs: load, CPU seconds of their processes, and the raw arithmetic beside. */
#ifndef HANDSEL_BENCH_H
#define HANDSEL_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "camsg.h"
#include "err.h"
#include "http.h"
#include "key.h"
#include "x509.h"

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void need(int rc, const struct err *e, const char *what);	/* dies unless rc is 0 */

/* ---- raw.c: what the libraries need, in CPU seconds an operation ---- */
struct raw {
	double sign, verify, keygen;	/* P-256, by GnuTLS */
	double daemon_verify;		/* the same by libcrypto, as CA and node do it */
	double handshake;		/* server's side of a mutual TLS 1.3 handshake, without chain verification */
};
void raw_measure(struct raw *r, double seconds);	/* each of the five for so long */

/* The same, again and again on a thread of its own until the end: a machine that others share changes its speed within a second, and
 * nothing but what runs beside the load has the neighbours that the load has. At least once. */
struct raw_beside;
struct raw_beside *raw_begin(void);
void raw_end(struct raw_beside *b, struct raw *median);	/* frees b */

/* ---- load.c ---- */
#define LOAD_PROCESSES 8

struct options {
	const char *ca, *node;			/* addresses */
	const char *ledger;			/* rows: the folder of a customer CA that does not serve */
	const char *root, *key, *cert;		/* PEM files */
	const char *order, *manufacturer, *model, *prefix;
	const char *kits;			/* folder of prepared devices */
	uint64_t first, count, threads, batch;
	bool confirm, json;
	bool fresh;				/* ca: a new connection each */
	bool made;				/* keys that the CA makes, */
	bool rsa;				/* RSA-2048 ones */
	bool again;				/* factory: each until it is done, over all that happens to the CA meanwhile */
	uint64_t stalled;			/* ca: so many others have begun and go on with nothing: */
	const char *stall_at;			/* in the ClientHello (half), after it (whole), likewise with an octet a second (drip),
						 * after the handshake (silent), in the head of a request (head) */
	const char *name;			/* of the figure */
	struct { const char *name; pid_t pid; } process[LOAD_PROCESSES];	/* with their children */
	size_t n_processes;
};

/* One operation, many of them in parallel: thread is 0 to threads - 1. Returns how many units of work were done;
 * 0 when it failed, and says so itself. */
typedef uint64_t load_step(void *arg, unsigned thread, uint64_t i);

struct load {
	uint64_t steps, units, failed;	/* units: of the steps that succeeded */
	double wall, cpu;
	double process_cpu[LOAD_PROCESSES];
	double p50_ms, p99_ms;		/* of a step */
	struct raw raw;			/* measured beside it */
};

/* For a test of power cuts: what a device was told, and of which certificate (lib/db_record.h). */
void load_told(const char *what, const uint8_t sha256[SHA256_LEN]);

/* CPU seconds of o->process until now. */
double load_cpu(const struct options *o);

/* Runs steps 0 to n - 1 on o->threads threads, and the arithmetic beside them. */
void load_run(struct load *l, const struct options *o, uint64_t n, load_step *step, void *arg);

/* The arithmetic of one unit, in CPU seconds: with GnuTLS alone, and as the programs do it. */
struct ideal {
	double gnutls, own;
};

/* Prints the figure: units per CPU second, and its ratios to what the arithmetic alone would allow. */
void load_print(const struct load *l, const struct options *o, const char *unit, struct ideal ideal, const char *ratio_to);

/* ---- kit.c: devices with their factory credential, prepared ahead ---- */
struct kit {
	struct device_id device;
	struct key *key;		/* factory */
	struct chain chain;		/* leaf, issuing */
	struct key *next;		/* the new one */
	struct request_id request;
	struct buf csr;
	struct buf endorsement;
};
void kit_device(const struct options *o, uint64_t i, struct device_id *d);
void kit_fresh(struct kit *k, const struct options *o, uint64_t i, bool with_request);	/* device, new key, CSR */
void kit_load(struct kit *k, const struct options *o, uint64_t i, bool with_request);	/* and its factory credential */
/* The factory key signs for the next key, at a node that shows this certificate; the CSR is made anew with it. */
void kit_endorse(struct kit *k, const char *node);
void kit_save(const struct kit *k, const struct options *o);	/* next and chain become the factory credential on disk */
void kit_free(struct kit *k);

int bench_factory(const struct options *o);
int bench_ca(const struct options *o);
int bench_rows(const struct options *o);

/* ---- stalled.c ---- */
/* o->stalled connections from addresses of 127.0.0.0/8, which stay until the process ends; prints what they cost while nobody else comes. */
void stall(const struct options *o);
int bench_est(const struct options *o);

#endif
