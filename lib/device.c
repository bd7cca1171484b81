#include <config.h>

#include "device.h"

#include <string.h>

#include "mem.h"
#include "text.h"

bool device_same(const struct device_id *a, const struct device_id *b)
{
	return strcmp(a->manufacturer, b->manufacturer) == 0 && strcmp(a->model, b->model) == 0 &&
	       strcmp(a->serial, b->serial) == 0;
}

bool device_valid(const struct device_id *d)
{
	return text_is_name(d->manufacturer, LIMIT_NAME) && text_is_name(d->model, LIMIT_NAME) &&
	       text_is_token(d->serial, LIMIT_SERIAL);
}

void request_id_new(struct request_id *r, uint32_t generation)
{
	id_new(r->id);
	r->generation = generation;
}

bool request_id_valid(const struct request_id *r)
{
	return id_valid(r->id);
}

void id_new(char out[REQUEST_ID_LEN + 1])
{
	uint8_t random[REQUEST_ID_LEN / 2];

	mem_random(random, sizeof random);
	text_hex(out, random, sizeof random);
}

bool id_valid(const char *id)
{
	return strlen(id) == REQUEST_ID_LEN && strspn(id, "0123456789abcdef") == REQUEST_ID_LEN;
}
