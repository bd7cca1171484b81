/* A clone as a model for Spin: two devices with one factory key and a copy of one store, copied before anything was
 * made, with the request id alone, or with id and key. Both enrol, use their credential, and renew it; an admin may
 * release.
 *
 * Node and CA are one here and a request is one step with its answer: lost and late messages are in the other models.
 *
 * Safety: never two customer credentials of different keys are active. Two devices with the same key *and* id can not
 * be told apart, and share one credential, until one of them renews: then the other is noticed. Rest: whoever was
 * thrown out of an active credential was thrown out with an alarm, and if both have asked there is an alarm, or a
 * refusal that the admin sees (E23).
 *
 *   WITHOUT_ACTIVE    a device that is onboarded is not onboarded again by its factory credential;
 *   WITHOUT_KEY       the same id with another key is refused with an alarm;
 *   WITHOUT_NOTICE    the use of a superseded *or released* credential raises a clone notice. The design says it of the
 *                     superseded one only: Spin shows a release on a clone's refusal, after which the healthy device is
 *                     out in silence;
 *   WITHOUT_LAST_USE  release refuses (wants --force) when the old credential was used after the refusal. */
#define LIMIT 1
#define IDS 8                           /* 1 to 4 of device 1, 5 to 8 of device 2; 1 is in the copied store */
mtype = { none, pending, valid, superseded, dead };

byte D_id[3], D_key[3], D_cur[3], D_curkey[3], D_gen[3], D_renewals[3];
bool D_stored[3], D_out[3];
mtype N[IDS + 1] = none;
byte N_key[IDS + 1], N_gen[IDS + 1];
byte N_active = 0, N_pending = 0, N_max = 0, N_superseded = 0;
bool alarm = false, refused = false, seen_refused = false, used_after = false;
byte releases = 1;

#define V(i) (N[i] == valid)
#define VALIDS (V(1) + V(2) + V(3) + V(4) + V(5) + V(6) + V(7) + V(8))
#define BOTH (D_cur[1] != 0 && D_cur[2] != 0 && N[D_cur[1]] == valid && N[D_cur[2]] == valid)
#define SAFE assert(VALIDS <= 1 && (!BOTH || D_curkey[1] == D_curkey[2]))
#ifdef WITHOUT_NOTICE
#define NOTICE skip
#else
#define NOTICE alarm = true
#endif
#ifdef WITHOUT_ACTIVE
#define ONBOARDED false
#else
#define ONBOARDED (N_active != 0)
#endif
#define SUPERSEDED(c) (N[c] != valid)

inline lose(d) { D_id[d] = 0; D_stored[d] = false }
inline new_id(d, i) {
	if
	:: N_gen[i] <= N_max -> D_gen[d] = N_max; lose(d)                        /* dead, with the highest known */
	:: N_gen[i] > N_max && D_cur[d] == 0 && ONBOARDED ->
		refused = true; seen_refused = true; used_after = false; D_out[d] = true
	:: N_gen[i] > N_max && D_cur[d] != 0 && SUPERSEDED(D_cur[d]) -> NOTICE; D_out[d] = true
	:: N_gen[i] > N_max && !(D_cur[d] == 0 && ONBOARDED) && !(D_cur[d] != 0 && SUPERSEDED(D_cur[d])) ->
		if
		:: N_pending != 0 && N_superseded >= LIMIT -> alarm = true; D_out[d] = true
		:: else ->
			if :: N_pending != 0 -> N[N_pending] = dead; N_superseded++ :: else fi;
			N[i] = pending; N_key[i] = D_key[d]; N_pending = i; N_max = N_gen[i]; D_stored[d] = true
		fi
	fi
}
inline issue(d, i) {
	if
	:: N[i] == none -> new_id(d, i)
	:: N[i] == dead || N[i] == superseded -> D_gen[d] = N_max; lose(d)
#ifdef WITHOUT_KEY
	:: (N[i] == pending || N[i] == valid) -> N_key[i] = D_key[d]; D_stored[d] = true
#else
	:: (N[i] == pending || N[i] == valid) && N_key[i] == D_key[d] -> D_stored[d] = true
	:: (N[i] == pending || N[i] == valid) && N_key[i] != D_key[d] -> alarm = true; D_out[d] = true
#endif
	fi
}
inline confirm(d, i) {
	if
	:: N[i] == pending || N[i] == valid ->
		if
		:: N[i] == pending ->
#ifndef WITHOUT_ACTIVE
			if :: N_active != 0 -> N[N_active] = superseded :: else fi;
#endif
			N[i] = valid; N_active = i; N_pending = 0; N_superseded = 0
		:: else
		fi;
		if :: D_cur[d] != 0 -> D_renewals[d]-- :: else fi;
		D_cur[d] = i; D_curkey[d] = D_key[d]; lose(d); SAFE
	:: else -> D_gen[d] = N_max; lose(d)
	fi
}

proctype Device(byte d; byte next; byte last)
{
end:	do
	:: atomic { D_id[d] == 0 && !D_out[d] && next <= last && (D_cur[d] == 0 || D_renewals[d] > 0) ->
		D_id[d] = next; D_key[d] = d; next++; D_gen[d]++; N_gen[D_id[d]] = D_gen[d] }
	:: atomic { D_id[d] != 0 && !D_stored[d] && !D_out[d] -> issue(d, D_id[d]) }
	:: atomic { D_id[d] != 0 && D_stored[d] -> confirm(d, D_id[d]) }
	:: atomic { D_out[d] && D_cur[d] == 0 && N_active == 0 && !alarm -> D_out[d] = false }    /* after a release */
	:: atomic { D_cur[d] != 0 && N[D_cur[d]] == valid && refused && !used_after -> used_after = true }
	:: atomic { D_cur[d] != 0 && N[D_cur[d]] != valid && !alarm && !D_out[d] -> NOTICE; D_out[d] = true }
	od
}

/* takes the refused one for a device that was wiped */
active proctype Admin()
{
end:	do
#ifdef WITHOUT_LAST_USE
	:: atomic { releases > 0 && refused && N_active != 0 ->
#else
	:: atomic { releases > 0 && refused && N_active != 0 && !used_after ->
#endif
		assert(!used_after);
		releases--; refused = false; N[N_active] = dead; N_active = 0 }
	od
}

#define SILENTLY_OUT(d) (D_cur[d] != 0 && N[D_cur[d]] != valid && !alarm)
init {
	atomic {
		D_renewals[1] = 1; D_renewals[2] = 1;
		if
		:: run Device(1, 1, 4); run Device(2, 5, 8)                      /* the store was empty */
		:: D_id[1] = 1; D_id[2] = 1; D_key[1] = 1; D_gen[1] = 1; D_gen[2] = 1; N_gen[1] = 1;
			if :: D_key[2] = 1 :: D_key[2] = 2 fi;                   /* id and key, or the id alone */
			run Device(1, 2, 4); run Device(2, 5, 8)
		fi
	}
	timeout -> assert(!SILENTLY_OUT(1) && !SILENTLY_OUT(2));
	assert(alarm || seen_refused)
}
