#include <config.h>

#include "reason.h"

#include <string.h>

#include "mem.h"

static const struct reason_info table[] = {
#define REASON_ID(number) (number < 10 ? "E0" #number : "E" #number)
#define REASON(number, symbol, name, text, who, action) \
	{ REASON_##symbol, REASON_ID(number), name, text, who, action },
#include "reason.def"
#undef REASON
};

const struct reason_info *reason_info(enum reason code)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].code == code)
			return &table[i];
	return reason_info(REASON_INTERNAL);
}

const char *reason_id(enum reason code)
{
	return reason_info(code)->id;
}

enum reason reason_parse(const char *id)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i].id, id) == 0)
			return table[i].code;
	return REASON_OK;
}
