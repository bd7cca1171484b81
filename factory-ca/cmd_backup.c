/* backup create, verify, restore: lib/backup.h. */
#include <config.h>

#include "cmd_backup.h"

#include <stdlib.h>

#include "cmd.h"
#include "mem.h"
#include "signer_count.h"

#define PROGRAM "handsel-ca"

enum cli_exit cmd_ca_backup_create(const struct cli *c)
{
	return cmd_backup_create(c, PROGRAM);
}

enum cli_exit cmd_ca_backup_verify(const struct cli *c)
{
	return cmd_backup_verify(c, PROGRAM);
}

static int mark_one(const char *dir, struct err *e)
{
	char path[FILE_PATH];
	struct db *db;
	int rc = file_join(path, e, dir, "signer.db");

	if (rc < 0 || !file_exists(path))	/* an upper CA has none */
		return rc;
	db = count_open(path, e);
	if (!db)
		return -1;
	rc = db_begin(db, e);
	if (rc == 0 && count_restored(db, e) == 0)
		rc = db_commit(db, e);
	db_close(db);
	return rc;
}

/* Whatever was issued after the backup neither database knows: so nothing is issued before an operator has looked. */
static int mark(const char *dir, struct err *e)
{
	struct ca_folders *folders = mem_new(1, sizeof *folders);
	int rc = system_list(folders, dir, e);

	for (size_t i = 0; rc == 0 && i < folders->n; i++)
		rc = mark_one(folders->of[i].path, e);
	free(folders);
	return rc;
}

enum cli_exit cmd_ca_backup_restore(const struct cli *c)
{
	return cmd_backup_restore(c, PROGRAM, mark,
				  "next: put the keys back; if the old signer.db is still there, put it in place of this one; then \"handsel-ca"
				  " reconcile\". Until then nothing is issued.");
}
