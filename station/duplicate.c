#include <config.h>

#include "duplicate.h"

#include <stdio.h>
#include <string.h>

#include "records.h"

struct search {
	const char *order, *serial;
	struct index_entry found;	/* id "": none */
};

static int is_earlier(void *arg, const struct index_entry *en, bool follows, struct err *e)
{
	struct search *s = arg;

	if (en->outcome == OUTCOME_PASS && strcmp(en->serial, s->serial) == 0 && strcmp(en->order, s->order) == 0)
		s->found = *en;
	return 0;
}

void duplicate_tell(const char *dir, const char *order, const char *serial, struct err *e)
{
	struct search s = { .order = order, .serial = serial };
	char when[TEXT_TIME];
	struct record r = {0};
	struct err ignored;
	size_t len = strlen(e->text);

	if (records_each(dir, is_earlier, &s, &ignored) < 0 || !s.found.id[0])
		return;
	text_time(when, s.found.end);
	if (records_read(dir, s.found.id, &r, &ignored) == 0)
		snprintf(e->text + len, sizeof e->text - len, "; serial %s passed on %s at station %s, slot %s, %s%s, record %s", serial, when,
			 r.station, r.slot, r.operator[0] ? "by " : "nobody was logged in", r.operator, r.id);
	record_free(&r);
}
