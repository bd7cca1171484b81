/* ledger_private.h - what the ledger's own files share: ledger.c, ledger_requests.c, ledger_orders.c, ledger_units.c and ledger_list.c. */
#ifndef HANDSEL_LEDGER_PRIVATE_H
#define HANDSEL_LEDGER_PRIVATE_H

#include "ledger.h"

#define REQUEST_COLUMNS \
	"r.n, r.unit, r.id, r.generation, r.device, r.state, r.spki, r.order_id, r.took_unit, r.certificate," \
	" r.certificate_sha256, r.lapse_at, r.slot, r.mode = 'ca', r.encrypted_key, r.renews"
#define REQUEST_N 16 /* of them */
/* Of a request id, from all units: the number finds the few rows, the id itself is compared. */
#define HAS_ID(row, id) row ".id_number = short_hash(" id ") AND " row ".id = " id

/* Statements whose plans a test asserts. */
extern const char ledger_confirmed_first[], ledger_confirmed_again[], ledger_renewed[], ledger_shipped[], ledger_shipped_last[],
	ledger_same_id[], ledger_of_stations[], ledger_elsewhere[], ledger_of_unit[], ledger_of_order[];

void request_columns(struct stmt *s, struct ledger_request *r);		/* the first of its columns */

/* What stands in the column `key`: enough to find the certificates of a public key by. */
int64_t key_number(const uint8_t spki_sha256[SHA256_LEN]);

void bind_int_or_null(struct stmt *s, int i, int64_t v);		/* 0 stands for none */
void bind_optional(struct stmt *s, int i, const struct buf *b);		/* an empty one likewise */

/* A number of the table meta. */
int meta_get(struct db *db, const char *name, int64_t *value, struct err *e);
int meta_add(struct db *db, const char *name, int64_t value, struct err *e);

#endif
