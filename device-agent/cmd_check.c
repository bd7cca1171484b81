#include <config.h>

#include "cmd.h"
#include "diagnose.h"

static void print(void *json, const char *step, enum finding finding, enum reason code, const char *text)
{
	finding_print(*(const bool *)json, step, finding, code, text);
}

enum cli_exit cmd_check(const struct cli *c)
{
	bool json = cli_json(c);

	return finding_advice(json, diagnose(cli_dir(c), cli_get(c, "node"), print, &json));
}
