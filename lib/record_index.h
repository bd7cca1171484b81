/* record_index.h - the folder DIR/records as whoever reads it sees it: signed records and the index, which only grows
 * (doc/protocol-record.md R4, R5). The station that writes it has records.h beside this.
 *
 * ID.json is a record, ID.p7 the same bytes signed by the station. A line of `index` has the SHA-256 of the line before and
 * of the record; the record has the former, too, so that the station's signature covers the order of all records. */
#ifndef HANDSEL_RECORD_INDEX_H
#define HANDSEL_RECORD_INDEX_H

#include "file.h"
#include "record.h"
#include "x509.h"

#define INDEX_LINE_MAX 400	/* two hashes, an id, a time, an order, a serial, an outcome: 290 */

struct index_entry {
	uint8_t previous[SHA256_LEN];		/* of the line before with its LF; zeros in the first */
	char id[RECORD_ID_LEN + 1];
	int64_t end;
	char order[CA_ID_MAX + 1];
	char serial[LIMIT_SERIAL + 1];		/* "-": the unit never said it */
	enum outcome outcome;
	uint8_t sha256[SHA256_LEN];		/* of ID.json */
};

/* One line without its LF. Code REQUEST. */
int index_parse(struct index_entry *en, const char *line, struct err *e);
/* Of a line without its LF: what the next line begins with. */
void index_hash(uint8_t hash[SHA256_LEN], const char *line);

/* Calls each line in order, until it returns other than 0, which is returned. -1 with an error if the index cannot be read, or a
 * line of it. follows: its hash of the line before is right. A folder without an index has no records. */
typedef int records_visit(void *arg, const struct index_entry *en, bool follows, struct err *e);
int records_each(const char *dir, records_visit *visit, void *arg, struct err *e);

int records_path(char path[FILE_PATH], const char *folder, const char *id, const char *suffix, struct err *e);
/* The bytes of DIR/records/ID.json, or of another suffix. Replaces *data. */
int records_load(const char *dir, const char *id, const char *suffix, struct buf *data, struct err *e);
/* ID.json parsed, not verified. *r is to be freed, also after a failure. The error names the record. */
int records_read(const char *dir, const char *id, struct record *r, struct err *e);
/* The record in a .p7, and who signed it (signer may be NULL): any station under the root. Replaces *json. */
int records_open_signed(struct trust *t, const struct buf *p7, struct buf *json, struct cert *signer, struct err *e);

/* Verifies one record of DIR/records by the factory's root, without network: the station's signature, that it is the one of the
 * index, and of a PASS the device's certificate and its signature (R6). *r is to be freed, also after a failure. The error says
 * what is wrong. */
int records_verify(const char *dir, struct trust *t, const struct index_entry *en, struct record *r, struct err *e);

#endif
