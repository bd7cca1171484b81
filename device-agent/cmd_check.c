#include <config.h>

#include "cmd.h"
#include "diagnose.h"

enum cli_exit cmd_check(const struct cli *c)
{
	struct findings all = { .json = cli_json(c) };

	diagnose(cli_dir(c), cli_get(c, "node"), &all);
	return finding_advice(&all);
}
