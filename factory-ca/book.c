#include <config.h>

#include "book.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "system.h"

#define END ".yaml"
#define PAGES_MAX 256	/* product lines, not devices: what is beyond is nobody's book */

static void load(struct book_page *page)
{
	struct problems all = {0};

	page->good = profile_lint(&page->profile, page->path, NULL, &all) == 0;
	problems_free(&all);
}

static struct book_page *add(struct book *b, const char *name, const char *path)
{
	struct book_page *page;

	b->page = mem_grow(b->page, b->n + 1, sizeof *b->page);
	page = &b->page[b->n++];
	*page = (struct book_page){0};
	snprintf(page->name, sizeof page->name, "%s", name);
	snprintf(page->path, sizeof page->path, "%s", path);
	load(page);
	return page;
}

static struct book_page *named(struct book *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++)
		if (strcmp(b->page[i].name, name) == 0)
			return &b->page[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct book_page *)a)->name, ((const struct book_page *)b)->name);
}

/* A folder that is not there has no profiles. */
static void add_folder(struct book *b, const char *folder)
{
	char name[CA_ID_MAX + sizeof END], path[FILE_PATH];
	struct dirent *entry;
	DIR *d = opendir(folder);
	struct err no;

	while (d && b->n < PAGES_MAX && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name), end = sizeof END - 1;

		if (len <= end || len - end > CA_ID_MAX || strcmp(entry->d_name + len - end, END) != 0 ||
		    file_join(path, &no, folder, entry->d_name) < 0)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)(len - end), entry->d_name);
		if (!named(b, name))
			add(b, name, path);
	}
	if (d)
		closedir(d);
}

int book_open(struct book *b, const struct cli *c, struct err *e)
{
	char path[FILE_PATH];

	*b = (struct book){0};
	if (cli_get(c, "ca") && *cli_get(c, "ca")) {
		if (system_find(b->dir, cli_dir(c), cli_get(c, "ca"), e) < 0)
			return -1;
	} else if (snprintf(b->dir, sizeof b->dir, "%s", cli_dir(c)) >= FILE_PATH) {
		return err_set(e, REASON_CONFIG, "path too long: %.200s", cli_dir(c));
	}
	if (file_join(path, e, b->dir, "ca.yaml") < 0)
		return -1;
	b->has_ca = file_exists(path);
	if (b->has_ca && (settings_load(&b->settings, b->dir, e) < 0 || authority_load(&b->ca, b->dir, e) < 0))
		return -1;
	if (file_join(path, e, b->dir, "profiles") < 0)
		return -1;
	add_folder(b, path);
	if (datadir_folder(path, "profiles", e) < 0)
		return -1;
	add_folder(b, path);
	if (b->n == 0)
		return err_set(e, REASON_CONFIG, "there is no profile in %s/profiles, nor in %s; HANDSEL_DATADIR says where they are", b->dir, path);
	qsort(b->page, b->n, sizeof *b->page, by_name);
	return 0;
}

void book_close(struct book *b)
{
	authority_free(&b->ca);
	free(b->page);
	*b = (struct book){0};
}

struct book_page *book_find(struct book *b, const char *name, struct err *e)
{
	size_t len = strlen(name), end = sizeof END - 1;
	struct book_page *page = named(b, name);
	const char *slash = strrchr(name, '/'), *base;
	char own[CA_ID_MAX + 1];

	if (page)
		return page;
	if (!slash && (len <= end || strcmp(name + len - end, END) != 0)) {
		const char **names = mem_new(b->n + 1, sizeof *names);
		const char *near;

		for (size_t i = 0; i < b->n; i++)
			names[i] = b->page[i].name;
		near = text_nearest(name, names);
		free(names);
		err_set(e, REASON_CONFIG, "there is no profile \"%.64s\"%s%s%s", name, near ? "; did you mean \"" : "; \"handsel-ca profile list\" has them",
			near ? near : "", near ? "\"?" : "");
		return NULL;
	}
	if (!file_exists(name)) {
		err_set(e, REASON_CONFIG, "there is no file %.200s", name);
		return NULL;
	}
	base = slash ? slash + 1 : name;
	len = strlen(base);
	snprintf(own, sizeof own, "%.*s", (int)(len > end && strcmp(base + len - end, END) == 0 ? len - end : len), base);
	return add(b, own, name);
}

static const struct book_page *of_kind(const struct book *b, enum profile_kind kind)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->page[i].good && b->page[i].profile.kind == kind && strcmp(b->page[i].name, profile_kind_name(kind)) == 0)
			return &b->page[i];
	return NULL;
}

const struct profile *book_above(const struct book *b, const struct profile *p)
{
	static const enum profile_kind above[] = {
		[PROFILE_ROOT] = PROFILE_ROOT, [PROFILE_ISSUING] = PROFILE_ROOT, [PROFILE_UNIT_CA] = PROFILE_ROOT, [PROFILE_UNIT] = PROFILE_UNIT_CA,
		[PROFILE_DEVICE_FACTORY] = PROFILE_ISSUING, [PROFILE_DEVICE_CUSTOMER] = PROFILE_ISSUING,
	};
	const struct book_page *page = p->kind == PROFILE_ROOT ? NULL : of_kind(b, above[p->kind]);

	return page ? &page->profile : NULL;
}

static bool is_ours(const struct book *b, const struct profile *p)
{
	return b->has_ca && (!profile_is_device(p) || strcmp(site_profile(b->settings.site), profile_kind_name(p->kind)) == 0);
}

const struct cert *book_issuer(const struct book *b, const struct profile *p)
{
	if (!is_ours(b, p) || p->kind == PROFILE_ROOT)
		return NULL;
	if (p->kind == PROFILE_UNIT)
		return b->ca.unit.n ? b->ca.unit.cert : NULL;
	if (profile_is_device(p))
		return b->ca.issuing.n ? b->ca.issuing.cert : NULL;
	return b->ca.root.n ? b->ca.root.cert : NULL;
}

/* Those that a CA made by p would sign: where there is one, for its own site alone. */
static struct profile *below(const struct book *b, const struct profile *p, size_t *n)
{
	struct profile *list = mem_new(b->n + 1, sizeof *list);

	*n = 0;
	for (size_t i = 0; i < b->n; i++) {
		const struct profile *one = &b->page[i].profile;

		if (b->page[i].good && book_above(b, one) && book_above(b, one)->kind == p->kind && p->kind != PROFILE_ROOT &&
		    (is_ours(b, one) || !b->has_ca))
			list[(*n)++] = *one;
	}
	return list;
}

/* A CA looks a profile up by the name of its file: what is in it must say the same. An id that is none was told. */
static void judge_name(const struct book_page *page, struct problems *all)
{
	struct err e;
	struct conf *c;

	c = strcmp(page->name, page->profile.id) == 0 ? NULL : conf_load(page->path, &e);
	if (c && conf_get(conf_root(c), "id"))
		problem_add(all, conf_get(conf_root(c), "id"), true, "id", "the file is called %s%s; the id and the file's name must be the same", page->name,
			    END);
	conf_free(c);
}

void book_lint(struct book *b, struct book_page *page, int64_t now, struct problems *all)
{
	struct profile *list, p = page->profile;
	struct profile_world w = { .above = book_above(b, &p), .ca = profile_is_device(&p) || p.kind == PROFILE_UNIT ? book_issuer(b, &p) : NULL,
				   .now = now };
	size_t n = all->n;

	list = below(b, &p, &w.n_below);
	w.below = list;
	profile_lint(&page->profile, page->path, &w, all);
	if (page->profile.id[0])
		judge_name(page, all);
	problems_sort(all, n);
	free(list);
}
