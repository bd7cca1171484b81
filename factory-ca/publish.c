#include <config.h>

#include "publish.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crl.h"
#include "fault.h"
#include "ledger.h"
#include "log.h"
#include "mem.h"

#define ROOT_TOLD_S 86400	/* between two warnings of one thing */

static bool is_unit(enum crl_of of)
{
	return of == CRL_UNIT || of == CRL_OLDER_UNIT;
}

/* ---- one list ---- */
/* A page of the ledger: *more as long as there may be another. A certificate stands on the list of the CA that issued it. */
static int tell_some(struct published *p, const struct crl_source *from, enum crl_of of, bool *more, struct err *e)
{
	const struct cert *ca = crl_ca(from->ca, of);
	struct ledger_revocation *rows = mem_new(SIGNER_REVOKED_MAX, sizeof *rows);
	struct revoked_item *items = mem_new(SIGNER_REVOKED_MAX, sizeof *items);
	size_t n = 0, k = 0;
	int rc = ledger_revocations(from->ledger, is_unit(of), p->told, rows, SIGNER_REVOKED_MAX, &n, e);

	for (size_t i = 0; i < n; i++) {
		struct revoked_item *v = &items[k];

		if (*rows[i].issuer && strcmp(rows[i].issuer, ca->subject) != 0)
			continue;
		snprintf(v->serial, sizeof v->serial, "%s", rows[i].serial);
		v->reason = crl_reason(rows[i].reason);
		v->date = rows[i].time;
		v->expires = rows[i].expires;
		k++;
	}
	if (rc == 0 && k)
		rc = signer_revoked(from->signer, from->name, of, items, k, e);
	if (rc == 0 && n)
		p->told = rows[n - 1].n;
	*more = n == SIGNER_REVOKED_MAX;
	free(rows);
	free(items);
	return rc;
}

int crl_tell_units(const struct crl_source *from, struct err *e)
{
	static const enum crl_of lists[] = { CRL_UNIT, CRL_OLDER_UNIT };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct published p = {0};
		bool more = crl_ca(from->ca, lists[i]) != NULL;

		while (more)
			if (tell_some(&p, from, lists[i], &more, e) < 0)
				return -1;
	}
	return 0;
}

static void note(struct published *p, const struct crl *c)
{
	p->number = c->number;
	p->this_update = c->this_update;
	p->next_update = c->next_update;
	p->entries = c->n;
}

int crl_make(struct published *p, const struct crl_source *from, enum crl_of of, uint64_t valid_s, struct buf *der, struct err *e)
{
	struct crl c = {0};
	bool more = true;

	while (more)
		if (tell_some(p, from, of, &more, e) < 0)
			return -1;
	if (signer_crl(from->signer, from->name, of, valid_s, der, e) < 0 || crl_parse(&c, der->data, der->len, e) < 0)
		return -1;
	note(p, &c);
	p->renew = c.next_update - (int64_t)valid_s / 2;
	crl_free(&c);
	return 0;
}

/* ---- what is due ---- */
static int is_due(const struct published *p, enum crl_of of, struct db *ledger, int64_t now, struct err *e)
{
	struct ledger_revocation one;
	size_t n = 0;

	if (now < p->this_update || now >= p->renew)
		return 1;	/* the clock may have been set back */
	return ledger_revocations(ledger, is_unit(of), p->told, &one, 1, &n, e) < 0 ? -1 : n > 0;
}

static int crl_path(char path[FILE_PATH], const char *dir, const struct authority *ca, enum crl_of of, struct err *e)
{
	char name[CRL_NAME], file[CRL_NAME + 16];

	crl_name(name, ca, of);
	snprintf(file, sizeof file, "crl/%s.crl", name);
	return file_join(path, e, dir, file);
}

static int publish(struct published *p, const struct crl_source *from, enum crl_of of, const char *dir, uint64_t valid_s, struct err *e)
{
	struct published next = *p;
	char path[FILE_PATH];
	struct buf der = {0};
	int rc;

	if (crl_path(path, dir, from->ca, of, e) < 0)
		return -1;
	rc = crl_make(&next, from, of, valid_s, &der, e);
	FAULT("front.crl");
	if (rc == 0)
		rc = file_replace(path, der.data, der.len, 0644, e);
	if (rc == 0) {
		log_info("%s: CRL %" PRIu64 ", %zu certificates", path, next.number, next.entries);
		*p = next;
	}
	buf_free(&der);
	return rc;
}

/* ---- roots' lists: made where the root is opened, and looked at here ---- */
int root_list_read(struct published *p, const char *dir, unsigned generation, struct buf *der, struct err *e)
{
	char folder[FILE_PATH], path[FILE_PATH];
	struct buf own = {0}, *to = der ? der : &own;
	struct crl c = {0};
	int rc = -1;

	*p = (struct published){0};
	if (generation_path(folder, dir, generation, e) < 0 || file_join(path, e, folder, ROOT_LIST_FILE) < 0)
		return -1;
	if (!file_exists(path))
		return 0;
	if (file_read(to, path, LIMIT_CRL, e) == 0 && crl_parse(&c, to->data, to->len, e) == 0) {
		note(p, &c);
		rc = 1;
	}
	crl_free(&c);
	buf_free(&own);
	return rc < 0 ? err_prefix(e, "%s", path) : rc;
}

static void look_at_root(struct publisher *p, const struct authority *ca, const char *dir, int64_t now)
{
	char until[TEXT_TIME];
	struct err e;
	int rc = root_list_read(&p->root, dir, ca->generation, NULL, &e);

	if (rc == 0 || (rc == 1 && p->root.next_update - now > ROOT_LIST_WARN_S) || now - p->root_warned < ROOT_TOLD_S)
		return;
	p->root_warned = now;
	if (rc < 0) {
		log_err(&e, "list of the root");
		return;
	}
	text_time(until, p->root.next_update);
	log_warn("%s: the root's revocation list %s at %s; \"handsel-ca root crl\", or a ceremony, makes it anew", dir,
		 p->root.next_update < now ? "ended" : "ends", until);
}

int publisher_run(struct publisher *p, const struct crl_source *from, const char *dir, uint64_t valid_s, int64_t now, struct err *e)
{
	char folder[FILE_PATH];

	look_at_root(p, from->ca, dir, now);
	for (int of = 0; of < CRL_KINDS; of++) {
		int due = crl_ca(from->ca, (enum crl_of)of) ? is_due(&p->list[of], (enum crl_of)of, from->ledger, now, e) : 0;

		if (due == 1 && (file_join(folder, e, dir, "crl") < 0 || file_mkdir(folder, e) < 0 ||
				 publish(&p->list[of], from, (enum crl_of)of, dir, valid_s, e) < 0))
			due = -1;
		if (due < 0)
			return -1;
	}
	return 0;
}

int publisher_get(const char *dir, const struct authority *ca, const char *file, struct buf *der, struct err *e)
{
	const char *end = strrchr(file, '.');
	char path[FILE_PATH], name[CRL_NAME];
	struct published root;
	enum crl_of of;

	if (!end || strcmp(end, ".crl") != 0 || snprintf(name, sizeof name, "%.*s", (int)(end - file), file) >= (int)sizeof name)
		return 0;
	if (root_list_parse(ca, name))
		return root_list_read(&root, dir, root_list_parse(ca, name), der, e);
	if (crl_of_parse(&of, ca, name) < 0)
		return 0;
	return crl_path(path, dir, ca, of, e) < 0 || file_read(der, path, LIMIT_CRL, e) < 0 ? -1 : 1;
}
