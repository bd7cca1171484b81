/* ledger_acts.h - acts of operators in the ledger, and lists for them. The SQL stands in ledger_acts.c. */
#ifndef HANDSEL_LEDGER_ACTS_H
#define HANDSEL_LEDGER_ACTS_H

#include "action.h"
#include "ledger.h"

struct ledger_act {
	int64_t n;
	char id[REQUEST_ID_LEN + 1];
	char what[32], subject[2 * LIMIT_NAME + 2];
	char maker[WHO_MAX], second[WHO_MAX];	/* second "": nobody yet */
	enum ca_acted state;
	int64_t created, changed;
};
int ledger_act_get(struct db *db, const char *id, struct ledger_act *a, struct buf *cms, struct err *e);	/* cms may be NULL */
int ledger_act_add(struct db *db, const struct ledger_act *a, const struct buf *cms, struct err *e);
/* It waits no more. */
int ledger_act_end(struct db *db, const struct ledger_act *a, const struct buf *approval, struct err *e);
int ledger_acts_waiting(struct db *db, int64_t since, int64_t *n, struct err *e);
/* The action that says what needs two persons now. 1: *cms is replaced; 0: there never was one. */
int ledger_act_rule(struct db *db, struct buf *cms, struct err *e);
int ledger_act_ended_local(struct db *db, struct err *e);	/* 1: one has ended the local operator, with whatever certificate he comes */
/* Those behind row `after`, in the order in which they came, until each() returns -1. */
int ledger_act_list(struct db *db, int64_t after, int (*each)(void *arg, const struct ledger_act *a), void *arg, struct err *e);

struct ledger_unit {
	int64_t n;
	char role[CERT_ROLE_MAX], name[LIMIT_NAME + 1], serial[2 * CERT_SERIAL_MAX + 1], reason[LIMIT_NAME + 1];
	char functions[CERT_FUNCTIONS_MAX];
	int64_t created, expires, revoked;	/* revoked 0: it is not */
};
/* Certificates of units behind row `after`; operators: persons and the local one, else all others. */
int ledger_unit_list(struct db *db, bool operators, int64_t after, int (*each)(void *arg, const struct ledger_unit *u), void *arg, struct err *e);
/* All certificates of that unit. *n of them were good until now. */
int ledger_unit_end(struct db *db, const char *role, const char *name, const char *reason, int64_t now, size_t *n, struct err *e);
/* The last certificate of a customer's node that is not revoked. 1: *der is replaced; 0: there is none. */
int ledger_node_get(struct db *db, const char *name, const char *customer, struct buf *der, struct err *e);
int ledger_unit_role(struct db *db, const char *serial, char role[CERT_ROLE_MAX], struct err *e);

#endif
