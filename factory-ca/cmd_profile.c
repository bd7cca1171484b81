#include <config.h>

#include <stdio.h>
#include <string.h>

#include "book.h"
#include "clock.h"
#include "cmd.h"
#include "mem.h"

/* ---- list ---- */
static void life_text(char *out, size_t size, const struct profile *p)
{
	if (p->validity_s)
		snprintf(out, size, "%um", p->validity_s / 60);
	else if (p->validity_days)
		snprintf(out, size, "%ud", p->validity_days);
	else
		snprintf(out, size, "forever");
}

/* 1 the default of its CA, 2 another that it issues by, 0 none of these. */
static int in_use(const struct book *b, const struct book_page *page)
{
	for (size_t i = 0; b->has_ca && i < b->settings.n_profiles; i++)
		if (strcmp(b->settings.profile[i], page->name) == 0)
			return i == 0 ? 1 : 2;
	return 0;
}

static void list_page(const struct cli *c, const struct book *b, const struct book_page *page)
{
	static const char *const use[] = { "", "default", "in use" }, *const json_use[] = { "none", "default", "issued-by" };
	char life[16];
	struct jsonl *j;

	life_text(life, sizeof life, &page->profile);
	if (!cli_json(c)) {
		if (page->good)
			printf("%-20s %-16s %-8s %-8s %s\n", page->name, profile_kind_name(page->profile.kind), life, use[in_use(b, page)], page->path);
		else
			printf("%-20s %-34s %s\n", page->name, "has errors, see \"profile lint\"", page->path);
		return;
	}
	j = jsonl_new("profile");
	jsonl_str(j, "name", page->name);
	jsonl_bool(j, "good", page->good);
	if (page->good) {
		jsonl_str(j, "kind", profile_kind_name(page->profile.kind));
		jsonl_str(j, "validity", life);
		jsonl_str(j, "use", json_use[in_use(b, page)]);
	}
	jsonl_str(j, "file", page->path);
	jsonl_print(j);
}

enum cli_exit cmd_profile_list(const struct cli *c)
{
	struct book b;
	struct err e;
	int rc = book_open(&b, c, &e);

	for (size_t i = 0; rc == 0 && i < b.n; i++)
		list_page(c, &b, &b.page[i]);
	book_close(&b);
	return rc < 0 ? cli_fail(c, &e) : EXIT_DONE;
}

/* ---- show: what the profile comes to, with all that is fixed or left out ---- */
struct shown {
	struct jsonl *j;	/* NULL: for a person */
};

static void show(const struct shown *s, const char *name, const char *value)
{
	if (s->j)
		jsonl_str(s->j, name, value);
	else
		printf("%-16s %s\n", name, *value ? value : "-");
}

static void word(struct buf *out, bool is, const char *text)
{
	if (is)
		buf_fmt(out, "%s%s", out->len ? ", " : "", text);
}

static void show_words(const struct shown *s, const char *name, struct buf *words)
{
	show(s, name, buf_text(words));
	buf_clear(words);
}

static void show_subject(const struct shown *s, const struct profile *p)
{
	static const char *const common[] = {
		[COMMON_MODEL_SERIAL] = "CN \"model serial\"", [COMMON_SERIAL] = "CN serial", [COMMON_NONE] = NULL
	};
	struct buf w = {0};

	if (profile_is_device(p)) {
		buf_fmt(&w, "O manufacturer, OU model, serialNumber serial");
		word(&w, common[p->common_name], common[p->common_name]);
		word(&w, p->locality[0] || p->allow_locality, "L");
	} else {
		buf_fmt(&w, "CN");
		word(&w, p->kind != PROFILE_UNIT || p->organization[0], "O");
		word(&w, p->unit[0], "OU");
	}
	show_words(s, "subject", &w);
	if (profile_is_device(p)) {
		word(&w, p->hardware_name, "hardwareModuleName (model's OID, serial)");
		word(&w, p->email_name && (p->email[0] || p->allow_email), "e-mail");
		if (p->dns_name)
			buf_fmt(&w, "%sSERIAL.%s", w.len ? ", " : "", p->dns_domain);
		if (p->uri_name)
			buf_fmt(&w, "%s%sSERIAL", w.len ? ", " : "", p->uri_prefix);
	} else {
		word(&w, p->kind == PROFILE_UNIT, "URI handsel:ROLE:NAME, hosts of a server");
	}
	show_words(s, "names", &w);
	buf_free(&w);
}

