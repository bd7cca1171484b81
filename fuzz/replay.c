/* Gives the files named, and those of the folders named, to the harness that it is linked with. Exits 0 if all came back. */
#include <config.h>

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "fuzz.h"
#include "limits.h"

static int replayed;

static void replay_file(const char *path)
{
	struct buf data = {0};
	struct err e;
	uint8_t *exact;

	if (file_read(&data, path, LIMIT_FILE, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	fprintf(stderr, "%s\n", path);	/* the last line names the input that failed */
	exact = malloc(data.len ? data.len : 1);	/* no byte more: a read past the end is seen */
	if (data.len)
		memcpy(exact, data.data, data.len);
	LLVMFuzzerTestOneInput(exact, data.len);
	free(exact);
	buf_free(&data);
	replayed++;
}

static void replay(const char *path)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	dir = opendir(path);
	if (!dir) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(dir)) != NULL) {
		char name[FILE_PATH];
		struct err e;

		if (entry->d_name[0] != '.' && file_join(name, &e, path, entry->d_name) == 0)
			replay(name);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d inputs\n", replayed);
	return replayed ? 0 : 1;
}
