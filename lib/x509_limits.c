#include <config.h>

#include "x509.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "der.h"

#define FORM_DIRECTORY 4	/* the [n] of GeneralName (RFC 5280 4.2.1.6) */

/* ---- as a profile writes them ---- */
static bool is_domain(const char *text)
{
	size_t label = 0;

	for (; *text; text++) {
		if (*text == '.' && label == 0)
			return false;
		label = *text == '.' ? 0 : label + 1;
		if (label > 63 || (*text != '.' && *text != '-' && !(*text >= '0' && *text <= '9') && !(*text >= 'a' && *text <= 'z') &&
				   !(*text >= 'A' && *text <= 'Z')))
			return false;
	}
	return label > 0;
}

/* ADDRESS/BITS, without a bit of the host. */
static int parse_ip(struct name_subtree *s, const char *text)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	uint64_t bits;

	if (!slash || (size_t)(slash - text) >= sizeof address)
		return -1;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	s->ip_len = inet_pton(AF_INET, address, s->ip) == 1 ? 4 : inet_pton(AF_INET6, address, s->ip) == 1 ? 16 : 0;
	if (s->ip_len == 0 || text_uint(&bits, slash + 1, 8 * s->ip_len) < 0)
		return -1;
	for (size_t i = 0; i < s->ip_len; i++) {
		size_t left = bits > 8 * i ? bits - 8 * i : 0;

		s->ip[s->ip_len + i] = left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
		if (s->ip[i] & ~s->ip[s->ip_len + i])
			return -1;
	}
	return 0;
}

static int add(struct name_limits *l, const struct name_subtree *s)
{
	if (l->n == NAME_SUBTREES)
		return -2;
	l->of[l->n++] = *s;
	return 0;
}

int name_limits_add(struct name_limits *l, bool excluded, const char *text)
{
	struct name_subtree s = { .excluded = excluded };
	const char *value = strchr(text, ':');
	size_t len = value ? (size_t)(value++ - text) : 0;

	if (len == 3 && memcmp(text, "dns", len) == 0) {
		s.form = FORM_DNS;
	} else if (len == 5 && memcmp(text, "email", len) == 0) {
		s.form = FORM_EMAIL;
	} else if (len == 2 && memcmp(text, "ip", len) == 0) {
		s.form = FORM_IP;
	} else {
		return -1;
	}
	if (strcmp(value, "*") == 0) {	/* the empty domain; every address, of either length */
		s.ip_len = 4;
		if (s.form == FORM_IP && add(l, &s) < 0)
			return -2;
		s.ip_len = 16;
		return add(l, &s);
	}
	if (s.form == FORM_IP)
		return parse_ip(&s, value) < 0 ? -1 : add(l, &s);
	if (s.form == FORM_DNS ? !is_domain(value) : !is_domain(strchr(value, '@') ? strchr(value, '@') + 1 : value + (*value == '.')))
		return -1;
	return text_copy(s.text, sizeof s.text, value) < 0 ? -1 : add(l, &s);
}

/* ---- the extension ---- */
static void put_side(struct buf *out, const struct name_limits *l, bool excluded)
{
	size_t at, one;
	bool any = false;

	for (size_t i = 0; i < l->n; i++)
		any |= l->of[i].excluded == excluded;
	if (!any)
		return;
	at = der_begin(out, (uint8_t)DER_CONTEXT(excluded ? 1 : 0));
	for (size_t i = 0; i < l->n; i++) {
		const struct name_subtree *s = &l->of[i];

		if (s->excluded != excluded)
			continue;
		one = der_begin(out, DER_SEQUENCE);
		if (s->form == FORM_IP)
			der_put(out, DER_CONTEXT_PRIMITIVE(FORM_IP), s->ip, 2 * s->ip_len);
		else
			der_put_text(out, (uint8_t)DER_CONTEXT_PRIMITIVE(s->form), s->text);
		der_end(out, one);
	}
	der_end(out, at);
}

void name_limits_put(struct buf *out, const struct name_limits *l)
{
	size_t at = der_begin(out, DER_SEQUENCE);

	put_side(out, l, false);
	put_side(out, l, true);
	der_end(out, at);
}

