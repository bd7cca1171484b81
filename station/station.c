#include <config.h>

#include "station.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "conf.h"
#include "file.h"
#include "mem.h"
#include "root.h"
#include "text.h"

/* BUS-PORT, behind it a hub's .PORT for each on the way, as the kernel names it. */
static bool is_port(const char *text)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(text, digits);
	char before = '-';

	for (; n && text[n] == before; before = '.') {
		text += n + 1;
		n = strspn(text, digits);
	}
	return n && !text[n] && before == '.';
}

static int read_slot(struct station *s, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = { { "name", CONF_SCALAR, true }, { "port", CONF_SCALAR, true } };
	const struct conf_node *v[ARRAY_LEN(fields)];
	struct station_slot *slot;

	if (s->n_slots == STATION_SLOTS_MAX)
		return conf_error(n, e, "more than %d slots", STATION_SLOTS_MAX);
	slot = &s->slot[s->n_slots];
	if (conf_fields(n, fields, ARRAY_LEN(fields), v, e) < 0 ||
	    conf_str(v[0], slot->name, sizeof slot->name, e) < 0 ||
	    conf_str(v[1], slot->port, sizeof slot->port, e) < 0)
		return -1;
	if (!text_is_token(slot->name, LIMIT_NAME))
		return conf_error(v[0], e, "a slot's name must be of A-Z a-z 0-9 . _ -");
	if (!is_port(slot->port))
		return conf_error(v[1], e, "\"%s\" is no USB port; write it as 1-4 or 1-4.2, or let \"slots learn\" write it", slot->port);
	for (size_t i = 0; i < s->n_slots; i++)
		if (strcmp(s->slot[i].name, slot->name) == 0 || strcmp(s->slot[i].port, slot->port) == 0)
			return conf_error(n, e, "slot %s: name and port must differ from those of slot %s", slot->name,
					  s->slot[i].name);
	s->n_slots++;
	return 0;
}

static int read_fields(struct station *s, const struct conf_node *root, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "version", CONF_SCALAR, true },
		{ "name", CONF_SCALAR, true },
		{ "ca", CONF_SCALAR, true },
		{ "slots", CONF_LIST, false },
		{ "ca-id", CONF_SCALAR, false },
		{ "scanner", CONF_MAP, false },
		{ "console", CONF_MAP, false },
		{ "mes", CONF_MAP, false },
		{ "label", CONF_MAP, false },
		{ "unit-key", CONF_SCALAR, false },
		{ "unit-credential", CONF_SCALAR, false },
	};
	const struct conf_node *v[ARRAY_LEN(fields)];
	struct err why;

	if (conf_fields(root, fields, ARRAY_LEN(fields), v, e) < 0 || conf_version(v[0], root, e) < 0 ||
	    conf_str(v[1], s->name, sizeof s->name, e) < 0 || conf_str(v[4], s->ca_id, sizeof s->ca_id, e) < 0)
		return -1;
	if (!text_is_token(s->name, LIMIT_NAME))
		return conf_error(v[1], e, "the station's name must be of A-Z a-z 0-9 . _ -");
	if (url_parse(&s->ca, conf_text(v[2]), &why) < 0)
		return conf_error(v[2], e, "%s", why.text);
	if (v[4] && !text_is_token(s->ca_id, CA_ID_MAX))
		return conf_error(v[4], e, "a CA's id must be of A-Z a-z 0-9 . _ -");
	if (unit_place_read(&s->place, v[9], v[10], e) < 0)
		return -1;
	if (scan_settings_read(&s->scanner, v[5], e) < 0 || console_settings_read(&s->console, v[6], e) < 0 ||
	    (v[7] && mes_settings(&s->mes, v[7], e) < 0) || label_settings_read(&s->label, v[8], e) < 0)
		return -1;
	for (size_t i = 0; v[3] && i < conf_count(v[3]); i++)
		if (read_slot(s, conf_item(v[3], i), e) < 0)
			return -1;
	return 0;
}

static int read_yaml(struct station *s, struct err *e)
{
	char path[FILE_PATH];
	struct conf *c;
	int rc;

	if (file_join(path, e, s->dir, "station.yaml") < 0)
		return -1;
	if (!file_exists(path))
		return err_set(e, REASON_CONFIG, "%s is not there: \"handsel-station --dir %s init\" makes a station", path, s->dir);
	if (!(c = conf_load(path, e)))
		return -1;
	rc = read_fields(s, conf_root(c), e);
	conf_free(c);
	return rc;
}

static int read_identity(struct station *s, struct err *e)
{
	char cert[FILE_PATH];
	struct trust_rule rule = { .purpose = PURPOSE_CLIENT, .role = "station", .now = clock_utc() };

	if (file_join(cert, e, s->dir, "station.pem") < 0)
		return -1;
	if (!file_exists(cert))
		return err_set(e, REASON_CONFIG,
			       "%s is missing: the station is not certified yet; have its station.csr signed by "
			       "`handsel-ca unit issue station.csr --role station --name %s`",
			       cert, s->name);
	if (chain_load(&s->chain, cert, e) < 0 || !(s->key = unit_key_load(&s->place, s->dir, "station", &s->chain.cert[0], e)))
		return -1;
	if (trust_verify(s->trust, &s->chain, &rule, e) < 0)
		return err_prefix(e, "%s", cert);
	if (strcmp(s->chain.cert[0].name, s->name) != 0)
		return err_set(e, REASON_CONFIG, "%s is for station %s, but station.yaml says %s", cert,
			       s->chain.cert[0].name, s->name);
	return 0;
}

int station_settings(struct station *s, const char *dir, struct err *e)
{
	memset(s, 0, sizeof *s);
	if (text_copy(s->dir, sizeof s->dir, dir) < 0)
		return err_set(e, REASON_CONFIG, "the folder's name is empty or too long");
	return read_yaml(s, e);
}

int station_offline(struct station *s, const char *dir, struct err *e)
{
	return station_settings(s, dir, e) < 0 ? -1 : root_load(s, e);
}

int station_load(struct station *s, const char *dir, struct err *e)
{
	if (station_offline(s, dir, e) < 0)
		return -1;
	return read_identity(s, e);
}

void station_free(struct station *s)
{
	root_free(s);
	chain_free(&s->chain);
	key_free(s->key);
	memset(s, 0, sizeof *s);
}

const char *station_slot(const struct station *s, const char *port)
{
	for (size_t i = 0; i < s->n_slots; i++)
		if (strcmp(s->slot[i].port, port) == 0)
			return s->slot[i].name;
	return s->n_slots ? NULL : port;
}
