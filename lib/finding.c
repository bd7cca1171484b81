#include <config.h>

#include "finding.h"

#include <stdarg.h>
#include <stdio.h>

static void print(bool json, const char *step, enum finding finding, enum reason code, const char *text)
{
	static const char *const names[] = { "good", "doubt", "bad", "not-tried" };
	static const char marks[] = "v!x-";

	if (json) {
		struct jsonl *j = jsonl_new("check");

		jsonl_str(j, "step", step);
		jsonl_str(j, "finding", names[finding]);
		if (code != REASON_OK)
			jsonl_str(j, "code", reason_id(code));
		jsonl_str(j, "text", text);
		jsonl_print(j);
	} else if (code == REASON_OK) {
		printf(" %c %-11s %s\n", marks[finding], step, text);
	} else {
		printf(" %c %-11s %s %s\n", marks[finding], step, reason_id(code), text);
	}
}

void finding_say(struct findings *all, const char *step, enum finding f, enum reason code, const char *fmt, ...)
{
	char text[sizeof((struct err *)0)->text + 100];	/* an error's sentence and a few words */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (f == FINDING_BAD && all->first == REASON_OK)
		all->first = code;
	print(all->json, step, f, code, text);
}

enum cli_exit finding_advice(const struct findings *all)
{
	enum reason code = all->first;
	const struct reason_info *r = reason_info(code);

	if (all->json) {
		struct jsonl *j = jsonl_new("result");

		jsonl_bool(j, "good", code == REASON_OK);
		if (code != REASON_OK) {
			jsonl_str(j, "code", r->id);
			jsonl_str(j, "reason", r->name);
			jsonl_str(j, "who", r->who);
			jsonl_str(j, "action", r->action);
		}
		jsonl_print(j);
	} else if (code == REASON_OK) {
		printf("Advice: nothing is in the way.\n");
	} else {
		printf("Advice: %s %s (%s): %s.\n", r->id, r->text, r->who, r->action);
	}
	return code == REASON_OK ? EXIT_DONE : cli_exit_of(code);
}
