/* root.h - the factory's roots that a station knows: the one in force, and after rollovers those before it.
 *
 * DIR/root.pem has the newest first. Only that one is believed of the CA, of its documents and of the station's own certificate. The
 * older ones are for what was begun under them: devices that were cut, which take no other root for the same request, and records. */
#ifndef HANDSEL_STATION_ROOT_H
#define HANDSEL_STATION_ROOT_H

#include "station.h"

/* Reads them: s->root, s->trust, s->made. */
int root_load(struct station *s, struct err *e);
void root_free(struct station *s);

/* A newer root is taken up by the signature of the one in force alone, when the station's own certificate stands under it and the CA
 * says that the overlap of the rollover is over. Asks the CA only where the station's certificate comes with such a signature; what
 * fails is logged, and the station goes on as it was. Not while units are under way. */
void root_take_up(struct station *s);

#endif
