/* ledger_private.h - how a row of requests is read: for ledger.c and ledger_list.c alone. */
#ifndef HANDSEL_LEDGER_PRIVATE_H
#define HANDSEL_LEDGER_PRIVATE_H

#include "ledger.h"

#define REQUEST_COLUMNS \
	"r.n, r.unit, r.id, r.generation, r.device, r.state, r.spki, r.order_id, r.took_unit, r.certificate," \
	" r.certificate_sha256, r.lapse_at, r.slot, r.mode = 'ca', r.encrypted_key, r.renews"
#define REQUEST_N 16 /* of them */
/* The units of all requests, each found by one look into UNIQUE(unit, id): they are few, and there is no index of request ids alone. */
#define EACH_UNIT \
	"u(unit) AS (SELECT min(unit) FROM request UNION ALL" \
	" SELECT (SELECT min(unit) FROM request WHERE unit > u.unit) FROM u WHERE u.unit IS NOT NULL) "

/* Statements of ledger.c whose plans a test asserts. */
extern const char ledger_confirmed_first[], ledger_confirmed_again[], ledger_renewed[], ledger_shipped[];

void request_columns(struct stmt *s, struct ledger_request *r);		/* the first of its columns */

/* What stands in the column `key`: enough to find the certificates of a public key by. */
int64_t key_number(const uint8_t spki_sha256[SHA256_LEN]);

#endif
