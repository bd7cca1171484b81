#include <config.h>

#include "models.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority.h"
#include "file.h"
#include "limits.h"
#include "mem.h"

#define FOLDER "profiles/models"
#define END ".yaml"

static bool is_it(const struct model *m, const char *manufacturer, const char *model)
{
	return strcmp(m->manufacturer, manufacturer) == 0 && strcmp(m->model, model) == 0;
}

/* A name with a "/" would be a path of the front's choice. 1, 0, as model_of(). */
static int by_file(struct model *m, const char *file, const char *manufacturer, const char *model)
{
	char path[FILE_PATH];
	struct err why;

	return text_is_token(file, LIMIT_NAME) && datadir_path(path, FOLDER, file, &why) == 0 && file_exists(path) &&
	       model_load(m, path, &why) == 0 && is_it(m, manufacturer, model);
}

/* Without their end, at most LIMIT_NAME long; *n of them. */
typedef char file_name[LIMIT_NAME + 1];

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static file_name *list_files(size_t *n, struct err *e)
{
	char path[FILE_PATH];
	struct dirent *entry;
	file_name *list;
	DIR *d;

	if (datadir_folder(path, FOLDER, e) < 0)
		return NULL;
	d = opendir(path);
	if (!d) {
		err_errno(e, REASON_CONFIG, "cannot read folder %s", path);
		return NULL;
	}
	list = mem_new(LIMIT_MODEL_FILES, sizeof *list);
	for (*n = 0; *n < LIMIT_MODEL_FILES && (entry = readdir(d));) {
		size_t len = strlen(entry->d_name), end = sizeof END - 1;

		if (len > end && len - end <= LIMIT_NAME && strcmp(entry->d_name + len - end, END) == 0)
			snprintf(list[(*n)++], sizeof *list, "%.*s", (int)(len - end), entry->d_name);
	}
	closedir(d);
	qsort(list, *n, sizeof *list, by_text);
	return list;
}

int model_of(struct model *m, const char *manufacturer, const char *model, struct err *e)
{
	file_name *list;
	int found = by_file(m, model, manufacturer, model);
	size_t n = 0;

	if (found)
		return 1;
	list = list_files(&n, e);
	for (size_t i = 0; i < n && !found; i++)
		found = by_file(m, list[i], manufacturer, model);
	free(list);
	return list ? found : -1;
}

int model_by_name(struct model *m, const char *manufacturer, const char *name, struct err *e)
{
	char path[FILE_PATH];
	int rc;

	if (strchr(name, '/'))		/* a file of one's own */
		return model_load(m, name, e);
	rc = model_of(m, manufacturer, name, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (!text_is_token(name, LIMIT_NAME))
		return err_set(e, REASON_CONFIG, "\"%s\" cannot be the name of a model file", name);
	return datadir_path(path, FOLDER, name, e) < 0 ? -1 : model_load(m, path, e);
}
