/* models.h - device models of the data folder (profiles/models/, see HANDSEL_DATADIR in handsel-ca(1)). A device is of a manufacturer
 * and a model, and so is its model file: two manufacturers may give a model the same name. */
#ifndef HANDSEL_MODELS_H
#define HANDSEL_MODELS_H

#include "err.h"
#include "profile.h"

/* The file that names both: MODEL.yaml if it does, else the first by name that does, of the first LIMIT_MODEL_FILES. A file that
 * cannot be read is passed over. 1: *m is it, 0: there is none, -1: the folder cannot be read. */
int model_of(struct model *m, const char *manufacturer, const char *model, struct err *e);

/* What a person calls it: the path of a file, with a slash; a model of that manufacturer; NAME.yaml. Code CONFIG. */
int model_by_name(struct model *m, const char *manufacturer, const char *name, struct err *e);

#endif
