/* rows.h - the lines of lists: issued certificates, orders, units, operators, acts, audit. The same for the folder's own commands and
 * for what operators ask over the network (inquire.h). */
#ifndef HANDSEL_CA_ROWS_H
#define HANDSEL_CA_ROWS_H

#include <stdio.h>

#include "audit.h"
#include "camsg.h"
#include "ledger_acts.h"
#include "ledger_list.h"

struct sheet {
	FILE *to;
	enum ca_form form;	/* CA_CSV: of what was issued alone */
	bool whole;		/* issued: with certificate and hash of its key; order: with ranges and stations */
	size_t n;
	bool later;		/* no first line: it stands on a page before */
	bool failed;		/* to write */
};

int rows_issued(void *sheet, const struct ledger_row *row);	/* -1: it cannot be written */
int rows_order(struct sheet *l, struct trust *trust, const struct ledger_order *row, const struct buf *cms);
int rows_audit(struct sheet *l, const struct audit_row *row, struct err *e);
void rows_unit(struct sheet *l, const struct ledger_unit *u);
void rows_act(struct sheet *l, const struct ledger_act *a, int64_t now);
int rows_status(struct sheet *l, struct db *ledger, int64_t now, struct err *e);

#endif
