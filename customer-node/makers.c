#include <config.h>

#include "makers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "cross.h"
#include "fault.h"
#include "mem.h"
#include "store.h"

/* "factory-2.pem" for BASE "factory", i 1, END ".pem". */
static int numbered(char path[FILE_PATH], const char *dir, const char *base, size_t i, const char *end, struct err *e)
{
	char name[64];

	if (i == 0)
		snprintf(name, sizeof name, "%s%s", base, end);
	else
		snprintf(name, sizeof name, "%s-%zu%s", base, i + 1, end);
	return file_join(path, e, dir, name);
}

/* onboard.pem is written last: with it the handoff is done. 1, 0, -1. */
static int is_done(const char *dir, size_t i, struct err *e)
{
	char path[FILE_PATH];

	if (i == LIMIT_MAKERS)
		return 0;
	return numbered(path, dir, NODE_ONBOARD, i, ".pem", e) < 0 ? -1 : file_exists(path);
}

static int read_name(char name[LIMIT_NAME + 1], const char *dir, size_t i, struct err *e)
{
	char path[FILE_PATH];
	struct buf text = {0};
	int rc = -1;

	if (numbered(path, dir, NODE_FACTORY, i, ".name", e) < 0 || file_read(&text, path, LIMIT_NAME + 1, e) < 0)
		goto out;
	if (text.len && text.data[text.len - 1] == '\n')
		text.len--;
	snprintf(name, LIMIT_NAME + 1, "%.*s", (int)text.len, buf_text(&text));
	rc = text_is_name(name, LIMIT_NAME) ? 0 : err_set(e, REASON_CONFIG, "%s is not the name of a manufacturer; accept the "
		"handoff again", path);
out:
	buf_free(&text);
	return rc;
}

int makers_load(struct makers *m, const char *dir, struct err *e)
{
	int rc;

	for (m->n = 0; (rc = is_done(dir, m->n, e)) == 1; m->n++)
		if (read_name(m->name[m->n], dir, m->n, e) < 0)
			return -1;
	return rc;
}

/* ---- with their certificates ---- */
static int load_factory(struct chain *ch, const char *dir, size_t i, struct err *e)
{
	char path[FILE_PATH];

	return numbered(path, dir, NODE_FACTORY, i, ".pem", e) < 0 ? -1 : chain_load(ch, path, e);
}

/* Devices made before and after a rollover know one root each. */
static void put_other(struct maker *m)
{
	const struct cert *root = &m->factory.cert[m->factory.n - 1];

	for (size_t i = 0; i + 1 < m->factory.n; i++)
		if (cross_way(&m->factory, &m->factory.cert[i], root, clock_utc()))
			onboard_sni(m->other_sni, &m->factory.cert[i]);
}

static int load_one(struct maker *m, const char *dir, size_t i, struct err *e)
{
	char onboard[64];

	snprintf(onboard, sizeof onboard, i ? NODE_ONBOARD "-%zu" : NODE_ONBOARD, i + 1);
	if (read_name(m->name, dir, i, e) < 0 || load_factory(&m->factory, dir, i, e) < 0 ||
	    node_identity_load(&m->onboard, dir, NODE_ONBOARD, onboard, e) < 0)
		return -1;
	onboard_sni(m->sni, &m->factory.cert[m->factory.n - 1]);
	put_other(m);
	return 0;
}

int maker_set_load(struct maker_set *s, const char *dir, struct err *e)
{
	int rc;

	while ((rc = is_done(dir, s->n, e)) == 1) {
		size_t i = s->n++;

		if (load_one(&s->one[i], dir, i, e) < 0)
			return -1;
	}
	if (rc == 0 && s->n == 0)
		rc = err_set(e, REASON_CONFIG, "%s/%s.pem is missing: no handoff with a manufacturer is done; see handsel-node handoff "
			     "request", dir, NODE_ONBOARD);
	return rc;
}

void maker_set_free(struct maker_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		chain_free(&s->one[i].factory);
		node_identity_free(&s->one[i].onboard);
	}
	s->n = 0;
}

/* ---- a handoff ---- */
/* The number of this manufacturer, or the next free one. Two factories of one name would make their devices one. */
static int place_of(const char *dir, const struct handoff *h, size_t *place, struct makers *known, struct err *e)
{
	const struct cert *root = &h->factory.cert[h->factory.n - 1];

	if (makers_load(known, dir, e) < 0)
		return -1;
	for (*place = 0; *place < known->n; ++*place) {
		struct chain ch = {0};
		bool same;

		if (strcmp(known->name[*place], h->manufacturer) != 0)
			continue;
		if (load_factory(&ch, dir, *place, e) < 0)
			return -1;
		same = mem_same(ch.cert[ch.n - 1].sha256, root->sha256, SHA256_LEN) ||
		       cross_way(&h->factory, root, &ch.cert[ch.n - 1], clock_utc());	/* a rollover of the one that is known */
		chain_free(&ch);
		return same ? 0 : err_set(e, REASON_AUTHORITY, "another factory with the name \"%s\" is accepted here already, and two "
					  "would make their devices one; ask the manufacturer which root is its own", h->manufacturer);
	}
	if (known->n == LIMIT_MAKERS)
		return err_set(e, REASON_CONFIG, "a node takes %d manufacturers at most; set up another node", LIMIT_MAKERS);
	return 0;
}

static int save_chain(const struct chain *ch, const char *dir, const char *base, size_t i, struct err *e)
{
	char path[FILE_PATH];

	return numbered(path, dir, base, i, ".pem", e) < 0 ? -1 : chain_save(ch, path, e);
}

static int save_name(const char *name, const char *dir, size_t i, struct err *e)
{
	char path[FILE_PATH], line[LIMIT_NAME + 2];
	int n = snprintf(line, sizeof line, "%s\n", name);

	return numbered(path, dir, NODE_FACTORY, i, ".name", e) < 0 ? -1 : file_replace(path, line, (size_t)n, 0644, e);
}

static int enter(struct db *db, const struct handoff *h, const char *first, const char *actor, struct err *e)
{
	char root[SHA256_HEX], detail[sizeof root + LIMIT_NAME + 32];

	text_hex(root, h->factory.cert[h->factory.n - 1].sha256, SHA256_LEN);
	snprintf(detail, sizeof detail, "root %s, as customer %s", root, h->customer);
	return first && store_allow_name(db, first, e) < 0 ? -1 : audit_add(db, clock_utc(), actor, "handoff", h->manufacturer, detail, e);
}

/* first: the manufacturer that was the only one, so that no entry had to name it; NULL: there is none such. */
static int note(const char *dir, const struct handoff *h, const char *first, const char *actor, struct err *e)
{
	struct db *db = node_db_open(dir, e);
	int rc = -1;

	if (db && db_begin(db, e) == 0) {
		rc = enter(db, h, first, actor, e);
		FAULT("node.handoff");
		if (rc == 0)
			rc = db_commit(db, e);
		if (rc < 0)
			db_rollback(db);
	}
	db_close(db);
	return rc;
}

/* The audit first: a cut leaves a row too many, and no factory that it does not tell of. */
int makers_accept(const char *dir, const struct handoff *h, const char *actor, struct err *e)
{
	struct makers known;
	size_t place;

	if (place_of(dir, h, &place, &known, e) < 0 || note(dir, h, place > 0 ? known.name[0] : NULL, actor, e) < 0 ||
	    save_chain(&h->factory, dir, NODE_FACTORY, place, e) < 0 || save_name(h->manufacturer, dir, place, e) < 0)
		return -1;
	return save_chain(&h->node, dir, NODE_ONBOARD, place, e);
}
