#include <config.h>

#include "scan.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "mem.h"
#include "text.h"

#define BACKSPACE 0x08
#define DELETE 0x7f

struct scanner {
	struct scan_settings set;
	regex_t label, badge;
	bool has_label;
	char line[SCAN_MAX + 1];
	size_t len;
	bool overlong;		/* the rest of it is dropped up to Enter */
};

static int check_regex(const struct conf_node *n, const char *text, struct err *e)
{
	char why[100];
	regex_t r;
	int rc;

	if (!text[0])
		return 0;
	rc = regcomp(&r, text, REG_EXTENDED);
	if (rc == 0) {
		regfree(&r);
		return 0;
	}
	regerror(rc, &r, why, sizeof why);
	return conf_error(n, e, "not a regular expression: %s", why);
}

int scan_settings_read(struct scan_settings *s, const struct conf_node *n, struct err *e)
{
	static const struct conf_field fields[] = {
		{ "prefix", CONF_SCALAR, false },
		{ "suffix", CONF_SCALAR, false },
		{ "label", CONF_SCALAR, false },
		{ "badge", CONF_SCALAR, false },
	};
	const struct conf_node *v[ARRAY_LEN(fields)];

	if (!n)
		return 0;
	if (conf_fields(n, fields, ARRAY_LEN(fields), v, e) < 0 ||
	    conf_str(v[0], s->prefix, sizeof s->prefix, e) < 0 || conf_str(v[1], s->suffix, sizeof s->suffix, e) < 0 ||
	    conf_str(v[2], s->label, sizeof s->label, e) < 0 || conf_str(v[3], s->badge, sizeof s->badge, e) < 0)
		return -1;
	if (check_regex(v[2], s->label, e) < 0)
		return -1;
	return check_regex(v[3], s->badge, e);
}

struct scanner *scanner_new(const struct scan_settings *set)
{
	struct scanner *s = mem_new(1, sizeof *s);

	s->set = *set;
	s->has_label = set->label[0];
	/* They compiled when the settings were read; what fails now is memory. */
	if ((s->has_label && regcomp(&s->label, set->label, REG_EXTENDED) != 0) ||
	    regcomp(&s->badge, set->badge[0] ? set->badge : SCAN_BADGE_DEFAULT, REG_EXTENDED) != 0)
		mem_out();
	return s;
}

void scanner_free(struct scanner *s)
{
	if (!s)
		return;
	if (s->has_label)
		regfree(&s->label);
	regfree(&s->badge);
	free(s);
}

static void bad(struct scan *out, const char *text)
{
	out->kind = SCAN_BAD;
	err_set(&out->error, REASON_LABEL, "%s", text);
}

/* Does it fit all of the text? Then the first group, or all of it, is copied. */
static bool fits(const regex_t *r, const char *text, char out[SCAN_MAX + 1])
{
	regmatch_t m[2];
	const regmatch_t *part;

	if (regexec(r, text, 2, m, 0) != 0 || m[0].rm_so != 0 || text[m[0].rm_eo])
		return false;
	part = m[1].rm_so >= 0 ? &m[1] : &m[0];
	memcpy(out, text + part->rm_so, (size_t)(part->rm_eo - part->rm_so));
	out[part->rm_eo - part->rm_so] = 0;
	return true;
}

static void card(const char *name, struct scan *out)
{
	static const struct {
		const char *name;
		enum scan_kind kind;
		bool slot;
	} cards[] = { { "RETRY:", SCAN_RETRY, true },
		      { "SKIP:", SCAN_SKIP, true },
		      { "LOGOUT", SCAN_LOGOUT, false },
		      { "SHIFT", SCAN_SHIFT, false } };

	for (size_t i = 0; i < ARRAY_LEN(cards); i++) {
		size_t n = strlen(cards[i].name);

		if (strncmp(name, cards[i].name, n) != 0)
			continue;
		out->kind = cards[i].kind;
		if (cards[i].slot ? text_is_token(name + n, LIMIT_NAME) : !name[n]) {
			strcpy(out->text, name + n);
			return;
		}
	}
	bad(out, "there is no such command card; the cards are CMD:RETRY:SLOT, CMD:SKIP:SLOT, CMD:LOGOUT and CMD:SHIFT");
}

