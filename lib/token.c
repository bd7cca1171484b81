#include <config.h>

#include "token.h"

#include <ctype.h>
#include <gnutls/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "gnutls_glue.h"
#include "mem.h"

#define MODULES_MAX 16	/* of one process: a CA system has at most as many CAs */
#define ID_LEN 16	/* CKA_ID: random, so that no two keys of a token share one */

struct token {
	char uri[LIMIT_TOKEN_URI];	/* without the query */
	char name[64];
	char query[LIMIT_TOKEN_URI];	/* "" or "?module-path=..." */
	struct secret *pin;
	const char *advice;
	bool last_try, refused;		/* the PIN was shown to the token and is wrong */
	enum token_tries tries;
};

/* The library's state is the process's. */
static struct {
	char path[MODULES_MAX][LIMIT_TOKEN_URI];
	size_t n;
	bool configured, loaded;	/* configured: those of p11-kit's configuration, too */
	struct token *current;		/* whose PIN the library may ask for */
} modules;

const char *token_tries_text(enum token_tries t)
{
	switch (t) {
	case TRIES_FEW:
		return "few tries are left before the token locks itself";
	case TRIES_LAST:
		return "one try is left before the token locks itself";
	case TRIES_NONE:
		return "the token has locked itself; its security officer must set a new PIN";
	case TRIES_UNKNOWN:
	case TRIES_ENOUGH:
		break;
	}
	return "";
}

bool token_is_uri(const char *text)
{
	return strncmp(text, "pkcs11:", 7) == 0;
}

/* ---- the PIN ---- */
static int on_pin(void *arg, int attempt, const char *url, const char *label, unsigned flags, char *pin, size_t max)
{
	struct token *t = arg ? arg : modules.current;

	if (!t || !t->pin || t->refused)
		return -1;
	if (attempt > 0 || (flags & GNUTLS_PIN_WRONG)) {	/* the library goes on asking until it is told not to */
		t->refused = true;
		return -1;
	}
	if ((flags & GNUTLS_PIN_FINAL_TRY) && !t->last_try) {
		t->tries = TRIES_LAST;
		return -1;
	}
	return snprintf(pin, max, "%s", secret_text(t->pin)) < (int)max ? 0 : -1;
}

void token_give_pin(struct token *t, struct secret *pin, bool last_try)
{
	secret_free(t->pin);
	t->pin = pin;
	t->refused = false;
	t->last_try = last_try;
}

bool token_has_pin(const struct token *t)
{
	return t->pin && !t->refused;
}

/* ---- modules ---- */
static int module_add(const char *path, struct err *e)
{
	int rc = gnutls_pkcs11_add_provider(path, NULL);

	return rc < 0 ? gnutls_fail(e, REASON_CONFIG, path, rc) : 0;
}

static int modules_load(struct err *e)
{
	int rc = gnutls_pkcs11_init(modules.configured ? GNUTLS_PKCS11_FLAG_AUTO : GNUTLS_PKCS11_FLAG_MANUAL, NULL);

	modules.loaded = true;
	if (rc < 0)
		return gnutls_fail(e, REASON_CONFIG, "cannot load the PKCS#11 modules that p11-kit knows", rc);
	gnutls_pkcs11_set_pin_function(on_pin, NULL);
	for (size_t i = 0; i < modules.n; i++)
		if (module_add(modules.path[i], e) < 0)
			return -1;
	return 0;
}

static void modules_unload(void)
{
	if (modules.loaded)
		gnutls_pkcs11_deinit();
	modules.loaded = false;
}

int token_reset(struct err *e)
{
	modules_unload();
	return modules_load(e);
}

static bool module_known(const char *path)
{
	for (size_t i = 0; i < modules.n; i++)
		if (strcmp(modules.path[i], path) == 0)
			return true;
	return false;
}

/* Whatever is not loaded yet, and without closing the keys that are open. "": what p11-kit is configured for. */
static int module_need(const char *path, struct err *e)
{
	if (*path ? module_known(path) : modules.configured)
		return 0;
	if (!*path && modules.loaded)
		return err_set(e, REASON_CONFIG, "one token of the system has a module-path and another has none; give it to each");
	if (*path && modules.n == MODULES_MAX)
		return err_set(e, REASON_CONFIG, "more than %d PKCS#11 modules", MODULES_MAX);
	if (*path)
		snprintf(modules.path[modules.n++], LIMIT_TOKEN_URI, "%s", path);
	else
		modules.configured = true;
	if ((modules.loaded ? module_add(path, e) : modules_load(e)) == 0)
		return 0;
	if (*path)
		modules.n--;	/* the others must go on */
	else
		modules.configured = false;
	return -1;
}

