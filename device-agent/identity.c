#include <config.h>

#include "identity.h"

#include "conf.h"
#include "file.h"
#include "mem.h"
#include "text.h"

static int read_fields(struct identity *id, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true },
		{ "manufacturer", CONF_SCALAR, true },
		{ "model", CONF_SCALAR, true },
		{ "revision", CONF_SCALAR, true },
		{ "serial", CONF_SCALAR, true },
	};
	const struct conf_node *value[ARRAY_LEN(fields)];
	struct device_id *d = &id->device;

	if (conf_fields(root, fields, ARRAY_LEN(fields), value, e) < 0 || conf_version(value[0], root, e) < 0 ||
	    conf_str(value[1], d->manufacturer, sizeof d->manufacturer, e) < 0 ||
	    conf_str(value[2], d->model, sizeof d->model, e) < 0 ||
	    conf_str(value[3], id->revision, sizeof id->revision, e) < 0 ||
	    conf_str(value[4], d->serial, sizeof d->serial, e) < 0)
		return -1;
	if (!text_is_name(d->manufacturer, LIMIT_NAME))
		return conf_error(value[1], e, "the manufacturer must be 1 to %d printable ASCII characters", LIMIT_NAME);
	if (!text_is_name(d->model, LIMIT_NAME))
		return conf_error(value[2], e, "the model must be 1 to %d printable ASCII characters", LIMIT_NAME);
	if (!text_is_name(id->revision, LIMIT_NAME))
		return conf_error(value[3], e, "the revision must be 1 to %d printable ASCII characters", LIMIT_NAME);
	if (!text_is_token(d->serial, LIMIT_SERIAL))
		return conf_error(value[4], e, "the serial must be 1 to %d of A-Z a-z 0-9 . _ - and not begin with a dot",
				  LIMIT_SERIAL);
	return 0;
}

int identity_parse(struct identity *id, const char *name, const struct buf *text, struct err *e)
{
	struct conf *c = conf_parse(name, text, e);
	struct identity read = {0};
	int rc = -1;

	if (c && read_fields(&read, conf_root(c), e) == 0) {
		*id = read;
		rc = 0;
	}
	conf_free(c);
	return rc;
}

int identity_load(struct identity *id, const char *dir, struct err *e)
{
	struct buf text = {0};
	char path[FILE_PATH];
	int rc = -1;

	if (file_join(path, e, dir, IDENTITY_FILE) < 0)
		return -1;
	if (file_read(&text, path, 0, e) < 0)
		err_prefix(e, "the device does not know its serial, which its maker writes into %s", IDENTITY_FILE);
	else
		rc = identity_parse(id, path, &text, e);
	buf_free(&text);
	return rc;
}
