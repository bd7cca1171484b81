/* account.h - one work order as three witnesses tell of it: the ledger, the signer's journal and the stations' signed records.
 * Where they differ, a unit or a certificate is somewhere that nobody answers for. */
#ifndef HANDSEL_ACCOUNT_H
#define HANDSEL_ACCOUNT_H

#include "cmd.h"
#include "ledger.h"

enum witness { BY_LEDGER, BY_SIGNER, BY_RECORD, WITNESSES };

/* What a witness says of a certificate. */
enum tale { TALE_NONE, TALE_PENDING, TALE_ACTIVE, TALE_OVER };

struct account_entry {			/* of each certificate */
	uint8_t sha256[SHA256_LEN];
	struct device_id device;
	enum tale tale[WITNESSES];	/* a station's record of a PASS: ACTIVE */
	char station[LIMIT_NAME + 1];	/* whose record; "" = none */
};

struct account_finding {
	char serial[LIMIT_SERIAL + 1];	/* "-": of none */
	char text[200];
};

struct account {
	struct work_order order;
	struct ledger_order row;
	/* units: ordered = good + scrap + open */
	uint32_t good, scrap, open;	/* scrap: of a serial that has had its unit, and nothing active or pending now */
	uint32_t pending;		/* of the open ones: begun, not confirmed */
	uint64_t keys, keys_max;	/* signed, and how many may be */
	uint32_t records, stations;	/* records of this order that are good, of any outcome; stations whose folders were read */
	uint32_t passed;		/* of them PASS */
	struct account_entry *entry;	/* by serial */
	size_t n;
	struct account_finding *finding;	/* by serial; none: all agree */
	size_t n_findings;
};

/* dirs: the stations' folders, each with its records/. Codes of what cannot be read; what does not fit is a finding. Free in any
 * case. */
int account_make(struct account *a, struct office *o, const char *id, const char *const *dirs, size_t n_dirs, struct err *e);
void account_free(struct account *a);

#endif
