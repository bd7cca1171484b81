/* ledger_list.h - what was issued, searched and counted. The SQL stands in ledger_list.c.
 *
 * A search goes by an index whenever the filter names a certificate, a device, a request, a work order, a state or a time, and is as
 * quick with a million rows as with a thousand. One by a key reads the index of times through from `since` on, which has 24 octets a row. */
#ifndef HANDSEL_LEDGER_LIST_H
#define HANDSEL_LEDGER_LIST_H

#include "ledger.h"

/* NULL or "": any. */
struct ledger_filter {
	const char *order;
	const char *state;		/* as ca_state_name() has it; "expired" with `now` alone */
	const char *serial, *model, *manufacturer;	/* of the device; the last two narrow the first down */
	const char *certificate;	/* its serial number, hex */
	const char *id;			/* a request id, a device's serial or a certificate's serial */
	const uint8_t *key;		/* SHA-256 of the public key in the certificate, as SubjectPublicKeyInfo */
	int64_t since;			/* asked for then or later */
	int64_t after;			/* behind this row */
	int64_t now;			/* an active or pending one whose certificate is over by then is expired; 0: none is */
};
struct ledger_row {
	struct device_id device;
	struct ledger_request r;
	char state[16], cert_serial[2 * CERT_SERIAL_MAX + 1], reason[LIMIT_NAME + 1];
	int64_t created, changed;
	int64_t expires;		/* of the certificate, X509_NO_EXPIRY if it never does; 0: there is none */
};
/* In the order in which they were asked for, until each() returns -1. */
int ledger_list(struct db *db, const struct ledger_filter *f, int (*each)(void *arg, const struct ledger_row *row),
		void *arg, struct err *e);
/* The statement that ledger_list() runs for this filter. */
const char *ledger_list_sql(const struct ledger_filter *f);

struct ledger_count {
	char order[CA_ID_MAX + 1];	/* "": of none */
	char state[16];
	int64_t n;
};
/* Of each order and state, by order. */
int ledger_counts(struct db *db, int (*each)(void *arg, const struct ledger_count *c), void *arg, struct err *e);

/* What costs no walk over the requests. */
struct ledger_figures {
	int64_t pending, audit_rows;
};
int ledger_figures(struct db *db, struct ledger_figures *f, struct err *e);

#endif
