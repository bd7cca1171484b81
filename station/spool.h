/* spool.h - DIR/spool: records that the MES has not taken yet (doc/protocol-record.md R7). records.c puts them there before a unit is
 * shown as passed. What the MES refused lies in DIR/spool/refused, what somebody gave up in DIR/spool/dropped, each with the reason
 * beside it. Nothing here removes a record of DIR/records. */
#ifndef HANDSEL_SPOOL_H
#define HANDSEL_SPOOL_H

#include <stdint.h>

#include "record.h"
#include "station.h"

enum spool_place { SPOOL_WAITING, SPOOL_REFUSED, SPOOL_DROPPED };

struct spooled {
	char id[RECORD_ID_LEN + 1];
	int64_t time_ns;		/* of the file, UTC */
};

/* Oldest first; free() *list. No folder: none. */
int spool_list(const char *dir, enum spool_place place, struct spooled **list, size_t *n, struct err *e);

/* Of the record's unit; "-": it has none, or cannot be read, and no order to keep. */
void spool_serial(char serial[LIMIT_SERIAL + 1], const char *dir, const char *id);

#define SPOOL_TEXT_MAX 600
/* What is known of one beside its bytes. One that waits and was not tried has none. */
struct spool_note {
	unsigned tries;			/* that failed, since it was spooled or put back; of one that waits */
	int64_t time;			/* of the last of them, or when it was refused or dropped; UTC */
	char serial[LIMIT_SERIAL + 1];	/* of its unit, "-" if none is known; of one that waits */
	char text[SPOOL_TEXT_MAX];	/* why */
};
bool spool_note(struct spool_note *note, const char *dir, enum spool_place place, const char *id);
int spool_tried(const struct spool_note *note, const char *dir, const char *id, struct err *e);	/* writes that of one that waits */

/* DIR/spool itself, locked: who sends or moves a record has it. -1 with an error; close() it. */
int spool_lock(const char *dir, struct err *e);

/* Under the lock. */
int spool_remove(const char *dir, const char *id, struct err *e);	/* one that waited */
int spool_refuse(const char *dir, const char *id, const char *why, struct err *e);
/* These two take the lock. Refused, dropped or waiting for its next try: it is sent with the next. Code CONFIG: no such record is there. */
int spool_put_back(const char *dir, const char *id, struct err *e);
/* The MES is not to get it: from waiting or refused to dropped. Code CONFIG. */
int spool_drop(const char *dir, const char *id, const char *why, struct err *e);

struct spool_count {
	unsigned taken, refused, waiting;
	unsigned held;			/* of those that wait: the MES failed at them, and they have a pause of their own */
	int64_t next_ms;		/* until the first of these is due; of no meaning without one */
	bool away;			/* nobody listens: one more record changes nothing */
	unsigned row;			/* failures since the MES last took or refused one; kept from call to call, 0 for the first */
};

/* Sends what is there, oldest first, until there is no MES (returns -1 and why; the rest waits), or go_on says no before a
 * record (may be NULL). A record at which the MES fails is held, with those of the same serial behind it; the others go on, unless it
 * fails at SPOOL_FAILS_MAX of them in a row: then all of it is away (-1), and each call tries one. Two processes may do this at a time: each record is sent by one of them. */
#define SPOOL_FAILS_MAX 3
int spool_send(const struct station *s, bool (*go_on)(void *arg, size_t waiting), void *arg, struct spool_count *count,
	       struct err *e);

/* A thread that does so whenever it is woken, and again after a pause that doubles while the MES is away. It tells how many wait,
 * a few times a second at most. */
struct sender;
struct sender *sender_start(const struct station *s, void (*tell)(void *arg, size_t waiting), void *arg);
void sender_wake(struct sender *se);	/* from any thread; NULL is fine */
size_t sender_stop(struct sender *se);	/* a last try, unless the MES was away already; how many wait. NULL is fine */

#endif
