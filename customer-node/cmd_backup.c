/* backup create, verify, restore: lib/backup.h. */
#include <config.h>

#include "cmd_backup.h"

#include "cmd.h"
#include "node.h"
#include "store.h"

#define PROGRAM "handsel-node"

enum cli_exit cmd_node_backup_create(const struct cli *c)
{
	return cmd_backup_create(c, PROGRAM);
}

enum cli_exit cmd_node_backup_verify(const struct cli *c)
{
	return cmd_backup_verify(c, PROGRAM);
}

/* What the CA knows better is taken over before the node does anything else. */
static int mark(const char *dir, struct err *e)
{
	struct db *db = node_db_open(dir, e);
	int rc;

	if (!db)
		return -1;
	rc = db_begin(db, e);
	if (rc == 0 && store_recovering_set(db, true, e) == 0)
		rc = db_commit(db, e);
	db_close(db);
	return rc;
}

enum cli_exit cmd_node_backup_restore(const struct cli *c)
{
	return cmd_backup_restore(c, PROGRAM, mark,
				  "next: put node.key and onboard.key back and start it; it takes over what the CA knows before it lets a device"
				  " in. \"handsel-node reconcile\" shows what that is.");
}
