#include <config.h>

#include "introduce.h"

#include <stdio.h>

static int add_ca(struct chain *ch, const struct chain *ca, struct err *e)
{
	return chain_add(ch, ca->cert[0].der.data, ca->cert[0].der.len, e);
}

int introduce_unit(struct chain *ch, const struct authority *a, const struct buf *der, struct err *e)
{
	/* the last: for those who know a root before */
	return chain_add(ch, der->data, der->len, e) < 0 || add_ca(ch, &a->unit, e) < 0 || authority_way(a, ch, e) < 0 ? -1 : 0;
}

/* protocol-documents 4.2. After a rollover both generations, since devices of the first live on: what each root says of the other,
 * the roots last, the one that customers know by its fingerprint behind the other. */
int introduce_factory(struct chain *ch, const struct authority *a, struct err *e)
{
	if (add_ca(ch, &a->issuing, e) < 0 || (a->generation > 1 && add_ca(ch, &a->older_issuing, e) < 0) || add_ca(ch, &a->unit, e) < 0)
		return -1;
	if (a->generation == 1)
		return add_ca(ch, &a->root, e);
	for (size_t i = 0; i < 2; i++)
		if (chain_add(ch, a->cross.cert[i].der.data, a->cross.cert[i].der.len, e) < 0)
			return -1;
	if (chain_append(ch, &a->links, e) < 0)
		return -1;
	return add_ca(ch, a->overlap ? &a->root : &a->older_root, e) < 0 || add_ca(ch, a->overlap ? &a->older_root : &a->root, e) < 0 ? -1 : 0;
}

int introduce(struct handoff *h, const struct authority *a, const char *manufacturer, const struct buf *der, struct err *e)
{
	snprintf(h->manufacturer, sizeof h->manufacturer, "%s", manufacturer);
	if (introduce_unit(&h->node, a, der, e) < 0)
		return -1;
	snprintf(h->customer, sizeof h->customer, "%s", h->node.cert[0].customer);
	return introduce_factory(&h->factory, a, e);
}