/* ---- URIs ---- */
static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The value of an attribute, decoded (RFC 7512 2.3); "" if it is not there. */
static int attribute(char *out, size_t size, const char *uri, const char *name, struct err *e)
{
	size_t len = strlen(name), n = 0;
	const char *p = uri;

	*out = 0;
	for (p += strcspn(p, ":?;&"); *p; p += strcspn(p, "?;&")) {
		p++;
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			break;
	}
	for (p += *p ? len + 1 : 0; *p && !strchr("?;&", *p); p++) {
		bool coded = p[0] == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0;

		char c = coded ? (char)(hex_digit(p[1]) * 16 + hex_digit(p[2])) : *p;

		if (n + 1 == size || (*p == '%' && !coded))
			return err_set(e, REASON_CONFIG, "%s: '%s' is too long or not well encoded (RFC 7512)", uri, name);
		if (c == 0)	/* the value would end here, and name another token or module than it seems to */
			return err_set(e, REASON_CONFIG, "%s: '%s' has a NUL octet (%%00), which no label or path has; remove it", uri, name);
		out[n++] = c;
		p += coded ? 2 : 0;
	}
	out[n] = 0;
	return 0;
}

static int read_uri(struct token *t, char path[LIMIT_TOKEN_URI], const char *uri, struct err *e)
{
	char pin[8];

	if (!token_is_uri(uri) || strlen(uri) >= LIMIT_TOKEN_URI)
		return err_set(e, REASON_CONFIG, "\"%.100s\" is no PKCS#11 URI; write for example pkcs11:token=acme-ca", uri);
	if (strstr(uri, "pin-value=") || strstr(uri, "pin-source="))
		return err_set(e, REASON_CONFIG, "a PIN does not belong into a URI, which many can read; name a credential file");
	if (attribute(path, LIMIT_TOKEN_URI, uri, "module-path", e) < 0 || attribute(t->name, sizeof t->name, uri, "token", e) < 0)
		return -1;
	if (strncmp(uri, "pkcs11:?", 8) == 0 || !uri[7] || attribute(pin, sizeof pin, uri, "object", e) < 0 || *pin)
		return err_set(e, REASON_CONFIG, "%s: name the token (token=LABEL, serial=...), not a key of it", uri);
	snprintf(t->uri, sizeof t->uri, "%.*s", (int)strcspn(uri, "?"), uri);
	if (*path)
		snprintf(t->query, sizeof t->query, "%s", uri + strcspn(uri, "?"));
	if (!*t->name)
		snprintf(t->name, sizeof t->name, "%.63s", t->uri);
	return 0;
}

/* ---- life ---- */
struct token *token_open(const char *uri, struct err *e)
{
	struct token *t = mem_new(1, sizeof *t);
	char path[LIMIT_TOKEN_URI];

	t->advice = "permit it (unlock --last-try)";
	if (read_uri(t, path, uri, e) == 0 && module_need(path, e) == 0)
		return t;
	free(t);
	return NULL;
}

void token_advice(struct token *t, const char *how)
{
	t->advice = how;
}

void token_close(struct token *t)
{
	if (!t)
		return;
	if (modules.current == t)
		modules.current = NULL;
	secret_free(t->pin);
	free(t);
}

const char *token_name(const struct token *t)
{
	return t->name;
}

int token_look(struct token *t, enum token_tries *tries, struct err *e)
{
	unsigned flags = 0;
	int rc = gnutls_pkcs11_token_get_flags(t->uri, &flags);

	if (rc < 0) {
		*tries = t->tries = TRIES_UNKNOWN;
		return err_set(e, REASON_CA_UNAVAILABLE, "the token \"%s\" is not there; insert it, or check %s", t->name,
			       *t->query ? "its module" : "p11-kit's modules (p11-kit list-modules)");
	}
	t->tries = flags & GNUTLS_PKCS11_TOKEN_USER_PIN_LOCKED	    ? TRIES_NONE
		   : flags & GNUTLS_PKCS11_TOKEN_USER_PIN_FINAL_TRY ? TRIES_LAST
		   : flags & GNUTLS_PKCS11_TOKEN_USER_PIN_COUNT_LOW ? TRIES_FEW
								    : TRIES_ENOUGH;
	*tries = t->tries;
	return 0;
}

/* ---- keys ---- */
/* Before the token is asked for anything that needs the PIN. */
static int ready(struct token *t, struct err *e)
{
	enum token_tries tries;

	if (token_look(t, &tries, e) < 0)
		return -1;
	if (tries == TRIES_NONE)
		return err_set(e, REASON_SECRET, "token \"%s\": %s", t->name, token_tries_text(tries));
	if (!t->pin)
		return err_set(e, REASON_SECRET, "token \"%s\": its PIN is needed", t->name);
	if (t->refused)
		return err_set(e, REASON_SECRET, "token \"%s\": the PIN is wrong", t->name);
	if (tries == TRIES_LAST && !t->last_try)
		return err_set(e, REASON_SECRET, "token \"%s\": %s; be sure of the PIN, and then %s", t->name, token_tries_text(tries),
			       t->advice);
	modules.current = t;
	return 0;
}

