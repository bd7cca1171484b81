#include <config.h>

#include "doctor.h"
#include "station.h"

static void print(void *json, const char *step, enum finding finding, enum reason code, const char *text)
{
	finding_print(*(const bool *)json, step, finding, code, text);
}

enum cli_exit cmd_doctor(const struct cli *c)
{
	bool json = cli_json(c);

	return finding_advice(json, doctor(cli_dir(c), cli_get(c, "order"), cli_get(c, "model"), print, &json));
}
