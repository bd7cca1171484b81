/* The file of a ceremony: what people review is what is done, so whatever is taken is whole, within its limits and without detours. */
#include <config.h>

#include <string.h>

#include "ceremony.h"
#include "fuzz.h"

static void check_path(const char *path)
{
	FUZZ_MUST(!*path || (path[0] == '/' && strlen(path) < FILE_PATH && !strstr(path, "/../") && !strstr(path, "//")));
}

static void check_step(const struct ceremony_plan *p, size_t i)
{
	const struct ceremony_step *s = &p->step[i];
	char path[FILE_PATH];
	struct buf title = {0};
	struct err e;

	FUZZ_MUST(s->line >= 1 && s->column >= 1 && *s->dir);
	check_path(s->dir);
	check_path(s->root);
	check_path(s->out);
	check_path(s->homes.root.credential);
	check_path(s->homes.keys.credential);
	FUZZ_MUST(s->root_days <= LIMIT_CEREMONY_DAYS && s->issuing_days <= LIMIT_CEREMONY_DAYS && s->unit_days <= LIMIT_CEREMONY_DAYS);
	FUZZ_MUST(s->verb != VERB_CERTIFY || (s->made_by < (int)i && (s->made_by >= 0 || *s->root_sha256) && (!s->install || s->made_by >= 0)));
	FUZZ_MUST(s->verb != VERB_LIST || (s->list_days >= 1 && s->list_days <= LIMIT_ROOT_LIST_DAYS && !s->revoke == !s->reason));
	FUZZ_MUST(!ceremony_makes(s) || (*s->settings.name && *s->homes.root.place && *s->homes.keys.place));
	FUZZ_MUST(!strstr(s->homes.root.place, "pin-value=") && !strstr(s->homes.keys.place, "pin-value="));
	ceremony_title(&title, s);
	ceremony_place(&title, &s->homes.root, s->homes.plain);
	FUZZ_MUST(title.len);
	buf_free(&title);
	if (ceremony_made(path, s, &e) == 0)
		check_path(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ceremony_plan *p = malloc(sizeof *p);
	struct buf text = {0};
	struct err e = {0};

	if (!p)
		return 0;
	buf_add(&text, data, size);
	if (ceremony_parse(p, "input", &text, &e) == 0) {
		FUZZ_MUST(p->n_steps >= 1 && p->n_steps <= LIMIT_CEREMONY_STEPS && p->n_witnesses >= 1 && p->n_witnesses <= LIMIT_CEREMONY_PEOPLE);
		FUZZ_MUST(strlen(p->sha256) == SHA256_HEX - 1 && *p->title);
		for (size_t i = 0; i < p->n_steps; i++)
			check_step(p, i);
		ceremony_free(p);
	} else {
		FUZZ_MUST(e.code == REASON_CONFIG && e.text[0]);
	}
	buf_free(&text);
	free(p);
	return 0;
}
