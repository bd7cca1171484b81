/* records.h - the station writes its records: signed, and with a line in the index each (record_index.h reads them). */
#ifndef HANDSEL_RECORDS_H
#define HANDSEL_RECORDS_H

#include "record_index.h"
#include "station.h"

struct records;

/* For the station that writes. What a power cut left half done is finished or removed, with a message. The station must outlive
 * it. spool: each record gets a second name in DIR/spool, for the MES. */
struct records *records_open(const struct station *s, bool spool, struct err *e);
void records_close(struct records *rs);

/* Signs and writes the record; when it returns 0, all is on the disk. Sets r->previous. Any thread. Code STORAGE. */
int records_add(struct records *rs, struct record *r, struct err *e);

#endif
