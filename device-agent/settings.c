#include <config.h>

#include "settings.h"

#include "conf.h"
#include "file.h"
#include "mem.h"

static int read_fields(struct agent_conf *c, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true },
		{ "voucher", CONF_SCALAR, false },
	};
	static const char *const choices[] = { "required", "off", NULL };
	const struct conf_node *value[ARRAY_LEN(fields)];
	int voucher = 0;

	if (conf_fields(root, fields, ARRAY_LEN(fields), value, e) < 0 || conf_version(value[0], root, e) < 0 ||
	    (value[1] && conf_choice(value[1], choices, &voucher, e) < 0))
		return -1;
	c->voucher = voucher == 0;
	return 0;
}

int agent_conf_load(struct agent_conf *c, const char *dir, struct err *e)
{
	char path[FILE_PATH];
	struct conf *file;
	int rc;

	*c = (struct agent_conf){ .voucher = true };
	if (file_join(path, e, dir, AGENT_CONF) < 0)
		return -1;
	if (!file_exists(path))
		return 0;
	file = conf_load(path, e);
	rc = file ? read_fields(c, conf_root(file), e) : -1;
	conf_free(file);
	return rc;
}
