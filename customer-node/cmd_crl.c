/* The factories' revocation lists for commands: as the daemon has kept them. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "factory_crl.h"
#include "mem.h"

struct crl_view {
	struct node_conf conf;
	struct maker_set makers;
	struct factory_crls *crls;
};

struct crl_view *crl_view_open(const char *dir, struct err *e)
{
	struct crl_view *v = mem_new(1, sizeof *v);

	if (node_conf_load(&v->conf, dir, e) == 0 && maker_set_load(&v->makers, dir, e) == 0)
		v->crls = factory_crls_new(&v->makers, dir, e);
	if (v->crls)
		return v;
	crl_view_close(v);
	return NULL;
}

void crl_view_close(struct crl_view *v)
{
	if (!v)
		return;
	factory_crls_free(v->crls);
	maker_set_free(&v->makers);
	free(v);
}

bool crl_view_used(const struct crl_view *v)
{
	return v && v->conf.n_factory_crls;
}

void crl_view_judge(struct crl_view *v, const char *manufacturer, struct crl_word *word)
{
	*word = (struct crl_word){ .verdict = CRL_UNUSED };
	if (crl_view_used(v))
		factory_crls_judge_maker(v->crls, manufacturer, clock_utc(), word);
}

/* ---- for people ---- */
struct printer {
	const struct cli *c;
	const char *manufacturer;	/* NULL: all */
	int64_t now;
};

static void print_json(const struct factory_crl_state *s, bool fresh)
{
	struct jsonl *j = jsonl_new("factory-crl");
	char time[TEXT_TIME];

	jsonl_str(j, "manufacturer", s->manufacturer);
	jsonl_str(j, "issuer", s->issuer);
	jsonl_int(j, "number", (int64_t)s->number);
	jsonl_int(j, "certificates", (int64_t)s->certificates);
	text_time(time, s->next_update);
	jsonl_str(j, "next_update", s->number ? time : "");
	jsonl_bool(j, "fresh", fresh);
	jsonl_print(j);
}

static void print_one(void *arg, const struct factory_crl_state *s)
{
	const struct printer *p = arg;
	bool fresh = s->number && s->this_update <= p->now && p->now <= s->next_update;
	char time[TEXT_TIME];

	if (p->manufacturer && strcmp(p->manufacturer, s->manufacturer) != 0)
		return;
	if (cli_json(p->c)) {
		print_json(s, fresh);
		return;
	}
	text_time(time, s->next_update);
	if (s->number)
		printf("CRL        %s: number %" PRIu64 ", %zu certificates, %s %s\n", s->issuer, s->number, s->certificates,
		       fresh ? "good until" : s->this_update > p->now ? "not good yet; until" : "over since", time);
	else
		printf("CRL        %s: none has come yet\n", s->issuer);
}

void crl_view_print(const struct cli *c, struct crl_view *v, const char *manufacturer)
{
	struct printer p = { .c = c, .manufacturer = manufacturer, .now = clock_utc() };

	if (crl_view_used(v))
		factory_crls_list(v->crls, print_one, &p);
}
