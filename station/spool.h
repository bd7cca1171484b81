/* spool.h - DIR/spool: records that the MES has not taken yet (doc/protocol-record.md R7). records.c puts them there before a unit is
 * shown as passed. What the MES refused lies in DIR/spool/refused with the reason beside it. */
#ifndef HANDSEL_SPOOL_H
#define HANDSEL_SPOOL_H

#include <stdint.h>

#include "record.h"
#include "station.h"

struct spooled {
	char id[RECORD_ID_LEN + 1];
	int64_t time_ns;		/* of the file, UTC */
};

/* Oldest first; free() *list. No folder: none. */
int spool_list(const char *dir, bool refused, struct spooled **list, size_t *n, struct err *e);
int spool_reason(const char *dir, const char *id, char *text, size_t size);	/* of a refused one; -1: not known */
int spool_put_back(const char *dir, const char *id, struct err *e);		/* refused, to be tried again */

struct spool_count {
	unsigned taken, refused, waiting;
};

/* Sends what is there, oldest first, until the MES is not ready (returns -1 and why; the rest waits), or go_on says no before a
 * record (may be NULL). Two processes may do this at a time: each record is sent by one of them. */
int spool_send(const struct station *s, bool (*go_on)(void *arg, size_t waiting), void *arg, struct spool_count *count,
	       struct err *e);

/* A thread that does so whenever it is woken, and again after a pause that doubles while the MES is away. It tells how many wait,
 * a few times a second at most. */
struct sender;
struct sender *sender_start(const struct station *s, void (*tell)(void *arg, size_t waiting), void *arg);
void sender_wake(struct sender *se);	/* from any thread; NULL is fine */
size_t sender_stop(struct sender *se);	/* a last try, unless the MES was away already; how many wait. NULL is fine */

#endif
