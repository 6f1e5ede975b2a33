/* What saving needs of the writer: models with a plan for their data. */
#ifndef REPFOLD_ONNX_WRITE_H
#define REPFOLD_ONNX_WRITE_H

#include "onnx/dataplan.h"
#include "onnx/onnx.h"

/* True when something is written in another way than it is in the model's
 * file. */
bool write_changes(const Model *model, const DataPlan *plan);
/* What write_model will write; may be more than a file can hold. */
int write_size(const Model *model, const DataPlan *plan, size_t *size,
               Err *err);
int write_model(const Model *model, const DataPlan *plan, Sink *sink, Err *err);
/* The data file of a plan. */
int write_data(const Model *model, const DataPlan *plan, Sink *sink, Err *err);
/* Bytes that are mapped, letting go of what has been read. */
int write_mapped(const Model *model, Span bytes, Sink *sink, Err *err);

#endif
