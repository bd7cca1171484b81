#include <config.h>

#include "crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "action.h"
#include "ledger_acts.h"
#include "mem.h"

/* One for each name, in whatever case: that is a person, with however many certificates (signer_acts.c). */
struct crew {
	struct one {
		char name[LIMIT_NAME + 1];
		unsigned functions;
	} *one;
	size_t n;
	int64_t now;
	bool no_local;		/* the local operator was ended, whatever certificates he has */
};

static int add(void *arg, const struct ledger_unit *u)
{
	struct crew *c = arg;
	unsigned functions = strcmp(u->role, PERSON) == 0 ? functions_parse(u->functions) : FUNCTIONS_ALL;
	size_t i = 0;

	if (u->revoked || u->expires <= c->now || (c->no_local && strcmp(u->role, PERSON) != 0))
		return 0;
	while (i < c->n && strcasecmp(c->one[i].name, u->name) != 0)
		i++;
	if (i == c->n) {
		c->one = mem_grow(c->one, c->n + 1, sizeof *c->one);
		c->one[c->n] = (struct one){0};
		snprintf(c->one[c->n++].name, sizeof c->one->name, "%s", u->name);
	}
	c->one[i].functions |= functions;
	return 0;
}

static int load(struct crew *c, struct db *ledger, struct err *e)
{
	int ended = ledger_act_ended_local(ledger, e);

	c->no_local = ended == 1;
	return ended < 0 ? -1 : ledger_unit_list(ledger, true, 0, add, c, e);
}

/* How many may do it; the first one's name. */
static size_t count(const struct crew *c, enum act a, const char **name)
{
	struct err why;
	size_t n = 0;

	*name = "nobody";
	for (size_t i = 0; i < c->n; i++)
		if (act_allowed(a, c->one[i].name, c->one[i].functions, &why) == 0 && n++ == 0)
			*name = c->one[i].name;
	return n;
}

int crew_suffices(struct db *ledger, unsigned acts, int64_t now, struct err *e)
{
	struct crew c = { .now = now };
	int rc = load(&c, ledger, e);
	const char *name;

	for (unsigned a = 0; a < ACT_COUNT && rc == 0; a++)
		if (acts & 1u << a && count(&c, (enum act)a, &name) < 2)
			rc = err_set(e, REASON_ROLE, "nobody could approve %s: it would take two persons, and %s alone may do it now; invite another one for "
				     "it first (\"operator invite\"), and have him enrolled", act_name((enum act)a), name);
	free(c.one);
	return rc;
}

/* The rule that is in force, as the ledger has it; what it cannot read says nothing. */
static int rule(struct db *ledger, struct trust *trust, unsigned *acts, struct err *e)
{
	struct action a = {0};
	struct buf cms = {0};
	struct err ignored;
	int rc = ledger_act_rule(ledger, &cms, e);

	*acts = rc == 1 && action_read(&a, cms.data, cms.len, trust, &ignored) == 0 && a.guarded ? a.guarded | 1u << ACT_TWO_PERSON : 0;
	action_free(&a);
	buf_free(&cms);
	return rc < 0 ? -1 : 0;
}

int crew_locked(struct db *ledger, struct trust *trust, int64_t now, unsigned *locked, struct err *e)
{
	struct crew c = { .now = now };
	unsigned acts;
	const char *name;
	int rc = rule(ledger, trust, &acts, e);

	*locked = 0;
	if (rc == 0 && acts)
		rc = load(&c, ledger, e);
	for (unsigned a = 0; a < ACT_COUNT && rc == 0; a++)
		if (acts & 1u << a && count(&c, (enum act)a, &name) < 2)
			*locked |= 1u << a;
	free(c.one);
	return rc;
}

/* The signer's words of the same: signer_acts.c. */
int crew_local_may(struct db *ledger, struct trust *trust, enum act a, struct err *e)
{
	unsigned acts;
	int ended = ledger_act_ended_local(ledger, e);

	if (ended < 0 || rule(ledger, trust, &acts, e) < 0)
		return -1;
	if (ended)
		return err_set(e, REASON_ROLE, "the local operator of this folder was ended: persons act, by --server and --as");
	return acts & 1u << a
		       ? err_set(e, REASON_ROLE, "%s needs two persons here, and the folder is one: ask by --server and --as", act_name(a)) : 0;
}