static void judge(const struct scanner *s, const char *text, struct scan *out)
{
	if (strncmp(text, "CMD:", 4) == 0) {
		card(text + 4, out);
	} else if (fits(&s->badge, text, out->text)) {
		out->kind = SCAN_BADGE;
		if (!text_is_token(out->text, LIMIT_NAME))
			bad(out, "an operator's name must be of A-Z a-z 0-9 . _ -, at most 64; correct the badge, or `badge` in station.yaml");
	} else {
		out->kind = SCAN_LABEL;
		if (!s->has_label)
			strcpy(out->text, text);
		else if (!fits(&s->label, text, out->text))
			bad(out, "the scan is neither a label nor a badge nor a command card; scan it again");
	}
}

/* Control characters, too: many scanners frame a code with them. */
static bool is_blank(char c)
{
	return (unsigned char)c <= ' ';
}

/* Only ASCII is printed on labels: anything else is a damaged code, or a scanner set to another keyboard. */
static bool is_readable(const char *text)
{
	for (; *text; text++)
		if (*text != '\t' && ((unsigned char)*text < ' ' || (unsigned char)*text >= DELETE))
			return false;
	return true;
}

/* Takes prefix, suffix and blanks off. NULL: one of them is not there. */
static char *strip(const struct scanner *s, char *text)
{
	size_t len = strlen(text), prefix = strlen(s->set.prefix), suffix = strlen(s->set.suffix);

	if (len < prefix + suffix || strncmp(text, s->set.prefix, prefix) != 0 ||
	    strcmp(text + len - suffix, s->set.suffix) != 0)
		return NULL;
	text[len - suffix] = 0;
	text += prefix;
	while (*text && is_blank(*text))
		text++;
	for (len = strlen(text); len && is_blank(text[len - 1]); len--)
		text[len - 1] = 0;
	return text;
}

static bool complete(struct scanner *s, struct scan *out)
{
	bool overlong = s->overlong, nul = strnlen(s->line, s->len) < s->len;
	char *text;

	s->line[s->len] = 0;
	s->len = 0;
	s->overlong = false;
	if (overlong) {
		memset(out, 0, sizeof *out);
		bad(out, "the scan is longer than any label; scan one label at a time");
		return true;
	}
	if (!nul && s->line[strspn(s->line, " \t")] == 0)
		return false;
	text = strip(s, s->line);
	if (text && !*text && !nul)
		return false;
	memset(out, 0, sizeof *out);
	if (!text)
		bad(out, "the scan lacks the scanner's prefix or suffix: it is torn, or was not scanned; scan it again");
	else if (nul || !is_readable(text))
		bad(out, "the scan has bytes that no label has; clean label and scanner, and scan it again");
	else
		judge(s, text, out);
	return true;
}

static bool has_suffix(const struct scanner *s)
{
	size_t n = strlen(s->set.suffix), prefix = strlen(s->set.prefix);

	return n && s->len >= prefix + n && memcmp(s->line + s->len - n, s->set.suffix, n) == 0;
}

bool scanner_byte(struct scanner *s, uint8_t byte, struct scan *out)
{
	if (byte == '\r' || byte == '\n')
		return complete(s, out);
	if (byte == BACKSPACE || byte == DELETE) {
		s->len -= s->len > 0;
		return false;
	}
	if (s->len == SCAN_MAX) {
		s->overlong = true;
		return false;
	}
	s->line[s->len++] = (char)byte;
	return has_suffix(s) && complete(s, out);
}

bool scanner_end(struct scanner *s, struct scan *out)
{
	return complete(s, out);
}