static int failed(struct token *t, const char *what, int rc, struct err *e)
{
	enum token_tries tries;
	const char *text;

	if (!t->refused && rc != GNUTLS_E_PKCS11_PIN_ERROR && rc != GNUTLS_E_PKCS11_PIN_LOCKED)
		return err_set(e, REASON_CA_UNAVAILABLE, "token \"%s\": %s: %s", t->name, what, gnutls_strerror(rc));
	t->refused = true;
	if (token_look(t, &tries, e) < 0)
		return -1;
	text = token_tries_text(tries);
	return err_set(e, REASON_SECRET, "token \"%s\": the PIN is wrong%s%s", t->name, *text ? "; " : "", text);
}

struct key *token_key(struct token *t, const char *uri, struct err *e)
{
	char bare[LIMIT_TOKEN_URI];
	gnutls_privkey_t handle;
	int rc;

	if (ready(t, e) < 0)
		return NULL;
	snprintf(bare, sizeof bare, "%.*s", (int)strcspn(uri, "?"), uri);
	if (gnutls_privkey_init(&handle) < 0)
		mem_out();
	gnutls_privkey_set_pin_function(handle, on_pin, t);
	rc = gnutls_privkey_import_url(handle, bare, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
	if (rc >= 0)
		return key_adopt(handle, true, e);
	failed(t, "cannot open the key", rc, e);
	gnutls_privkey_deinit(handle);
	return NULL;
}

/* What the token was asked for it need not have done. */
static int check_attributes(const char *uri, const char *name, struct err *e)
{
	const unsigned wanted = GNUTLS_PKCS11_OBJ_FLAG_MARK_SENSITIVE | GNUTLS_PKCS11_OBJ_FLAG_NEVER_EXTRACTABLE;
	gnutls_pkcs11_obj_t obj;
	unsigned flags = 0;
	int rc;

	if (gnutls_pkcs11_obj_init(&obj) < 0)
		mem_out();
	rc = gnutls_pkcs11_obj_import_url(obj, uri, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
	if (rc >= 0)
		rc = gnutls_pkcs11_obj_get_flags(obj, &flags);
	gnutls_pkcs11_obj_deinit(obj);
	if (rc < 0)
		return gnutls_fail(e, REASON_KEY_STORE, "cannot look at the new key", rc);
	return (flags & wanted) == wanted ? 0
					  : err_set(e, REASON_KEY_STORE, "token \"%s\" has made a key that can leave it; such a token is no place"
						    " for a CA", name);
}

/* ---- new keys ---- */
/* The sixteen bytes of "id=": an id of ours. */
static int read_id(uint8_t id[ID_LEN], const char *uri)
{
	const char *p = strstr(uri, ";id=");

	if (!p)
		return -1;
	p += 4;
	for (size_t i = 0; i < ID_LEN; i++, p += 3) {
		if (p[0] != '%' || hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
			return -1;
		id[i] = (uint8_t)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
	}
	return 0;
}

static void put_coded(struct buf *out, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		buf_fmt(out, "%%%02X", p[i]);
}

static void put_label(struct buf *out, const char *label)
{
	for (; *label; label++)
		if (isalnum((unsigned char)*label) || strchr("-._~", *label))
			buf_byte(out, (uint8_t)*label);
		else
			put_coded(out, label, 1);
}

int token_reserve(struct token *t, const char *label, struct buf *uri, struct err *e)
{
	uint8_t id[ID_LEN];

	if (ready(t, e) < 0)
		return -1;
	mem_random(id, sizeof id);
	buf_clear(uri);
	buf_fmt(uri, "%s;id=", t->uri);
	put_coded(uri, id, sizeof id);
	buf_str(uri, ";object=");
	put_label(uri, label);
	buf_str(uri, t->query);
	return uri->failed ? err_set(e, REASON_CONFIG, "%s: the URI of the new key is too long", t->uri) : 0;
}

static int filter_of(char filter[LIMIT_TOKEN_URI], const struct token *t, const uint8_t id[ID_LEN], struct err *e)
{
	struct buf text = { .max = LIMIT_TOKEN_URI - 1 };
	int rc;

	buf_fmt(&text, "%s;id=", t->uri);
	put_coded(&text, id, ID_LEN);
	rc = text.failed ? err_set(e, REASON_CONFIG, "%s: too long", t->uri) : 0;
	if (rc == 0)
		snprintf(filter, LIMIT_TOKEN_URI, "%s", buf_text(&text));
	buf_free(&text);
	return rc;
}

/* 1: the key with this id is there, and *uri also says in which device, so that no other one gets the PIN; 0: it is not; -1. */
static int find(struct token *t, const char *filter, struct buf *uri, struct err *e)
{
	char *url = NULL;
	gnutls_pkcs11_obj_t *list = NULL;
	unsigned n = 0;
	int rc = gnutls_pkcs11_obj_list_import_url4(&list, &n, filter, GNUTLS_PKCS11_OBJ_FLAG_PRIVKEY | GNUTLS_PKCS11_OBJ_FLAG_LOGIN);

	if (rc >= 0 && n == 1)
		rc = gnutls_pkcs11_obj_export_url(list[0], GNUTLS_PKCS11_URL_GENERIC, &url);
	else if (rc >= 0 && n > 1)
		rc = GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	for (unsigned i = 0; i < n; i++)
		gnutls_pkcs11_obj_deinit(list[i]);
	gnutls_free(list);
	if (rc < 0)
		return failed(t, "cannot look for the key", rc, e);
	if (n == 0)
		return 0;
	buf_clear(uri);
	buf_fmt(uri, "%s%s", url, t->query);
	rc = uri->failed ? err_set(e, REASON_CONFIG, "%s: the URI of the new key is too long", t->uri) : check_attributes(url, t->name, e);
	gnutls_free(url);
	return rc < 0 ? -1 : 1;
}

/* The same object without its class: private and public half. */
static void both_halves(char out[LIMIT_TOKEN_URI], const char *uri)
{
	const char *type = strstr(uri, ";type=");
	size_t before = type ? (size_t)(type - uri) : strcspn(uri, "?");
	const char *after = type ? type + 1 + strcspn(type + 1, ";?") : "";

	snprintf(out, LIMIT_TOKEN_URI, "%.*s%.*s", (int)before, uri, (int)strcspn(after, "?"), after);
}

int token_remove(struct token *t, const char *uri, struct err *e)
{
	char bare[LIMIT_TOKEN_URI];
	int rc;

	if (ready(t, e) < 0)
		return -1;
	both_halves(bare, uri);
	rc = gnutls_pkcs11_delete_url(bare, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
	if (rc >= 0 || rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return 0;
	return failed(t, "cannot remove the key", rc, e);
}

/* A key that a try before has begun must be the one that is meant now. */
static int same_label(const char *uri, const char *label, struct err *e)
{
	char begun[LIMIT_TOKEN_URI];

	if (attribute(begun, sizeof begun, uri, "object", e) < 0)
		return -1;
	return strcmp(begun, label) == 0
		       ? 0
		       : err_set(e, REASON_CONFIG, "a try that was cut has begun the key \"%s\" here, and this is \"%s\"; bring that one to its end", begun,
				 label);
}

static int make(struct token *t, enum key_type type, const char *label, uint8_t id[ID_LEN], struct err *e)
{
	gnutls_datum_t cka_id = { id, ID_LEN };
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
	int rc;

	if (key_type_parameters(type, &algorithm, &bits) < 0)
		return err_set(e, REASON_KEY_STORE, "keys of type %s cannot be made in a token", key_type_name(type));
	rc = gnutls_pkcs11_privkey_generate3(t->uri, algorithm, bits, label, &cka_id, GNUTLS_X509_FMT_DER, NULL, GNUTLS_KEY_DIGITAL_SIGNATURE,
					     GNUTLS_PKCS11_OBJ_FLAG_LOGIN | GNUTLS_PKCS11_OBJ_FLAG_MARK_SENSITIVE |
						     GNUTLS_PKCS11_OBJ_FLAG_MARK_PRIVATE);
	return rc < 0 ? failed(t, "cannot make a key", rc, e) : 0;
}

struct key *token_generate(struct token *t, enum key_type type, const char *label, struct buf *uri, struct err *e)
{
	char filter[LIMIT_TOKEN_URI];
	uint8_t id[ID_LEN];
	int found;

	if (strstr(buf_text(uri), ";type=") || read_id(id, buf_text(uri)) < 0)	/* not what was reserved, but a key's own */
		return token_key(t, buf_text(uri), e);
	if (same_label(buf_text(uri), label, e) < 0 || ready(t, e) < 0 || filter_of(filter, t, id, e) < 0)
		return NULL;
	found = find(t, filter, uri, e);
	if (found == 0) {
		gnutls_pkcs11_delete_url(filter, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);	/* the half of a pair that a cut has left, if any */
		if (make(t, type, label, id, e) < 0)
			return NULL;
		FAULT("token.key-made");
		found = find(t, filter, uri, e);
		if (found == 0)
			err_set(e, REASON_KEY_STORE, "token \"%s\" does not find the key that it has made", t->name);
	}
	if (found != 1 && e->code == REASON_KEY_STORE)
		gnutls_pkcs11_delete_url(filter, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
	return found == 1 ? token_key(t, buf_text(uri), e) : NULL;
}