/* ---- judging (RFC 5280 4.2.1.10, 6.1.3 (b) and (c)) ---- */
static bool ends_with(const struct der *name, const uint8_t *end, size_t len)
{
	return name->left >= len && strncasecmp((const char *)name->p + name->left - len, (const char *)end, len) == 0;
}

static bool dns_within(const struct der *name, const struct der *base)
{
	return base->left == 0 ||
	       (ends_with(name, base->p, base->left) && (name->left == base->left || name->p[name->left - base->left - 1] == '.'));
}

/* A mailbox, a host, or with a dot in front all hosts below a domain. */
static bool email_within(const struct der *name, const struct der *base)
{
	const uint8_t *at = memchr(name->p, '@', name->left);
	struct der host = *name;

	if (base->left == 0)
		return true;
	if (!at || memchr(base->p, '@', base->left))
		return at && ends_with(name, base->p, base->left) && name->left == base->left;
	host.left -= (size_t)(at + 1 - name->p);
	host.p = at + 1;
	return ends_with(&host, base->p, base->left) && (base->p[0] == '.' ? host.left > base->left : host.left == base->left);
}

static bool ip_within(const struct der *name, const struct der *base)
{
	if (base->left != 2 * name->left)
		return false;
	for (size_t i = 0; i < name->left; i++)
		if ((name->p[i] & base->p[name->left + i]) != (base->p[i] & base->p[name->left + i]))
			return false;
	return true;
}

static bool within(int form, const struct der *name, const struct der *base)
{
	return form == FORM_DNS ? dns_within(name, base) : form == FORM_EMAIL ? email_within(name, base) : ip_within(name, base);
}

static bool is_known(int form)
{
	return form == FORM_DNS || form == FORM_EMAIL || form == FORM_IP;
}

enum verdict { WITHIN, OUTSIDE, NOT_NAMED, UNCLEAR };

/* One name against one side's subtrees. A form that we cannot compare is UNCLEAR where it is named. */
static enum verdict judge_side(const struct der *side, int form, const struct der *name)
{
	struct der rest = *side;
	enum verdict v = NOT_NAMED;

	while (rest.left) {
		struct der one = der_take(&rest, DER_SEQUENCE);
		uint8_t tag = der_peek(&one);
		struct der base = der_take(&one, tag);

		if (base.failed || !der_done(&one))	/* minimum and maximum are not for us (RFC 5280 4.2.1.10) */
			return UNCLEAR;
		if ((tag & 0x1f) != form)
			continue;
		if (!is_known(form))
			return UNCLEAR;
		if (within(form, name, &base))
			return WITHIN;
		v = OUTSIDE;
	}
	return rest.failed ? UNCLEAR : v;
}

static bool allows(const struct der *permitted, const struct der *excluded, int form, const struct der *name)
{
	enum verdict yes = judge_side(permitted, form, name), no = judge_side(excluded, form, name);

	return (yes == WITHIN || yes == NOT_NAMED) && (no == OUTSIDE || no == NOT_NAMED);
}

int name_limits_check(const struct cert *ca, const void *san, size_t len, const char *subject, struct err *e)
{
	struct der in = der_from(ca->der.data + ca->limits.at, ca->limits.len), seq = der_take(&in, DER_SEQUENCE), names = der_from(san, len);
	struct der permitted = {0}, excluded = {0}, nobody = {0};

	if (ca->limits.len == 0)
		return 0;
	der_optional(&seq, DER_CONTEXT(0), &permitted);
	der_optional(&seq, DER_CONTEXT(1), &excluded);
	if (!der_done(&seq) || !der_done(&in) || !allows(&permitted, &excluded, FORM_DIRECTORY, &nobody))
		return err_set(e, REASON_AUTHORITY, "the name constraints of \"%s\" are of a form that cannot be judged here (RFC 5280 4.2.1.10)",
			       ca->subject);
	while (names.left) {
		uint8_t tag = der_peek(&names);
		struct der name = der_take(&names, tag);

		if (name.failed || !allows(&permitted, &excluded, tag & 0x1f, &name))
			return err_set(e, REASON_AUTHORITY, "the name constraints of \"%s\" do not allow a name in the subjectAltName of \"%s\" "
				       "(RFC 5280 4.2.1.10)", ca->subject, subject);
	}
	return 0;
}
