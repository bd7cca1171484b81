/* journal.h - which units are under way, on disk: a station that was killed says what it cut, and goes on with it.
 *
 * One file for each unit, DIR/journal/RECORD.yaml, replaced before each phase that matters and removed when the unit's record
 * is written and the device was told. A file is whole or it is not there (lib/file.h); one that a bad disk has spoilt is set
 * aside under another name. What stands there at the start are cuts. */
#ifndef HANDSEL_JOURNAL_H
#define HANDSEL_JOURNAL_H

#include "record.h"

struct journal_entry {
	char record[RECORD_ID_LEN + 1];		/* the id that its record has, or will have */
	char order[CA_ID_MAX + 1], slot[LIMIT_NAME + 1], port[RECORD_PORT_MAX];
	struct device_id device;		/* serial "" as long as the device has not said it */
	struct request_id request;		/* id "": nothing was prepared yet */
	enum phase phase;			/* under way, or about to be */
	int64_t start, time;			/* UTC: of the unit, of this phase */
	uint32_t tries;				/* 1: was never cut before */
	uint32_t label_given;			/* how often the printer got its label, or may have got it */
	uint8_t labelled[SHA256_LEN];		/* of the public key on the label that is on paper; zeros: none is */
};

struct journal;

/* Makes the folder if need be, locks it against a second process, and reads the cuts. NULL: CONFIG (locked), STORAGE. */
struct journal *journal_open(const char *dir, struct err *e);
void journal_close(struct journal *j);

/* The cuts that nobody has taken yet, in the order of their times. Only for the time before the first thread. */
size_t journal_count(const struct journal *j);
const struct journal_entry *journal_cut(const struct journal *j, size_t i);

/* All of these may be called by any thread. Codes STORAGE, CONFIG (the path is too long). */
int journal_write(const struct journal *j, const struct journal_entry *x, struct err *e);
int journal_remove(struct journal *j, const char *record, struct err *e);	/* from disk, and from the cuts */

/* Takes the cut of this serial in this order off the list, not off the disk; false if there is none. */
bool journal_take(struct journal *j, const char *order, const char *serial, struct journal_entry *out);
void journal_put_back(struct journal *j, const struct journal_entry *x);

/* The text of a file, and back: code CONFIG with name:line. */
void journal_entry_write(const struct journal_entry *x, struct buf *text);
int journal_entry_read(struct journal_entry *x, const char *name, const struct buf *text, struct err *e);

#endif
