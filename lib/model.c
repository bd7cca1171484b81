#include <config.h>

#include <string.h>

#include "conf.h"
#include "mem.h"
#include "profile.h"
#include "profile_private.h"

/* Device models: each field is explained in profiles/README.md. */

static int read_usb_id(const struct conf_node *n, uint16_t *out, struct err *e)
{
	const char *text = conf_text(n);
	uint8_t id[2];

	if (strncmp(text, "0x", 2) != 0 || text_unhex(id, sizeof id, text + 2))
		return conf_error(n, e, "not a USB id; write four hex digits like 0x1209");
	*out = (uint16_t)(id[0] << 8 | id[1]);
	return 0;
}

static int read_dfu(const struct conf_node *n, struct model *m, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "vid", CONF_SCALAR, true }, { "pid", CONF_SCALAR, true }, { "alt", CONF_SCALAR, false },
		{ "transfer-size", CONF_SCALAR, false },
	};
	const struct conf_node *f[ARRAY_LEN(fields)];
	uint64_t size = 0;

	if (conf_fields(n, fields, ARRAY_LEN(fields), f, e) < 0 ||
	    (f[3] && conf_uint(f[3], &size, 1, UINT16_MAX, e) < 0))
		return -1;
	m->dfu_transfer_size = (uint16_t)size;
	return read_usb_id(f[0], &m->dfu_vid, e) || read_usb_id(f[1], &m->dfu_pid, e) ||
	       profile_name(f[2], m->dfu_alt, sizeof m->dfu_alt, e) ? -1 : 0;
}

static int read_agent(const struct conf_node *n, struct model *m, struct err *e)
{
	static const struct conf_field fields[] = { { "vid", CONF_SCALAR, true }, { "pid", CONF_SCALAR, true } };
	const struct conf_node *f[2];

	return conf_fields(n, fields, 2, f, e) || read_usb_id(f[0], &m->agent_vid, e) || read_usb_id(f[1], &m->agent_pid, e) ?
	       -1 : 0;
}

static int read_revisions(const struct conf_node *list, struct model *m, struct err *e)
{
	if (list && conf_count(list) > ARRAY_LEN(m->revisions))
		return conf_error(list, e, "more than %zu revisions", ARRAY_LEN(m->revisions));
	for (size_t i = 0; list && i < conf_count(list); i++) {
		if (profile_name(conf_item(list, i), m->revisions[i], sizeof m->revisions[i], e))
			return -1;
		m->n_revisions++;
	}
	return 0;
}

static int model_read(struct model *m, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true }, { "manufacturer", CONF_SCALAR, true }, { "model", CONF_SCALAR, true },
		{ "hw-type", CONF_SCALAR, true }, { "revisions", CONF_LIST, false }, { "dfu", CONF_MAP, true },
		{ "agent", CONF_MAP, true },
	};
	const struct conf_node *f[ARRAY_LEN(fields)];

	if (conf_fields(root, fields, ARRAY_LEN(fields), f, e) || conf_version(f[0], root, e) ||
	    profile_name(f[1], m->manufacturer, sizeof m->manufacturer, e) || profile_name(f[2], m->model, sizeof m->model, e) ||
	    conf_str(f[3], m->hw_type, sizeof m->hw_type, e) || read_revisions(f[4], m, e) || read_dfu(f[5], m, e) ||
	    read_agent(f[6], m, e))
		return -1;
	if (!text_is_oid(m->hw_type))
		return conf_error(f[3], e, "not an object identifier like 2.25.1.3");
	return 0;
}

int model_load(struct model *m, const char *path, struct err *e)
{
	struct conf *c = conf_load(path, e);
	int rc;

	if (!c)
		return -1;
	memset(m, 0, sizeof *m);
	rc = model_read(m, conf_root(c), e);
	conf_free(c);
	return rc;
}
