#include <config.h>

#include "doctor.h"
#include "station.h"

enum cli_exit cmd_doctor(const struct cli *c)
{
	struct findings all = { .json = cli_json(c) };

	doctor(cli_dir(c), cli_get(c, "order"), cli_get(c, "model"), &all);
	return finding_advice(&all);
}
