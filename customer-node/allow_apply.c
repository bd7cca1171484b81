/* The allowlist against what is in force. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allowlist.h"
#include "audit.h"
#include "mem.h"
#include "rules.h"

static int by_device(const void *x, const void *y)
{
	const struct device_id *a = &((const struct allow_entry *)x)->device, *b = &((const struct allow_entry *)y)->device;
	int c = strcmp(a->serial, b->serial), kind = (int)((const struct allow_entry *)x)->kind;

	if (c == 0)
		c = strcmp(a->manufacturer, b->manufacturer);
	if (c == 0)
		c = strcmp(a->model, b->model);
	if (c == 0)
		c = kind - (int)((const struct allow_entry *)y)->kind;
	return c ? c : strcmp(((const struct allow_entry *)x)->to, ((const struct allow_entry *)y)->to);
}

struct entries {
	struct allow_entry *entry;
	size_t n;
};

static int collect(void *arg, const struct allow_entry *a)
{
	struct entries *list = arg;

	if ((list->n & (list->n - 1)) == 0)
		list->entry = mem_grow(list->entry, list->n ? 2 * list->n : 1, sizeof *list->entry);
	list->entry[list->n++] = *a;
	return 0;
}

static bool same_rule(const struct allow_entry *a, const struct allow_entry *b)
{
	return a->blocked == b->blocked && a->expires == b->expires && strcmp(a->note, b->note) == 0;
}

/* Both lists are sorted. */
static bool merge(const struct entries *before, const struct entries *after, void (*each)(void *arg, const struct change *c),
		  void *arg)
{
	size_t i = 0, j = 0;
	bool changed = false;

	while (i < before->n || j < after->n) {
		struct change c = {0};
		int order = i == before->n ? 1 : j == after->n ? -1 : by_device(&before->entry[i], &after->entry[j]);

		c.before = order <= 0 ? &before->entry[i++] : NULL;
		c.after = order >= 0 ? &after->entry[j++] : NULL;
		c.kind = order < 0 ? CHANGE_GONE : order > 0 ? CHANGE_NEW : CHANGE_OTHER;
		if (order == 0 && same_rule(c.before, c.after))
			continue;
		changed = true;
		if (each)
			each(arg, &c);
	}
	return changed;
}

int allowlist_compare(struct db *db, const struct allowlist *al, void (*each)(void *arg, const struct change *c), void *arg,
		      struct err *e)
{
	struct entries before = {0}, after = { mem_new(al->n + 1, sizeof *after.entry), al->n };
	int rc = store_allow_list(db, collect, &before, e);

	if (rc == 0) {
		if (al->n)
			memcpy(after.entry, al->entry, al->n * sizeof *after.entry);
		qsort(after.entry, after.n, sizeof *after.entry, by_device);
		if (before.n)
			qsort(before.entry, before.n, sizeof *before.entry, by_device);
		rc = merge(&before, &after, each, arg);
	}
	free(before.entry);
	free(after.entry);
	return rc;
}

int allowlist_apply(struct db *db, const struct allowlist *al, const char *actor, int64_t now, int *ended, struct err *e)
{
	char detail[160];

	*ended = 0;
	if (al->problems.errors)
		return allowlist_refuse(al, e);
	if (store_allow_clear(db, e) < 0)
		return -1;
	for (size_t i = 0; i < al->n; i++)
		if (store_allow_add(db, &al->entry[i], e) < 0)
			return -1;
	snprintf(detail, sizeof detail, "entries=%zu sha256=%s", al->n, al->sha256);
	if (store_applied_set(db, al->sha256, now, e) < 0 || audit_add(db, now, actor, "apply", "allowlist", detail, e) < 0)
		return -1;
	return rules_apply_blocks(db, actor, now, ended, e);
}
