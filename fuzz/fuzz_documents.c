/* The contents of the signed documents, as they are parsed once their signature has been verified. */
#include <config.h>

#include <string.h>

#include "document.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct work_order o;
	struct buf xml = {0};
	struct ticket t;
	struct handoff h;
	struct manifest m;
	struct voucher v;
	struct release r;
	struct invitation in;
	struct unit_renewal re;
	struct action ac;
	struct approval ap;
	struct err e;

	buf_add(&xml, data, size);
	if (work_order_parse(&o, &xml, &e) == 0)
		FUZZ_MUST(o.n_ranges && o.n_stations && o.quota && o.quota <= UINT32_MAX - o.scrap &&
			  work_order_has_serial(&o, o.range[0].from) && work_order_has_serial(&o, o.range[0].to) &&
			  work_order_has_station(&o, o.station[0]));
	if (ticket_parse(&t, &xml, &e) == 0)
		FUZZ_MUST(device_valid(&t.device) && request_id_valid(&t.request));
	if (release_parse(&r, &xml, &e) == 0)
		FUZZ_MUST(device_valid(&r.device) && r.sequence);
	if (handoff_parse(&h, &xml, &e) == 0)
		FUZZ_MUST(h.node.n && h.factory.n && h.customer[0]);
	handoff_free(&h);
	if (manifest_parse(&m, &xml, &e) == 0)
		for (size_t i = 0; i < m.n; i++)
			FUZZ_MUST(device_valid(&m.entry[i].device));
	manifest_free(&m);
	if (voucher_parse(&v, &xml, &e) == 0)
		FUZZ_MUST(device_valid(&v.device) && v.customer[0] && v.sequence);
	if (invitation_parse(&in, &xml, &e) == 0)
		FUZZ_MUST(in.role[0] && in.name[0] && in.not_before < in.not_after && in.not_after - in.not_before <= INVITATION_MAX_S);
	(void)unit_renewal_parse(&re, &xml, &e);
	if (action_parse(&ac, &xml, &e) == 0)
		FUZZ_MUST(ac.what < ACT_COUNT && strlen(ac.id) == REQUEST_ID_LEN && !(ac.guarded >> ACT_COUNT));
	action_free(&ac);
	if (approval_parse(&ap, &xml, &e) == 0)
		FUZZ_MUST(strlen(ap.id) == REQUEST_ID_LEN);
	approval_free(&ap);
	buf_free(&xml);
	return 0;
}