static void show_usage(const struct shown *s, const struct profile *p)
{
	static const char *const types[] = {
		[KEY_P256] = "p256", [KEY_P384] = "p384", [KEY_RSA2048] = "rsa2048", [KEY_RSA3072] = "rsa3072"
	};
	bool ca = p->kind == PROFILE_ROOT || p->kind == PROFILE_ISSUING || p->kind == PROFILE_UNIT_CA;
	struct buf w = {0};

	for (size_t i = KEY_P256; i < ARRAY_LEN(types); i++)
		word(&w, p->key_types & 1u << i, types[i]);
	show_words(s, "key-types", &w);
	word(&w, p->digital_signature, "digital-signature");
	word(&w, p->key_encipherment, "key-encipherment (RSA)");
	word(&w, p->key_agreement, "key-agreement (EC)");
	word(&w, p->key_cert_sign, "key-cert-sign");
	word(&w, p->crl_sign, "crl-sign");
	show_words(s, "key-usage", &w);
	if (p->kind == PROFILE_UNIT)
		buf_fmt(&w, "client-auth; server-auth of the roles ca and node");
	word(&w, p->kind != PROFILE_UNIT && p->server_auth, "server-auth");
	word(&w, p->kind != PROFILE_UNIT && p->client_auth, "client-auth");
	for (size_t i = 0; i < PLAN_PURPOSES; i++)
		word(&w, p->purpose[i][0], p->purpose[i]);
	word(&w, !ca && w.len == 0, "any");
	show_words(s, "usage", &w);
	if (p->kind == PROFILE_ISSUING)
		buf_fmt(&w, "that of its devices");
	else if (p->kind != PROFILE_ROOT)
		word(&w, true, profile_policy(p->kind, false));
	for (size_t i = 0; i < PROFILE_POLICIES; i++)
		word(&w, p->policies[i][0], p->policies[i]);
	show_words(s, "policies", &w);
	buf_free(&w);
}

static void show_rest(const struct shown *s, const struct book *b, const struct book_page *page)
{
	const struct profile *p = &page->profile;
	struct buf w = {0};
	char text[32];

	life_text(text, sizeof text, p);
	show(s, "validity", text);
	snprintf(text, sizeof text, "%ud", p->validity_max_days);
	show(s, "validity-max", p->validity_max_days ? text : "forever");
	word(&w, p->allow_validity, "validity");
	word(&w, p->allow_locality, "locality");
	word(&w, p->allow_email, "email");
	show_words(s, "allow", &w);
	for (size_t i = 0; i < p->limits.n; i++) {
		static const char *const forms[] = { [FORM_EMAIL] = "email:", [FORM_DNS] = "dns:", [FORM_IP] = "ip" };
		const struct name_subtree *one = &p->limits.of[i];

		buf_fmt(&w, "%s%s %s%s", w.len ? ", " : "", one->excluded ? "not" : "only", forms[one->form], one->form == FORM_IP ? "" :
			one->text[0] ? one->text : "*");
	}
	show_words(s, "constraints", &w);
	show(s, "crl-url", p->crl_url);
	show(s, "ocsp-url", p->ocsp_url);
	show(s, "ca-issuers-url", p->issuer_url);
	show(s, "subject-key-id", p->no_key_id ? "no" : "yes");
	show(s, "no-revocation", p->no_rev_avail ? "yes" : "no");
	show(s, "order-needed", p->order_needed ? "yes" : "no");
	show(s, "signed-by", book_issuer(b, p) ? book_issuer(b, p)->subject : "");
	buf_free(&w);
}

enum cli_exit cmd_profile_show(const struct cli *c)
{
	struct shown s = {0};
	struct book_page *page;
	struct book b;
	struct err e;
	int rc = book_open(&b, c, &e);

	page = rc == 0 ? book_find(&b, cli_arg(c, 0), &e) : NULL;
	if (page && !page->good && profile_load(&page->profile, page->path, &e) < 0)
		page = NULL;
	if (!page) {
		book_close(&b);
		return cli_fail(c, &e);
	}
	if (cli_json(c))
		s.j = jsonl_new("profile");
	show(&s, "name", page->name);
	show(&s, "file", page->path);
	show(&s, "kind", profile_kind_name(page->profile.kind));
	show_subject(&s, &page->profile);
	show_usage(&s, &page->profile);
	show_rest(&s, &b, page);
	if (s.j)
		jsonl_print(s.j);
	book_close(&b);
	return EXIT_DONE;
}

/* ---- lint ---- */
static void sum_up(const struct cli *c, size_t files, const struct problems *all)
{
	size_t warnings = all->n - all->errors;
	struct jsonl *j;

	if (!cli_json(c)) {
		printf("%zu profile%s: %zu error%s, %zu warning%s\n", files, files == 1 ? "" : "s", all->errors, all->errors == 1 ? "" : "s", warnings,
		       warnings == 1 ? "" : "s");
		return;
	}
	j = jsonl_new("result");
	jsonl_int(j, "profiles", (int64_t)files);
	jsonl_int(j, "errors", (int64_t)all->errors);
	jsonl_int(j, "warnings", (int64_t)warnings);
	jsonl_print(j);
}

enum cli_exit cmd_profile_lint(const struct cli *c)
{
	struct problems all = {0};
	size_t n = cli_args(c);
	enum cli_exit rc;
	struct book b;
	struct err e;
	int bad = book_open(&b, c, &e);

	for (size_t i = 0; bad == 0 && i < n; i++) {
		struct book_page *page = book_find(&b, cli_arg(c, i), &e);

		if (page)
			book_lint(&b, page, clock_utc(), &all);
		else
			bad = -1;
	}
	for (size_t i = 0; bad == 0 && n == 0 && i < b.n; i++)
		book_lint(&b, &b.page[i], clock_utc(), &all);
	problems_print(&all, cli_json(c));
	if (bad == 0)
		sum_up(c, n ? n : b.n, &all);
	rc = bad < 0 ? cli_fail(c, &e) : all.errors ? EXIT_NO : EXIT_DONE;
	problems_free(&all);
	book_close(&b);
	return rc;
}
