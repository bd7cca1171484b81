#include <config.h>

#include "failed.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

#define NAMELESS "-"	/* as in the index */

struct search {
	struct failed *found;
	const char *dir, *order;
};

void failed_free(struct failed *f)
{
	free(f->unit);
	*f = (struct failed){0};
}

static struct failed_unit *find(const struct failed *f, const char *serial, const char *slot)
{
	bool nameless = strcmp(serial, NAMELESS) == 0;

	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->unit[i].serial, serial) == 0 && (!nameless || strcmp(f->unit[i].slot, slot) == 0))
			return &f->unit[i];
	return NULL;
}

static void forget(struct failed *f, const char *serial, const char *slot)
{
	struct failed_unit *u = find(f, serial, slot);

	if (u)
		memmove(u, u + 1, (size_t)(f->unit + --f->n - u) * sizeof *u);
}

static struct failed_unit *note(struct failed *f, const char *serial, const char *slot)
{
	struct failed_unit *u = find(f, serial, slot);

	if (!u) {
		f->unit = mem_grow(f->unit, f->n + 1, sizeof *f->unit);
		u = &f->unit[f->n++];
	}
	*u = (struct failed_unit){0};
	text_copy(u->serial, sizeof u->serial, serial);
	text_copy(u->slot, sizeof u->slot, slot);
	return u;
}

/* A boot loader may have another serial than the device says later, and a unit that failed before it said any has only its slot. */
static int visit(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct search *s = arg;
	struct failed *f = s->found;
	struct record r = {0};
	int rc;

	if (strcmp(en->order, s->order) != 0 || en->outcome == OUTCOME_SKIPPED || (en->outcome == OUTCOME_PASS && !f->n))
		return 0;
	rc = records_read(s->dir, en->id, &r, e);
	if (rc == 0 && en->outcome == OUTCOME_PASS) {
		forget(f, en->serial, r.slot);
		forget(f, r.boot_serial, r.slot);
		forget(f, r.scanned, r.slot);
		forget(f, NAMELESS, r.slot);
	} else if (rc == 0) {
		struct failed_unit *u = note(f, en->serial, r.slot);

		memcpy(u->record, en->id, sizeof u->record);
		u->outcome = en->outcome;
		u->time = en->end;
		u->error = r.error;
	}
	record_free(&r);
	return rc;
}

static void add_cut(struct failed *f, const struct journal_entry *x)
{
	struct failed_unit *u = note(f, x->device.serial[0] ? x->device.serial : NAMELESS, x->slot);

	memcpy(u->record, x->record, sizeof u->record);
	u->phase = x->phase;
	u->time = x->time;
}

int failed_load(struct failed *f, const char *dir, const char *order, const struct journal *j, struct err *e)
{
	struct search s = { .found = f, .dir = dir, .order = order };

	*f = (struct failed){0};
	if (records_each(dir, visit, &s, e) < 0)
		return -1;
	for (size_t i = 0; i < journal_count(j); i++)
		if (strcmp(journal_cut(j, i)->order, order) == 0)
			add_cut(f, journal_cut(j, i));
	return 0;
}

bool failed_wants(const struct failed *f, const char *serial, const char *slot)
{
	return find(f, NAMELESS, slot) || (*serial && find(f, serial, slot));
}
