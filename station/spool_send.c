#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "fault.h"
#include "log.h"
#include "mem.h"
#include "record_index.h"
#include "spool.h"

#define PAUSE_S 1		/* before the MES gets a record again at which it failed; it doubles */
#define PAUSE_MAX_S 60		/* a MES that was repaired has all of them within a minute */

struct pass {
	const struct station *station;
	struct spooled *list;
	size_t n;
	bool *gone;			/* of the list: taken or refused, here or by another process */
	size_t left;			/* of them that are not */
	char (*kept)[LIMIT_SERIAL + 1];	/* units of which an older record waits: theirs stay in order */
	size_t n_kept;
	struct spool_count *count;
	char first[RECORD_ID_LEN + 1];	/* that it failed at for the first time, and why; "": none */
	struct err why;
};

static void keep_order(struct pass *p, const char *serial)
{
	if (strcmp(serial, "-") == 0)
		return;
	p->kept = mem_grow(p->kept, p->n_kept + 1, sizeof *p->kept);
	text_copy(p->kept[p->n_kept++], sizeof *p->kept, serial);
}

/* Only then is a record opened that nobody has failed at. */
static bool is_behind_another(const struct pass *p, const char *id)
{
	char serial[LIMIT_SERIAL + 1];

	if (!p->n_kept)
		return false;
	spool_serial(serial, p->station->dir, id);
	for (size_t i = 0; i < p->n_kept; i++)
		if (strcmp(p->kept[i], serial) == 0)
			return true;
	return false;
}

/* Seconds; 0: now. A clock that was set back makes nothing wait. */
static int64_t due_in(const struct spool_note *note)
{
	int64_t pause = PAUSE_S, now = clock_utc();

	for (unsigned i = 1; i < note->tries && pause < PAUSE_MAX_S; i++)
		pause *= 2;
	if (pause > PAUSE_MAX_S)
		pause = PAUSE_MAX_S;
	return note->time > now || now > note->time + pause ? 0 : note->time + pause + 1 - now;
}

/* ---- one record ------------------------------------------------------------------------ */

static int hold(struct pass *p, const char *id, const struct err *why, struct err *e)
{
	struct spool_note note;

	spool_note(&note, p->station->dir, SPOOL_WAITING, id);
	if (note.tries++ == 0) {
		spool_serial(note.serial, p->station->dir, id);
		if (!p->first[0]) {
			memcpy(p->first, id, sizeof p->first);
			p->why = *why;
		}
	}
	text_copy(note.text, sizeof note.text, why->text);
	keep_order(p, note.serial);
	if (spool_tried(&note, p->station->dir, id, e) < 0)
		return -1;
	if (++p->count->row < SPOOL_FAILS_MAX)
		return 0;
	*e = *why;
	return -1;
}

/* Under the lock. -1: no more are sent. */
static int send_one(struct pass *p, size_t i, const char *path, struct err *e)
{
	const struct station *s = p->station;
	const char *id = p->list[i].id;
	struct err why = {0};
	enum mes_answer rc = mes_send(s, id, path, &why);

	if (rc == MES_LATER)
		return hold(p, id, &why, e);
	if (rc == MES_AWAY) {
		p->count->away = true;
		*e = why;
		return -1;
	}
	p->count->row = 0;
	p->gone[i] = true;
	p->left--;
	if (rc == MES_REFUSED) {
		log_warn("the MES refuses record %s: %s; handsel-station queue retry sends it again", id, why.text);
		p->count->refused++;
		return spool_refuse(s->dir, id, why.text, e);
	}
	FAULT("station.mes.taken");
	p->count->taken++;
	return spool_remove(s->dir, id, e);
}

static int try_one(struct pass *p, size_t i, struct err *e)
{
	char path[FILE_PATH], folder[FILE_PATH];
	int fd = spool_lock(p->station->dir, e), rc = -1;

	if (fd < 0)
		return -1;
	if (file_join(folder, e, p->station->dir, "spool") == 0 && records_path(path, folder, p->list[i].id, "json", e) == 0)
		rc = 0;
	if (rc == 0 && file_exists(path)) {
		rc = send_one(p, i, path, e);
	} else if (rc == 0) {		/* another process was faster */
		p->gone[i] = true;
		p->left--;
	}
	close(fd);
	return rc;
}

/* ---- all of them ------------------------------------------------------------------------- */

/* Oldest first: those that were never tried, or those that the MES failed at and that are due. 1: go_on says no. */
static int send_round(struct pass *p, bool again, bool (*go_on)(void *arg, size_t waiting), void *arg, struct err *e)
{
	p->n_kept = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct spool_note note;
		bool tried = !p->gone[i] && spool_note(&note, p->station->dir, SPOOL_WAITING, p->list[i].id);

		if (p->gone[i] || (again && !tried))
			continue;
		if (tried && (!again || due_in(&note) > 0)) {
			keep_order(p, note.serial);
			continue;
		}
		if (is_behind_another(p, p->list[i].id))
			continue;
		if (go_on && !go_on(arg, p->left))
			return 1;
		if (try_one(p, i, e) < 0)
			return -1;
	}
	return 0;
}

static void count_held(struct pass *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct spool_note note;
		int64_t ms;

		if (p->gone[i] || !spool_note(&note, p->station->dir, SPOOL_WAITING, p->list[i].id))
			continue;
		ms = due_in(&note) * 1000;
		if (p->count->held++ == 0 || ms < p->count->next_ms)
			p->count->next_ms = ms;
	}
}

int spool_send(const struct station *s, bool (*go_on)(void *arg, size_t waiting), void *arg, struct spool_count *count,
	       struct err *e)
{
	struct pass p = { .station = s, .count = count };
	size_t before;
	int rc = 0;

	*count = (struct spool_count){ .row = count->row };
	if (spool_list(s->dir, SPOOL_WAITING, &p.list, &p.n, e) < 0)
		return -1;
	p.left = p.n;
	p.gone = p.n ? mem_new(p.n, sizeof *p.gone) : NULL;
	/* What a record held back goes as soon as that one is gone. */
	do {
		before = p.left;
		rc = send_round(&p, false, go_on, arg, e);
		if (rc == 0)
			rc = send_round(&p, true, go_on, arg, e);
	} while (rc == 0 && p.left && p.left < before);
	count_held(&p);
	count->waiting = (unsigned)p.left;
	if (rc >= 0 && p.first[0])
		log_warn("record %s: %s; it is held and sent again, the others go on: handsel-station queue list", p.first, p.why.text);
	free(p.kept);
	free(p.gone);
	free(p.list);
	return rc < 0 ? -1 : 0;
}
