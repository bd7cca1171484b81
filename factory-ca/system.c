#include <config.h>

#include "system.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "cas"

static bool is_label(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n <= CA_ID_MAX && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && id[0] != '-' &&
	       id[n - 1] != '-';
}

static int path_of(char path[FILE_PATH], const char *dir, const char *id, struct err *e)
{
	char below[CA_ID_MAX + 8];

	snprintf(below, sizeof below, FOLDER "/%.*s", CA_ID_MAX, id);
	return file_join(path, e, dir, below);
}

static bool is_complete(const char *folder)
{
	char path[FILE_PATH];
	struct err ignored;

	return file_join(path, &ignored, folder, "ca.yaml") == 0 && file_exists(path);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ca_folder *)a)->name, ((const struct ca_folder *)b)->name);
}

static int add(struct ca_folders *f, const char *dir, const char *name, struct err *e)
{
	struct ca_folder c;

	if (path_of(c.path, dir, name, e) < 0)
		return -1;
	if (!is_complete(c.path))
		return 0;
	if (f->n == LIMIT_CAS)
		return err_set(e, REASON_CONFIG, "%s: more than %d CAs; make another system", dir, LIMIT_CAS);
	snprintf(c.name, sizeof c.name, "%.*s", CA_ID_MAX, name);
	f->of[f->n++] = c;
	return 0;
}

int system_list(struct ca_folders *f, const char *dir, struct err *e)
{
	char folder[FILE_PATH];
	struct dirent *entry;
	int rc = 0;
	DIR *d;

	f->n = 1;
	f->of[0].name[0] = 0;
	if (snprintf(f->of[0].path, sizeof f->of[0].path, "%s", dir) >= FILE_PATH || file_join(folder, e, dir, FOLDER) < 0)
		return err_set(e, REASON_CONFIG, "path too long: %.200s", dir);
	d = opendir(folder);
	if (!d)
		return errno == ENOENT ? 0 : err_errno(e, REASON_CONFIG, "cannot read folder %s", folder);
	while (rc == 0 && (entry = readdir(d)))
		if (is_label(entry->d_name))
			rc = add(f, dir, entry->d_name, e);
	closedir(d);
	qsort(f->of + 1, f->n - 1, sizeof *f->of, by_name);
	return rc;
}

int system_find(char path[FILE_PATH], const char *dir, const char *id, struct err *e)
{
	struct settings first;

	if (!id || !*id)
		return snprintf(path, FILE_PATH, "%s", dir) < FILE_PATH ? 0 : err_set(e, REASON_CONFIG, "path too long: %.200s", dir);
	if (settings_load(&first, dir, e) < 0)
		return -1;
	if (strcmp(first.id, id) == 0)
		return system_find(path, dir, NULL, e);
	if (!is_label(id) || path_of(path, dir, id, e) < 0 || !is_complete(path))
		return err_set(e, REASON_CONFIG, "there is no CA \"%s\" in %s; \"handsel-ca ca list\" shows them", id, dir);
	return 0;
}

int system_place(char path[FILE_PATH], const char *dir, const char *id, struct err *e)
{
	struct settings first;
	char folder[FILE_PATH];

	if (settings_load(&first, dir, e) < 0)
		return -1;
	if (!is_label(id))
		return err_set(e, REASON_CONFIG, "--id %s: lower-case letters, digits and inner hyphens, at most %d: it becomes part of a "
			       "host name", id, CA_ID_MAX);
	if (strcmp(first.id, id) == 0)
		return err_set(e, REASON_CONFIG, "--id %s: that is the first CA of this system; choose another", id);
	if (path_of(path, dir, id, e) < 0 || file_join(folder, e, dir, FOLDER) < 0 || file_mkdir(folder, e) < 0)
		return -1;
	return is_complete(path) ? err_set(e, REASON_CONFIG, "CA \"%s\" exists; its keys are never replaced", id) : 0;
}
