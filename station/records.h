/* records.h - the folder DIR/records: signed records and the index, which only grows (doc/protocol-record.md R4, R5).
 *
 * ID.json is a record, ID.p7 the same bytes signed by the station. A line of `index` has the SHA-256 of the line before and
 * of the record; the record has the former, too, so that the station's signature covers the order of all records. */
#ifndef HANDSEL_RECORDS_H
#define HANDSEL_RECORDS_H

#include "record.h"
#include "station.h"

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

struct records;

/* For the station that writes. What a power cut left half done is finished or removed, with a message. The station must outlive
 * it. spool: each record gets a second name in DIR/spool, for the MES. */
struct records *records_open(const struct station *s, bool spool, struct err *e);
void records_close(struct records *rs);

/* Signs and writes the record; when it returns 0, all is on the disk. Sets r->previous. Any thread. Code STORAGE. */
int records_add(struct records *rs, struct record *r, struct err *e);

/* Calls each line in order, until it returns other than 0, which is returned. -1 with an error if the index cannot be read, or a
 * line of it. follows: its hash of the line before is right. A folder without an index has no records. */
typedef int records_visit(void *arg, const struct index_entry *en, bool follows, struct err *e);
int records_each(const char *dir, records_visit *visit, void *arg, struct err *e);

/* The bytes of DIR/records/ID.json, or of another suffix. Replaces *data. */
int records_load(const char *dir, const char *id, const char *suffix, struct buf *data, struct err *e);

/* Verifies one record by root and station, without network: the station's signature, that it is the one of the index, and of
 * a PASS the device's certificate and its signature (R6). Needs station_offline(). *r is to be freed, also after a failure.
 * The error says what is wrong. */
int records_verify(const struct station *s, const struct index_entry *en, struct record *r, struct err *e);

#endif
