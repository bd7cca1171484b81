/* cmd_backup.h - the commands "backup create", "backup verify" and "backup restore", which handsel-ca and handsel-node share. */
#ifndef HANDSEL_CMD_BACKUP_H
#define HANDSEL_CMD_BACKUP_H

#include "backup.h"
#include "cli.h"

extern const struct cli_option backup_create_options[], backup_check_options[];

#define BACKUP_COMMANDS(create, verify, restore) \
	{ "backup create", "FOLDER [--keys]", "save the program's folder, also while it serves", backup_create_options, 1, 1, create }, \
	{ "backup verify", "FOLDER [--fingerprint HEX] [--root-fingerprint HEX]", "whether a backup is what was saved", backup_check_options, 1, 1, verify }, \
	{ "backup restore", "FOLDER [--fingerprint HEX] [--root-fingerprint HEX]", "put a backup into the folder of --dir, which must be empty", \
	  backup_check_options, 1, 1, restore }

/* next: what the operator does then. */
enum cli_exit cmd_backup_create(const struct cli *c, const struct backup_unit *u);
enum cli_exit cmd_backup_verify(const struct cli *c, const struct backup_unit *u);
enum cli_exit cmd_backup_restore(const struct cli *c, const struct backup_unit *u, const char *next);

#endif
